//! Events as JSON lines: in the run folder, and for the studio on standard output.

use std::io::Write;
use std::path::Path;

use mmface_engine::file::{self, Append, Overwrite};
use mmface_engine::system::disk;
use mmface_engine::{Error, Result};

use super::{Sink, TrainEvent};

/// Most lines that wait for a disk that is full; the oldest go first.
const WAITING: usize = 10_000;

/// Appends to `metrics.jsonl`. A disk that is full does not end the run: the lines wait.
#[derive(Debug)]
pub struct JsonLines {
    file: Append,
    waiting: Vec<String>,
}

impl JsonLines {
    /// Opens the file and removes what lies after `step`: a resumed run tells it again.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path, step: u64) -> Result<Self> {
        if path.exists() {
            let text =
                std::fs::read_to_string(path).map_err(Error::file("read the metrics", path))?;
            let kept: String = text
                .lines()
                .filter(|line| is_before(line, step))
                .flat_map(|line| [line, "\n"])
                .collect();
            if kept != text {
                file::write(path, kept.as_bytes(), Overwrite::Replace)?;
            }
        }
        Ok(Self {
            file: Append::open(path)?,
            waiting: Vec::new(),
        })
    }
}

/// Whether a line is whole and tells nothing that lies after the step.
fn is_before(line: &str, step: u64) -> bool {
    match serde_json::from_str::<serde_json::Value>(line) {
        Ok(serde_json::Value::Object(fields)) => fields
            .get("step")
            .and_then(serde_json::Value::as_u64)
            .is_none_or(|of_line| of_line <= step),
        _ => false,
    }
}

impl Sink for JsonLines {
    fn on_event(&mut self, event: &TrainEvent) -> Result<()> {
        self.waiting.push(to_json(event)? + "\n");
        if self.waiting.len() > WAITING {
            self.waiting.remove(0);
        }
        let text = self.waiting.concat();
        match self.file.push(text.as_bytes()) {
            Ok(()) => {
                self.waiting.clear();
                Ok(())
            }
            Err(error) if disk::is_full_error(&error) => Ok(()),
            Err(error) => Err(error.doing("write the metrics")),
        }
    }
}

/// Prints events on standard output.
#[derive(Debug, Default)]
pub struct Printed;

impl Sink for Printed {
    fn on_event(&mut self, event: &TrainEvent) -> Result<()> {
        // A reader that went away must not end a run.
        let mut output = std::io::stdout().lock();
        writeln!(output, "{}", to_json(event)?).ok();
        output.flush().ok();
        Ok(())
    }
}

fn to_json(event: &TrainEvent) -> Result<String> {
    event.to_line().map_err(Error::unwritable("the event"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn resuming_rewinds_the_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        // A line as the first trainer wrote it.
        std::fs::write(
            &path,
            "{\"event\":\"progress\",\"step\":5,\"loss\":1.0,\"smooth\":1.0,\"rate\":0.1,\"grad_norm\":1.0,\"samples_per_second\":1.0,\"eta_seconds\":1.0}\n",
        )
        .unwrap();
        let event = |step| TrainEvent::Checkpoint {
            step,
            path: "x".into(),
            heldout: None,
            bytes: 0,
        };
        let mut lines = JsonLines::open(&path, 10).unwrap();
        for step in [10, 20, 30] {
            lines.on_event(&event(step)).unwrap();
        }
        drop(lines);
        // A line that was cut by a crash goes too.
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"event\":\"chec");
        std::fs::write(&path, text).unwrap();
        JsonLines::open(&path, 20)
            .unwrap()
            .on_event(&event(25))
            .unwrap();
        let steps: Vec<Option<u64>> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| TrainEvent::from_line(line).unwrap().step())
            .collect();
        assert_eq!(steps, [Some(5), Some(10), Some(20), Some(25)]);
    }
}
