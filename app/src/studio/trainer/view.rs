//! What is known of one run, folded from its events: the same whether they come from a child or
//! were read from `metrics.jsonl`.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use mmface_run_protocol::{
    DataTable, HeldOutReport, Preparing, RunInputs, Started, Step, TrainEvent, Weights, run_folder,
};

use super::curves::Curve;
use crate::studio::checkpoints::{Checkpoints, on_disk};

/// Messages that are remembered.
const NOTES: usize = 100;
/// Longest line of a metrics file that is looked at.
const LINE: u64 = 1 << 20;

/// What a run is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// There is none, or nothing is known of it yet.
    #[default]
    None,
    /// Its process is there and has not said anything yet.
    Starting,
    /// It makes updates.
    Running,
    /// It waits, with a checkpoint written: why.
    Paused(String),
    /// It was asked to stop and writes a checkpoint.
    Stopping,
    /// It left before its end.
    Stopped(String),
    /// All updates are done.
    Finished,
    /// It ended by an error: what, where, what to do.
    Failed(String),
}

impl Phase {
    /// Whether updates are being made, or will be in a moment.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }

    /// In a word, for people.
    pub fn title(&self) -> &'static str {
        match self {
            Self::None => "No run",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Paused(_) => "Paused",
            Self::Stopping => "Stopping",
            Self::Stopped(_) => "Stopped",
            Self::Finished => "Finished",
            Self::Failed(_) => "Failed",
        }
    }
}

/// A sheet of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Updates done.
    pub step: u64,
    /// Which weights drew it.
    pub weights: Weights,
    /// The PNG file.
    pub path: PathBuf,
}

/// What is known of a run.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Its folder.
    pub out: PathBuf,
    /// What it is doing.
    pub phase: Phase,
    /// Its plan, as it told it at its start.
    pub started: Option<Started>,
    /// How far the preparation of the data is, before the run.
    pub preparing: Option<Preparing>,
    /// What the data holds, one table a split.
    pub tables: Vec<DataTable>,
    /// The newest figures.
    pub last: Option<Step>,
    /// The newest held-out loss.
    pub heldout: Option<HeldOutReport>,
    /// Mean loss between two log lines.
    pub loss: Curve,
    /// Exponentially smoothed loss.
    pub smooth: Curve,
    /// Held-out loss.
    pub heldout_loss: Curve,
    /// Learning rate.
    pub rate: Curve,
    /// Norm of the gradients.
    pub grad_norm: Curve,
    /// Sheets of samples, oldest first.
    pub sheets: Vec<Sheet>,
    /// Checkpoints.
    pub checkpoints: Checkpoints,
    /// Updates that were left out.
    pub skipped: u64,
    /// Warnings and the like, newest last.
    pub notes: VecDeque<String>,
}

impl View {
    /// Nothing is known of the run in this folder yet.
    pub fn new(out: &Path) -> Self {
        Self {
            out: out.to_owned(),
            ..Self::default()
        }
    }

    /// Reads what a run has told so far; this takes a moment, so not on the GUI thread. What was
    /// read up to is returned as well.
    pub fn read(out: &Path) -> (Self, u64) {
        let mut view = Self::new(out);
        let (events, to) = read_from(&run_folder::metrics(out), 0);
        for event in events {
            view.on_event(event);
        }
        view.checkpoints.list = on_disk(out);
        (view, to)
    }

    /// Updates done.
    pub fn step(&self) -> u64 {
        let last = self.last.as_ref().map_or(0, |step| step.step);
        last.max(self.started.as_ref().map_or(0, |started| started.step))
    }

    /// Takes in an event.
    pub fn on_event(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::Preparing(preparing) => self.preparing = Some(preparing),
            TrainEvent::Data(table) => self.hear_table(table),
            TrainEvent::Started(started) => {
                self.rewind(started.step);
                self.preparing = None;
                self.started = Some(started);
                self.phase = Phase::Running;
            }
            TrainEvent::Step(step) => {
                let x = step.step as f64;
                self.loss.push(x, step.loss);
                self.smooth.push(x, step.smooth);
                self.rate.push(x, step.rate);
                self.grad_norm.push(x, step.grad_norm);
                self.last = Some(step);
                if matches!(self.phase, Phase::Starting | Phase::None) {
                    self.phase = Phase::Running;
                }
            }
            TrainEvent::HeldOut(report) => {
                self.heldout_loss.push(report.step as f64, report.loss);
                self.heldout = Some(report);
            }
            TrainEvent::Sample {
                step,
                path,
                weights,
            } => self.hear_sheet(step, Path::new(&path), weights),
            TrainEvent::Checkpoint { step, heldout, .. } => self.checkpoints.tell(step, heldout),
            TrainEvent::Skipped { step, loss, .. } => {
                self.skipped += 1;
                self.note(format!("update {step} was left out: its loss was {loss}"));
            }
            TrainEvent::Warning { step, message } => self.note(format!("update {step}: {message}")),
            TrainEvent::Paused { reason, .. } => self.phase = Phase::Paused(reason),
            TrainEvent::Resumed { .. } => self.phase = Phase::Running,
            TrainEvent::Stopped { reason, .. } => self.phase = Phase::Stopped(reason),
            TrainEvent::Finished { .. } => self.phase = Phase::Finished,
            TrainEvent::Failed { error, .. } => self.phase = Phase::Failed(error),
            TrainEvent::Unknown => {}
        }
    }

    /// Remembers a message.
    pub fn note(&mut self, text: String) {
        if self.notes.len() == NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(text);
    }

    fn hear_table(&mut self, table: DataTable) {
        for left_out in table.left_out.iter().take(20) {
            self.note(format!("{}: left out {left_out}", table.split));
        }
        match self
            .tables
            .iter_mut()
            .find(|known| known.split == table.split)
        {
            Some(known) => *known = table,
            None => self.tables.push(table),
        }
    }

    fn hear_sheet(&mut self, step: u64, path: &Path, weights: Weights) {
        // The path is as seen from where the run was started; the folder may have moved since.
        let name = path.file_name().unwrap_or_default();
        let sheet = Sheet {
            step,
            weights,
            path: run_folder::samples(&self.out).join(name),
        };
        self.sheets
            .retain(|known| (known.step, known.weights) != (step, weights));
        self.sheets.push(sheet);
    }

    /// A run that goes on from a checkpoint tells again what lies after it.
    fn rewind(&mut self, step: u64) {
        let after = step as f64;
        for curve in [
            &mut self.loss,
            &mut self.smooth,
            &mut self.heldout_loss,
            &mut self.rate,
            &mut self.grad_norm,
        ] {
            curve.cut(after);
        }
        self.sheets.retain(|sheet| sheet.step <= step);
        self.checkpoints.cut(step);
        self.last = self.last.take().filter(|last| last.step <= step);
        self.heldout = self.heldout.take().filter(|report| report.step <= step);
    }
}

/// The events after a place in a file, and the place after the last whole line. Lines that are no
/// events are passed over.
pub fn read_from(path: &Path, from: u64) -> (Vec<TrainEvent>, u64) {
    let mut events = Vec::new();
    let mut at = from;
    let Ok(mut file) = std::fs::File::open(path) else {
        return (events, at);
    };
    if file.seek(SeekFrom::Start(from)).is_err() {
        return (events, at);
    }
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(read) if read > 0 && line.ends_with(b"\n") => at += read as u64,
            _ => return (events, at),
        }
        if let Some(event) = std::str::from_utf8(&line)
            .ok()
            .and_then(|text| TrainEvent::from_line(text).ok())
        {
            events.push(event);
        }
    }
}

/// What the run read besides its checkpoints, where it is noted and still there.
pub fn inputs(out: &Path) -> Option<RunInputs> {
    let inputs = RunInputs::read(out).ok()?;
    inputs.work.is_dir().then_some(inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64) -> TrainEvent {
        TrainEvent::Step(Step {
            step,
            loss: 1.0,
            smooth: 1.0,
            ..Step::default()
        })
    }

    fn started(step: u64) -> TrainEvent {
        TrainEvent::Started(Started {
            step,
            steps: 100,
            ..Started::default()
        })
    }

    #[test]
    fn a_resumed_run_is_one_curve() {
        let mut view = View::new(Path::new("run"));
        view.on_event(started(0));
        for at in [10, 20, 30] {
            view.on_event(step(at));
        }
        view.on_event(TrainEvent::Sample {
            step: 30,
            path: "elsewhere/samples/step-30.png".into(),
            weights: Weights::Raw,
        });
        assert_eq!(view.sheets[0].path, Path::new("run/samples/step-30.png"));
        view.on_event(started(20));
        assert_eq!((view.step(), view.loss.points().len()), (20, 2));
        assert!(view.sheets.is_empty());
        view.on_event(step(30));
        assert_eq!(view.loss.points().len(), 3);
    }

    #[test]
    fn rubbish_and_half_lines_in_a_file_are_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = run_folder::metrics(folder.path());
        let line = |event: &TrainEvent| event.to_line().expect("plain data");
        let text = format!("{}\nrubbish\n\u{0}\n{{\"event\":\"st", line(&step(5)));
        std::fs::write(&path, &text).expect("a file");
        let (view, at) = View::read(folder.path());
        assert_eq!(view.step(), 5);
        // The rest of the half line comes later.
        let whole = format!("{}\n{}\n", line(&step(5)), line(&step(6)));
        std::fs::write(
            &path,
            format!("{}{}", &text[..at as usize], &whole[whole.len() / 2..]),
        )
        .expect("a file");
        let (events, _) = read_from(&path, at);
        assert_eq!(events, [step(6)]);
    }
}
