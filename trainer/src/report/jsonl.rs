//! Events as JSON lines: in the run folder, and for the studio on standard output.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use mmface_engine::picture::write::write_atomic;
use mmface_engine::{Error, Result};

use super::{Sink, TrainEvent};

/// Appends to `metrics.jsonl`.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// Opens the file and removes what lies after `step`: a resumed run tells it again.
    pub fn open(path: &Path, step: u64) -> Result<Self> {
        if path.exists() {
            let text =
                std::fs::read_to_string(path).map_err(Error::file("read the metrics", path))?;
            let kept: String = text
                .lines()
                .filter(|line| {
                    serde_json::from_str::<TrainEvent>(line).is_ok_and(|event| event.step() <= step)
                })
                .flat_map(|line| [line, "\n"])
                .collect();
            if kept != text {
                write_atomic(path, kept.as_bytes())?;
            }
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::file("open the metrics", path))?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }
}

impl Sink for JsonLines {
    fn hear(&mut self, event: &TrainEvent) -> Result<()> {
        writeln!(self.file, "{}", to_json(event)?)
            .map_err(Error::file("write the metrics", &self.path))
    }
}

/// Prints events on standard output.
#[derive(Debug, Default)]
pub struct Printed;

impl Sink for Printed {
    fn hear(&mut self, event: &TrainEvent) -> Result<()> {
        // A reader that went away must not end a run.
        let _ = writeln!(std::io::stdout(), "{}", to_json(event)?);
        Ok(())
    }
}

fn to_json(event: &TrainEvent) -> Result<String> {
    serde_json::to_string(event)
        .map_err(|error| Error::Argument(format!("cannot describe the event: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn resuming_rewinds_the_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let event = |step| TrainEvent::Checkpoint {
            step,
            folder: "x".into(),
        };
        let mut lines = JsonLines::open(&path, 0).unwrap();
        for step in [10, 20, 30] {
            lines.hear(&event(step)).unwrap();
        }
        drop(lines);
        // A line that was cut by a crash goes too.
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"event\":\"chec");
        std::fs::write(&path, text).unwrap();
        JsonLines::open(&path, 20)
            .unwrap()
            .hear(&event(25))
            .unwrap();
        let steps: Vec<u64> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<TrainEvent>(line).unwrap().step())
            .collect();
        assert_eq!(steps, [10, 20, 25]);
    }
}
