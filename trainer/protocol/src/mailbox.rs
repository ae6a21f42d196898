//! Commands to a training run from other processes, as files in the run's folder.
//!
//! A run that listens keeps a folder [`commands`](run_folder::commands) for as long as it lives.
//! Whoever wants something puts a file there that appears whole ([`post`]); the run takes the
//! oldest between two updates ([`Mailbox::take`]), removes it, and does what it says. A file works
//! on every system and over every disk that a run can lie on, needs no port and no rights but those
//! of the folder, and a command is never half read.
//!
//! What lies there from an earlier time is removed when a run begins, and a command that names
//! another process is left aside, so nothing acts on a run that it was not meant for.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mmface_engine::file::{self, Overwrite};
use mmface_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::command::TrainCommand;
use crate::run_folder;

/// How the name of a command's file ends.
const ENDING: &str = ".json";

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
    run_folder::commands(out).is_dir()
}

/// Puts a command into the folder of a run.
///
/// # Errors
/// When nobody listens there or the file cannot be written.
pub fn post(out: &Path, posted: Posted) -> Result<()> {
    if !listens(out) {
        return Err(Error::Peer(format!(
            "no run that takes commands is under way in {}",
            out.display()
        )));
    }
    let folder = run_folder::commands(out);
    let line = serde_json::to_string(&posted).map_err(Error::unwritable("the command"))?;
    let line = format!("{line}\n");
    file::write(&folder.join(name()), line.as_bytes(), Overwrite::Refuse)
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

/// The folder is looked at no more often than this.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Bytes; a command is far shorter.
const LONGEST: u64 = 4096;

/// Commands that other processes put into the run's folder; as [`post`] puts them.
///
/// The folder is there while the run listens. Nothing that lies in it can end a run: what is no
/// command for this process is left aside with one line of [`Mailbox::warnings`].
#[derive(Debug)]
pub struct Mailbox {
    folder: PathBuf,
    process: u32,
    quiet_since: Option<Instant>,
    /// Names that were told of once and could not, or must not, be removed.
    aside: HashSet<OsString>,
    warnings: Vec<String>,
}

impl Mailbox {
    /// Begins to listen in the folder of a run whose lock is held. What lies there was not meant
    /// for this run, so it goes.
    pub fn open(out: &Path) -> Self {
        let mut mailbox = Self {
            folder: run_folder::commands(out),
            process: std::process::id(),
            quiet_since: None,
            aside: HashSet::new(),
            warnings: Vec::new(),
        };
        if let Err(error) = fs::create_dir_all(&mailbox.folder) {
            let folder = mailbox.folder.display();
            mailbox.warnings = vec![format!("{folder}: no commands are taken there: {error}")];
        }
        match mailbox.clear() {
            0 => {}
            1 => mailbox.warn_of(
                OsStr::new(""),
                "a command from before this start was dropped",
            ),
            many => {
                let what = format!("{many} commands from before this start were dropped");
                mailbox.warn_of(OsStr::new(""), &what);
            }
        }
        mailbox
    }

    /// The oldest command for this run, which is then gone.
    pub fn take(&mut self) -> Option<TrainCommand> {
        if self
            .quiet_since
            .is_some_and(|then| then.elapsed() < LOOK_INTERVAL)
        {
            return None;
        }
        for name in self.names() {
            let path = self.folder.join(&name);
            match read(&path) {
                Ok(Some(text)) => {
                    // Before it is followed: what cannot be removed would act again and again.
                    if let Err(error) = fs::remove_file(&path) {
                        self.leave(
                            name,
                            &format!("not followed, it cannot be removed: {error}"),
                        );
                        continue;
                    }
                    match serde_json::from_str::<Posted>(&text) {
                        Err(_) => self.warn_of(&name, "dropped, it is no command"),
                        Ok(Posted {
                            process: Some(other),
                            ..
                        }) if other != self.process => {
                            self.warn_of(&name, &format!("dropped, it is for process {other}"));
                        }
                        Ok(Posted { command, .. }) => return Some(command),
                    }
                }
                Ok(None) => self.leave(name, "left alone, it is no command"),
                // Somebody took it back.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self.leave(name, &format!("left alone: {error}")),
            }
        }
        self.quiet_since = Some(Instant::now());
        None
    }

    /// What was left aside since the last call, a line each.
    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Names to look at, oldest command first. Files that are still being written have a dot.
    fn names(&self) -> Vec<OsString> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<OsString> = names
            .filter(|name| !is_hidden(name) && !self.aside.contains(name))
            .collect();
        names.sort();
        names
    }

    fn leave(&mut self, name: OsString, what: &str) {
        self.warn_of(&name, what);
        self.aside.insert(name);
    }

    fn warn_of(&mut self, name: &OsStr, what: &str) {
        let path = self.folder.join(name);
        self.warnings.push(format!("{}: {what}", path.display()));
    }

    /// Removes commands and what is left of writing them; says how many were whole.
    fn clear(&self) -> usize {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return 0;
        };
        let mut whole = 0;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let is_part = is_hidden(&name) && ends_with(&name, ".part");
            let is_command = !is_hidden(&name) && ends_with(&name, ENDING);
            // What cannot be removed is told of when it is looked at.
            let ours = is_file && (is_part || is_command);
            if ours && fs::remove_file(entry.path()).is_ok() && is_command {
                whole += 1;
            }
        }
        whole
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.clear();
        // Whatever else lies there is somebody's; then the folder stays, too.
        fs::remove_dir(&self.folder).ok();
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn ends_with(name: &OsStr, ending: &str) -> bool {
    name.as_encoded_bytes().ends_with(ending.as_bytes())
}

/// The text of a file; `None` when it cannot be a command. A pipe or a link is not opened: it could
/// hold the run up.
fn read(path: &Path) -> std::io::Result<Option<String>> {
    let known = fs::symlink_metadata(path)?;
    let named = path.file_name().is_some_and(|name| ends_with(name, ENDING));
    if !known.is_file() || !named || known.len() > LONGEST {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn to(process: Option<u32>, command: TrainCommand) -> Posted {
        Posted { process, command }
    }

    /// All commands that are there now.
    fn all(mailbox: &mut Mailbox) -> Vec<TrainCommand> {
        mailbox.quiet_since = None;
        std::iter::from_fn(|| mailbox.take()).collect()
    }

    #[test]
    fn commands_come_in_order_once_and_the_folder_goes_with_the_run() {
        let out = tempfile::tempdir().unwrap();
        assert!(!listens(out.path()));
        let mut mailbox = Mailbox::open(out.path());
        assert!(listens(out.path()));
        assert_eq!(all(&mut mailbox), []);
        let me = Some(std::process::id());
        let wanted = [
            TrainCommand::Pause,
            TrainCommand::Checkpoint,
            TrainCommand::Resume,
        ];
        for (command, process) in wanted.into_iter().zip([me, None, me]) {
            post(out.path(), to(process, command)).unwrap();
        }
        assert_eq!(all(&mut mailbox), wanted);
        assert_eq!(all(&mut mailbox), []);
        assert!(mailbox.warnings().is_empty());
        post(out.path(), to(me, TrainCommand::Stop)).unwrap();
        drop(mailbox);
        assert!(!listens(out.path()), "nobody listens any more");
        post(out.path(), to(me, TrainCommand::Stop)).unwrap_err();
    }

    #[test]
    fn what_was_left_from_before_does_not_act() {
        let out = tempfile::tempdir().unwrap();
        let folder = run_folder::commands(out.path());
        fs::create_dir(&folder).unwrap();
        // Of a run that was killed; in a container every run may have the same id.
        let me = Some(std::process::id());
        post(out.path(), to(me, TrainCommand::Stop)).unwrap();
        post(out.path(), to(None, TrainCommand::Stop)).unwrap();
        fs::write(folder.join(".mmface-x.part"), "{").unwrap();
        let mut mailbox = Mailbox::open(out.path());
        assert_eq!(all(&mut mailbox), []);
        let warnings = mailbox.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("2 commands from before"),
            "{warnings:?}"
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_command_for_this_run_is_one_line_each() {
        let out = tempfile::tempdir().unwrap();
        let mut mailbox = Mailbox::open(out.path());
        let folder = run_folder::commands(out.path());
        let other = std::process::id() + 1;
        post(out.path(), to(Some(other), TrainCommand::Stop)).unwrap();
        for (name, bytes) in [
            ("a.json", &b"{\"command\":\"dance\"}"[..]),
            ("b.json", b"\xff\x00{"),
            ("c.json", b""),
            ("d.json", &[b' '; 5000]),
            ("notes.txt", b"mine"),
            (".mmface-1.part", b"{\"comm"),
        ] {
            fs::write(folder.join(name), bytes).unwrap();
        }
        fs::create_dir(folder.join("e.json")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/dev/zero", folder.join("f.json")).unwrap();
        post(out.path(), to(None, TrainCommand::Sample)).unwrap();
        assert_eq!(all(&mut mailbox), [TrainCommand::Sample]);
        let warnings = mailbox.warnings();
        let expected = if cfg!(unix) { 8 } else { 7 };
        assert_eq!(warnings.len(), expected, "{warnings:#?}");
        assert!(
            warnings.iter().all(|line| !line.contains('\n')),
            "{warnings:#?}"
        );
        let of = |what: &str| warnings.iter().any(|line| line.contains(what));
        assert!(of(&format!("for process {other}")), "{warnings:#?}");
        // Told once; what is somebody's stays.
        assert_eq!(all(&mut mailbox), []);
        assert!(mailbox.warnings().is_empty());
        drop(mailbox);
        assert!(folder.join("notes.txt").is_file());
    }

    #[test]
    #[cfg(unix)]
    fn a_command_that_cannot_be_removed_is_not_followed() {
        use std::os::unix::fs::PermissionsExt;
        let out = tempfile::tempdir().unwrap();
        let mut mailbox = Mailbox::open(out.path());
        let folder = run_folder::commands(out.path());
        post(out.path(), to(None, TrainCommand::Pause)).unwrap();
        let allow = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        allow(0o555);
        if fs::write(folder.join("probe"), "").is_ok() {
            allow(0o755);
            eprintln!("skipped: this user may write anywhere");
            return;
        }
        assert_eq!(all(&mut mailbox), []);
        assert_eq!(all(&mut mailbox), []);
        allow(0o755);
        assert_eq!(mailbox.warnings().len(), 1);
    }

    #[test]
    fn without_a_folder_the_run_goes_on() {
        let out = tempfile::tempdir().unwrap();
        fs::write(run_folder::commands(out.path()), "a file").unwrap();
        let mut mailbox = Mailbox::open(out.path());
        assert_eq!(all(&mut mailbox), []);
        assert_eq!(mailbox.warnings().len(), 1);
        drop(mailbox);
        assert!(run_folder::commands(out.path()).is_file());
    }

    #[test]
    fn commands_are_whole_files_in_order() {
        let out = tempfile::tempdir().unwrap();
        let pause = Posted {
            process: Some(7),
            command: TrainCommand::Pause,
        };
        let error = post(out.path(), pause).unwrap_err().to_string();
        assert!(error.contains("no run that takes commands"), "{error}");
        let folder = run_folder::commands(out.path());
        fs::create_dir(&folder).unwrap();
        let resume = Posted {
            process: None,
            command: TrainCommand::Resume,
        };
        for posted in [pause, resume, pause] {
            post(out.path(), posted).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        let read = |path| fs::read_to_string(path).unwrap();
        let lines: Vec<String> = names.iter().map(read).collect();
        let line = "{\"process\":7,\"command\":\"pause\"}\n";
        assert_eq!(lines, [line, "{\"command\":\"resume\"}\n", line]);
        assert_eq!(serde_json::from_str::<Posted>(line).unwrap(), pause);
        assert!(serde_json::from_str::<Posted>(r#"{"process":7}"#).is_err());
    }
}
