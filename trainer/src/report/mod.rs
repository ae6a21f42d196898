//! What a run tells: one stream of events, and its views.

pub mod jsonl;
pub mod plain;

use serde::{Deserialize, Serialize};

/// Held-out loss, in all and by part of the path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOutReport {
    /// Update after which it was measured.
    pub step: u64,
    /// Mean squared error over everything.
    pub loss: f64,
    /// By time bucket with a mask, from noise to data.
    pub mask: Vec<f64>,
    /// By time bucket with a sketch.
    pub sketch: Vec<f64>,
}

/// Something that happened in a run. One JSON object a line in `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// The run began or went on.
    Started {
        /// Name of the run.
        name: String,
        /// First update, counted from 0.
        step: u64,
        /// Updates in the run.
        steps: u64,
        /// Trained parameters.
        parameters: usize,
        /// Photos in the training set.
        samples: usize,
    },
    /// Some updates were done.
    Progress {
        /// Updates done.
        step: u64,
        /// Mean loss since the last line.
        loss: f64,
        /// Smoothed loss.
        smooth: f64,
        /// Learning rate of the last update.
        rate: f64,
        /// Mean gradient norm since the last line.
        grad_norm: f64,
        /// Samples a second since the last line, without checkpoints and evaluation.
        samples_per_second: f64,
        /// Seconds to the end at this speed.
        eta_seconds: f64,
    },
    /// The held-out loss was measured.
    HeldOut(HeldOutReport),
    /// A checkpoint is complete.
    Checkpoint {
        /// Updates done.
        step: u64,
        /// Its folder.
        folder: String,
    },
    /// An update was left out because its loss or gradients were not finite.
    Skipped {
        /// The update.
        step: u64,
        /// Position of its first sample in the sequence.
        position: u64,
        /// Loss, as text because it may not be a number.
        loss: String,
    },
    /// The run ended.
    Finished {
        /// Updates done.
        step: u64,
        /// Why: the plan, a signal, or damage.
        reason: String,
    },
}

impl TrainEvent {
    /// The update that the event belongs to.
    pub fn step(&self) -> u64 {
        match self {
            Self::HeldOut(report) => report.step,
            Self::Started { step, .. }
            | Self::Progress { step, .. }
            | Self::Checkpoint { step, .. }
            | Self::Skipped { step, .. }
            | Self::Finished { step, .. } => *step,
        }
    }
}

/// A view of the events.
pub trait Sink {
    /// Hears one event.
    fn hear(&mut self, event: &TrainEvent) -> mmface_engine::Result<()>;
}
