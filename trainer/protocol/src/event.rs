//! What a run tells: one [`TrainEvent`] a line.
//!
//! `mmface-trainer train|resume --json` prints the lines on standard output, and keeps the same in
//! [`run_folder::metrics`](crate::run_folder::metrics).
//!
//! Readers must pass over what they do not know: a newer trainer may add events (read here as
//! [`TrainEvent::Unknown`]) and fields. Fields are never renamed without an alias, and a new field
//! has a default, so that lines of older runs stay readable. A number that is not finite is
//! written as `null` and read as NaN.

use serde::{Deserialize, Deserializer, Serialize};

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainEvent {
    /// Data is being encoded before the run; comes several times.
    Preparing(Preparing),
    /// What the data holds and lacks; comes once for each split, before the run.
    Data(DataTable),
    /// The run began, or continued from a checkpoint.
    Started(Started),
    /// Some updates were done.
    #[serde(alias = "progress")]
    Step(Step),
    /// The held-out loss was measured.
    HeldOut(HeldOutReport),
    /// A sheet of samples was written.
    Sample {
        /// Updates done.
        step: u64,
        /// The PNG file.
        path: String,
        /// Which weights drew it.
        weights: Weights,
    },
    /// A checkpoint is complete.
    Checkpoint {
        /// Updates done.
        step: u64,
        /// Its folder.
        #[serde(alias = "folder")]
        path: String,
        /// The newest held-out loss at that time.
        #[serde(default, deserialize_with = "optional_number")]
        heldout: Option<f64>,
        /// Bytes on disk.
        #[serde(default)]
        bytes: u64,
    },
    /// An update was left out because its loss or gradients were not finite.
    Skipped {
        /// The update.
        step: u64,
        /// Position of its first sample in the endless sequence.
        position: u64,
        /// Loss, as text because it may not be a number.
        loss: String,
        /// Keys of the samples in the batch.
        #[serde(default)]
        samples: Vec<String>,
    },
    /// Something a person should know, while the run continues.
    Warning {
        /// Updates done.
        step: u64,
        /// One line.
        message: String,
    },
    /// The run waits, with everything saved that can be saved.
    Paused {
        /// Updates done.
        step: u64,
        /// Why: a command, or a full disk.
        reason: String,
    },
    /// The run continues after a pause.
    Resumed {
        /// Updates done.
        step: u64,
    },
    /// The run left before its end, with a checkpoint to continue from.
    Stopped {
        /// Updates done.
        step: u64,
        /// Why.
        reason: String,
    },
    /// All updates of the plan are done.
    Finished {
        /// Updates done.
        step: u64,
        /// In a few words.
        reason: String,
    },
    /// The run ended by an error. It is the last line.
    Failed {
        /// Updates done.
        #[serde(default)]
        step: u64,
        /// One line: what happened, where, what to do.
        error: String,
    },
    /// An event of a newer trainer.
    #[serde(other)]
    Unknown,
}

/// How far the preparation of the data is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparing {
    /// What is being made, in words for a person.
    pub what: String,
    /// Items done.
    pub done: u64,
    /// Items in all, as far as known.
    pub of: u64,
    /// Items a second; 0 when not known.
    #[serde(default, deserialize_with = "number")]
    pub per_second: f64,
}

/// What one split of the data holds and lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataTable {
    /// Name of the split.
    pub split: String,
    /// Samples found.
    pub samples: u64,
    /// Of these, without a photo.
    pub without_photo: u64,
    /// Without a mask.
    pub without_mask: u64,
    /// Without a sketch.
    pub without_sketch: u64,
    /// Without a caption file.
    pub without_captions: u64,
    /// With a caption file that holds no line.
    pub empty_captions: u64,
    /// Samples left out, each with its reason.
    pub left_out: Vec<String>,
}

/// The plan of a run, told at its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Started {
    /// Name of the run.
    pub name: String,
    /// First update, counted from 0.
    pub step: u64,
    /// Updates in the run.
    pub steps: u64,
    /// `flow` or `diffusion`.
    pub objective: String,
    /// Side of the pictures in pixels.
    pub resolution: u64,
    /// Samples in one update over all processes: the global batch.
    pub batch: u64,
    /// Parts that each process computes its share in.
    pub accumulation: u64,
    /// Processes that share the work.
    pub ranks: u64,
    /// Updates in which every training sample is seen once.
    pub steps_per_epoch: u64,
    /// Trained parameters.
    pub parameters: u64,
    /// Training samples.
    pub samples: u64,
    /// Held-out samples.
    pub heldout_samples: u64,
    /// Estimated memory of one process in bytes.
    pub memory: u64,
    /// Bytes of one checkpoint.
    pub checkpoint_bytes: u64,
    /// Folder of the run.
    pub out: String,
}

/// Means since the event before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Updates done.
    pub step: u64,
    /// Mean loss.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Exponentially smoothed loss.
    #[serde(deserialize_with = "number")]
    pub smooth: f64,
    /// Learning rate of the last update.
    #[serde(deserialize_with = "number")]
    pub rate: f64,
    /// Mean gradient norm before clipping.
    #[serde(deserialize_with = "number")]
    pub grad_norm: f64,
    /// Updates a second, without checkpoints, samples and held-out measurements.
    #[serde(deserialize_with = "number")]
    pub updates_per_second: f64,
    /// Samples a second over all processes, likewise.
    #[serde(deserialize_with = "number")]
    pub samples_per_second: f64,
    /// Seconds to the end at the recent speed.
    #[serde(deserialize_with = "number")]
    pub eta_seconds: f64,
    /// Resident memory of the process in bytes; 0 where the system does not tell.
    pub memory: u64,
    /// Passes over the training set so far.
    #[serde(deserialize_with = "number")]
    pub epoch: f64,
}

/// Held-out loss with fixed noise, in all and by part of the path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOutReport {
    /// Update after which it was measured.
    pub step: u64,
    /// Mean squared error over everything.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// By time bucket with a mask; buckets are equal parts of the time axis in rising order.
    #[serde(deserialize_with = "numbers")]
    pub mask: Vec<f64>,
    /// By time bucket with a sketch.
    #[serde(deserialize_with = "numbers")]
    pub sketch: Vec<f64>,
}

/// Which weights drew a sheet of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// The weights being trained.
    Raw,
    /// Their moving average, which is what an export holds.
    Averaged,
}

impl Weights {
    /// Its name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Averaged => "averaged",
        }
    }
}

impl TrainEvent {
    /// The update that the event belongs to; `None` before the first and for unknown events.
    pub fn step(&self) -> Option<u64> {
        match self {
            Self::Preparing(_) | Self::Data(_) | Self::Unknown => None,
            Self::Started(started) => Some(started.step),
            Self::Step(line) => Some(line.step),
            Self::HeldOut(report) => Some(report.step),
            Self::Sample { step, .. }
            | Self::Checkpoint { step, .. }
            | Self::Skipped { step, .. }
            | Self::Warning { step, .. }
            | Self::Paused { step, .. }
            | Self::Resumed { step }
            | Self::Stopped { step, .. }
            | Self::Finished { step, .. }
            | Self::Failed { step, .. } => Some(*step),
        }
    }

    /// Whether the run is over after this event.
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            Self::Stopped { .. } | Self::Finished { .. } | Self::Failed { .. }
        )
    }

    /// The event as one line of JSON, without a line break.
    ///
    /// # Errors
    /// Never for values made of this type; the signature is serde's.
    pub fn to_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads one line.
    ///
    /// # Errors
    /// When it is no JSON object with a known form.
    pub fn from_line(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line)
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn optional_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Option::<f64>::deserialize(deserializer)
}

fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(values
        .into_iter()
        .map(|value| value.unwrap_or(f64::NAN))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn examples() -> Vec<TrainEvent> {
        vec![
            TrainEvent::Preparing(Preparing {
                what: "latents".into(),
                done: 20,
                of: 900,
                per_second: 1.5,
            }),
            TrainEvent::Data(DataTable {
                split: "train".into(),
                samples: 3,
                left_out: vec!["f1: no mask".into()],
                ..DataTable::default()
            }),
            TrainEvent::Started(Started {
                name: "demo".into(),
                steps: 10,
                batch: 4,
                ..Started::default()
            }),
            TrainEvent::Step(Step {
                step: 5,
                loss: 0.5,
                ..Step::default()
            }),
            TrainEvent::HeldOut(HeldOutReport {
                step: 5,
                loss: 0.4,
                mask: vec![0.1, 0.2],
                sketch: vec![0.3],
            }),
            TrainEvent::Sample {
                step: 5,
                path: "s.png".into(),
                weights: Weights::Averaged,
            },
            TrainEvent::Checkpoint {
                step: 5,
                path: "c".into(),
                heldout: Some(0.4),
                bytes: 9,
            },
            TrainEvent::Skipped {
                step: 6,
                position: 24,
                loss: "NaN".into(),
                samples: vec!["f1".into()],
            },
            TrainEvent::Warning {
                step: 6,
                message: "m".into(),
            },
            TrainEvent::Paused {
                step: 6,
                reason: "r".into(),
            },
            TrainEvent::Resumed { step: 6 },
            TrainEvent::Stopped {
                step: 6,
                reason: "r".into(),
            },
            TrainEvent::Finished {
                step: 6,
                reason: "r".into(),
            },
            TrainEvent::Failed {
                step: 6,
                error: "e".into(),
            },
        ]
    }

    #[test]
    fn every_event_is_one_line_and_comes_back() {
        for event in examples() {
            let line = event.to_line().unwrap();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(TrainEvent::from_line(&line).unwrap(), event, "{line}");
        }
    }

    #[test]
    fn lines_of_the_first_trainer_are_understood() {
        let started =
            r#"{"event":"started","name":"d","step":0,"steps":9,"parameters":7,"samples":900}"#;
        assert!(
            matches!(TrainEvent::from_line(started).unwrap(), TrainEvent::Started(s) if s.samples == 900)
        );
        let progress = r#"{"event":"progress","step":20,"loss":0.5,"smooth":0.5,"rate":0.001,"grad_norm":0.2,"samples_per_second":9.0,"eta_seconds":3.0}"#;
        assert!(
            matches!(TrainEvent::from_line(progress).unwrap(), TrainEvent::Step(s) if s.step == 20)
        );
        let checkpoint = r#"{"event":"checkpoint","step":20,"folder":"run/checkpoint-20"}"#;
        assert!(
            matches!(TrainEvent::from_line(checkpoint).unwrap(), TrainEvent::Checkpoint { path, heldout: None, .. } if path == "run/checkpoint-20")
        );
    }

    #[test]
    fn what_a_newer_trainer_adds_is_passed_over() {
        let line = r#"{"event":"weather","step":3,"degrees":20}"#;
        assert_eq!(TrainEvent::from_line(line).unwrap(), TrainEvent::Unknown);
        let line = r#"{"event":"resumed","step":3,"who":"me"}"#;
        assert_eq!(
            TrainEvent::from_line(line).unwrap(),
            TrainEvent::Resumed { step: 3 }
        );
        assert!(TrainEvent::from_line("{\"event\":\"res").is_err());
    }

    #[test]
    fn numbers_that_are_not_finite_survive_as_not_a_number() {
        let event = TrainEvent::Step(Step {
            loss: f64::INFINITY,
            ..Step::default()
        });
        let TrainEvent::Step(step) = TrainEvent::from_line(&event.to_line().unwrap()).unwrap()
        else {
            panic!("another event")
        };
        assert!(step.loss.is_nan() && step.rate == 0.0);
    }
}
