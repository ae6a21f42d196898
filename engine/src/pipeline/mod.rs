//! One job, from condition and prompt to pictures, with a report a step.

mod types;

pub use types::{ModelSummary, Picture, PipelineOptions, PreviewPolicy};

use crate::job::Job;
use crate::worker::{Attempt, Backend, Cancel, ModelRef, Observer};
use crate::{Error, Result};

/// A loaded model, ready to run jobs.
pub struct Pipeline {
    _options: PipelineOptions,
}

impl Pipeline {
    /// A pipeline without a model.
    pub fn new(options: PipelineOptions) -> Self {
        Self { _options: options }
    }
}

impl Backend for Pipeline {
    fn load(
        &mut self,
        _: &ModelRef,
        _: &mut dyn FnMut(f32, &str),
        _: &Cancel,
    ) -> Result<ModelSummary> {
        Err(Error::NoModel("models cannot be loaded yet".into()))
    }

    fn run(
        &mut self,
        _: &Job,
        _: Attempt,
        _: &mut dyn Observer,
        _: &Cancel,
    ) -> Result<Vec<Picture>> {
        Err(Error::NoModel("no model is loaded; load one first".into()))
    }

    fn free_caches(&mut self) {}
}
