//! What a worker and what computes for it say to each other, and what both tell their owner.
//!
//! The pipeline implements [`Backend`], the worker drives one; neither knows the other.

mod cancel;
mod event;
mod model;
mod options;
mod preview;
mod result;

pub use cancel::Cancel;
pub use event::{Event, JobId, LoadId};
pub use model::{ModelRef, ModelSummary};
pub use options::{PipelineOptions, PreviewPolicy};
pub use preview::Preview;
pub(crate) use preview::PreviewSlot;
pub use result::{Picture, Trail, TrailStep};

use crate::Result;
use crate::job::Job;
use crate::picture::RgbImage;

/// How a job behaves beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Keeps its place in the order of submission, and is never dropped.
    Batch,
    /// Follows a hand that paints: the newest wins, and it goes before waiting batch jobs.
    Live,
}

/// What a backend is told about a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Decode in tiles: slower, but with a fraction of the memory. Set on the second try after
    /// running out of memory.
    pub tiled_decoding: bool,
}

/// What a running job reports.
pub trait Observer {
    /// A sampling step is done: `index` of `of` over all pictures of the job, after `seconds`.
    fn step(&mut self, index: usize, of: usize, seconds: f64, preview: Option<RgbImage>);
    /// Something the person should know though the job goes on.
    fn warning(&mut self, text: String);
    /// How many points of each picture's way are worth remembering.
    fn trail_steps(&self) -> usize {
        0
    }
    /// The points on the way to a picture that is finished now.
    fn trail(&mut self, _trail: Trail) {}
}

/// What computes: loads models and runs jobs, on one thread.
pub trait Backend {
    /// Loads a model in place of the one before. Tells `progress` the fraction done and the part
    /// at hand, and asks `cancel` between tensors.
    ///
    /// # Errors
    /// When the model is not found, is damaged, does not fit the device, or `cancel` is raised;
    /// the model before may be gone then.
    fn load(
        &mut self,
        model: &ModelRef,
        progress: &mut (dyn FnMut(f32, &str) + Send),
        cancel: &Cancel,
    ) -> Result<ModelSummary>;

    /// Runs a job, asking `cancel` before every model evaluation.
    ///
    /// # Errors
    /// When no model is loaded, the job does not fit it, the device fails, or `cancel` is raised.
    fn run(
        &mut self,
        job: &Job,
        attempt: Attempt,
        observer: &mut dyn Observer,
        cancel: &Cancel,
    ) -> Result<Vec<Picture>>;

    /// Lets go of everything that can be computed again.
    fn free_caches(&mut self);
}
