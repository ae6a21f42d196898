//! One job, from condition and prompt to pictures, with a report a step.

mod codec;
mod load;
mod memory;
mod parts;
mod preview;
mod run;
pub mod sample;
mod trail;

#[cfg(test)]
mod tests;

pub use codec::{LatentCodec, LatentMap};
pub use load::{Transformer, load_options, load_package};
pub use memory::{Free, decode_bytes};
pub use parts::Parts;

use std::time::Instant;

use crate::Result;
use crate::contract::{
    Attempt, Backend, Cancel, ModelRef, ModelSummary, Observer, Picture, PipelineOptions,
};
use crate::device;
use crate::job::Job;

use run::Memory;

/// The real [`Backend`]: a loaded model, and what is worth remembering between jobs.
pub struct Pipeline {
    options: PipelineOptions,
    parts: Option<Parts>,
    memory: Memory,
}

impl Pipeline {
    /// A pipeline without a model.
    pub fn new(options: PipelineOptions) -> Self {
        Self {
            options,
            parts: None,
            memory: Memory::default(),
        }
    }

    /// A pipeline on parts that somebody else put together.
    pub fn with_parts(options: PipelineOptions, parts: Parts) -> Self {
        Self {
            options,
            parts: Some(parts),
            memory: Memory::default(),
        }
    }
}

impl Backend for Pipeline {
    fn load(
        &mut self,
        model: &ModelRef,
        progress: &mut (dyn FnMut(f32, &str) + Send),
        cancel: &Cancel,
    ) -> Result<ModelSummary> {
        let began = Instant::now();
        let device = device::open(self.options.device)?;
        // The old model goes first: two large ones rarely fit side by side.
        self.parts = None;
        self.memory = Memory::default();
        let (parts, mut summary) = load::load(model, &device, &self.options, progress, cancel)?;
        self.parts = Some(parts);
        summary.seconds = began.elapsed().as_secs_f64();
        Ok(summary)
    }

    fn run(
        &mut self,
        job: &Job,
        attempt: Attempt,
        observer: &mut dyn Observer,
        cancel: &Cancel,
    ) -> Result<Vec<Picture>> {
        let Some(parts) = &self.parts else {
            return Err(load::no_model());
        };
        run::run(
            parts,
            &mut self.memory,
            self.options.previews,
            job,
            attempt,
            observer,
            cancel,
        )
        .map_err(|error| memory::complete(error, (parts.codec.free)(&parts.codec.device)))
    }

    fn free_caches(&mut self) {
        self.memory.forget();
        if let Some(parts) = &self.parts {
            parts.text.forget();
        }
    }
}
