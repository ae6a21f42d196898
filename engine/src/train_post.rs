//! Commands to a training run from other processes, as files in the run's folder.
//!
//! A run that listens keeps a folder [`COMMANDS_FOLDER`] for as long as it lives. Whoever wants
//! something puts a file there that appears whole ([`post`]); the run takes the oldest between two
//! updates, removes it, and obeys. A file works on every system and over every disk that a run can
//! lie on, needs no port and no rights but those of the folder, and a command is never half read.
//!
//! What lies there from an earlier time is removed when a run begins, and a command that names
//! another process is left aside, so nothing acts on a run that it was not meant for.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::picture::write::write_atomic;
use crate::train_event::TrainCommand;
use crate::{Error, Result};

/// Where in a run's folder commands are put.
pub const COMMANDS_FOLDER: &str = "commands";
/// How the name of a command's file ends.
pub const ENDING: &str = ".json";

/// A command and whom it is for: `{"process":4711,"command":"pause"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The process that has the run, as `run.lock` names it; left out: whoever has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// What is asked.
    #[serde(flatten)]
    pub command: TrainCommand,
}

/// Whether a run in this folder takes commands. One that was killed leaves the folder behind.
pub fn listens(out: &Path) -> bool {
    out.join(COMMANDS_FOLDER).is_dir()
}

/// Puts a command into the folder of a run.
///
/// # Errors
/// When nobody listens there or the file cannot be written.
pub fn post(out: &Path, posted: Posted) -> Result<()> {
    if !listens(out) {
        return Err(Error::Argument(format!(
            "no run that takes commands is under way in {}",
            out.display()
        )));
    }
    let folder = out.join(COMMANDS_FOLDER);
    let line = serde_json::to_string(&posted)
        .map_err(|error| Error::Argument(format!("{error}: a command that is no JSON")))?;
    write_atomic(&folder.join(name()), format!("{line}\n").as_bytes())
}

/// A name that nobody else takes, later ones after earlier ones.
fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = since.map_or(0, |since| since.as_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "{nanoseconds:020}-{:010}-{count:06}{ENDING}",
        std::process::id()
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn commands_are_whole_files_in_order() {
        let out = tempfile::tempdir().unwrap();
        let pause = Posted {
            process: Some(7),
            command: TrainCommand::Pause,
        };
        let error = post(out.path(), pause).unwrap_err().to_string();
        assert!(error.contains("no run that takes commands"), "{error}");
        let folder = out.path().join(COMMANDS_FOLDER);
        std::fs::create_dir(&folder).unwrap();
        let resume = Posted {
            process: None,
            command: TrainCommand::Resume,
        };
        for posted in [pause, resume, pause] {
            post(out.path(), posted).unwrap();
        }
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        let read = |path| std::fs::read_to_string(path).unwrap();
        let lines: Vec<String> = names.iter().map(read).collect();
        let line = "{\"process\":7,\"command\":\"pause\"}\n";
        assert_eq!(lines, [line, "{\"command\":\"resume\"}\n", line]);
        assert_eq!(serde_json::from_str::<Posted>(line).unwrap(), pause);
        assert!(serde_json::from_str::<Posted>(r#"{"process":7}"#).is_err());
    }
}
