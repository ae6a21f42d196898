//! What the worker tells its owner.

use std::fmt;

use super::{ModelSummary, Picture, Preview, Trail};
use crate::Error;

/// Names one submitted job for the life of its engine; later jobs have larger numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}", self.0)
    }
}

/// Names one requested model load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoadId(pub u64);

/// Sent through the owner's channel. Every job gets `Queued` and later exactly one of
/// `Finished`, `Cancelled`, `Failed`; every load gets exactly one of `Ready`, `LoadFailed`.
#[derive(Debug)]
pub enum Event {
    /// The job waits for its turn.
    Queued {
        /// The job.
        job: JobId,
    },
    /// The job's turn has come.
    Started {
        /// The job.
        job: JobId,
        /// Sampling steps of all its pictures together.
        steps: usize,
    },
    /// One sampling step is done. After running out of memory a job begins again at step 1.
    Step {
        /// The job.
        job: JobId,
        /// The step over all pictures of the job, 1..=of.
        index: usize,
        /// Steps of all pictures together.
        of: usize,
        /// How long this step took.
        seconds: f64,
        /// What the picture looks like so far, when the preview policy made one.
        preview: Option<Preview>,
    },
    /// Something that the person should know, though the job goes on: a cut prompt, for instance.
    Warning {
        /// The job.
        job: JobId,
        /// One sentence.
        text: String,
    },
    /// Points on the way to one of the job's pictures; only where they were asked for, and before
    /// `Finished`.
    Trail {
        /// The job.
        job: JobId,
        /// The points.
        trail: Trail,
    },
    /// The job is done.
    Finished {
        /// The job.
        job: JobId,
        /// `count` pictures, picture i from seed + i.
        pictures: Vec<Picture>,
    },
    /// The job was cancelled: by its owner, by a newer live job, or by the engine's end.
    Cancelled {
        /// The job.
        job: JobId,
    },
    /// The job failed; the next one runs.
    Failed {
        /// The job.
        job: JobId,
        /// Why, and what to do.
        error: Error,
    },
    /// A model is being loaded.
    Loading {
        /// The load.
        load: LoadId,
        /// How much is done, 0..=1.
        fraction: f32,
        /// The part at hand.
        what: String,
    },
    /// The model is loaded; jobs run on it from now on.
    Ready {
        /// The load.
        load: LoadId,
        /// What was loaded, and where to.
        summary: Box<ModelSummary>,
    },
    /// The model could not be loaded; jobs that waited for it have failed.
    LoadFailed {
        /// The load.
        load: LoadId,
        /// Why, and what to do; `Error::Cancelled` when a newer load took its place.
        error: Error,
    },
}

impl Event {
    /// The job that this event ends, if it ends one.
    pub fn ends(&self) -> Option<JobId> {
        match self {
            Self::Finished { job, .. } | Self::Cancelled { job } | Self::Failed { job, .. } => {
                Some(*job)
            }
            _ => None,
        }
    }
}
