//! The networks of a model, and what a job may ask of them.

use super::codec::LatentCodec;
use crate::job::{Job, Named as _, list};
use crate::model::dit::Dit;
use crate::sampling::NoiseSchedule;
use crate::text::TextEncoder;
use crate::{Error, Result};

/// A whole model on its device.
pub struct Parts {
    /// The transformer.
    pub dit: Dit,
    /// Tokenizer and text tower.
    pub text: TextEncoder,
    /// Between pictures and latents.
    pub codec: LatentCodec,
    /// Levels of noise, for the diffusion objective.
    pub schedule: NoiseSchedule,
}

impl Parts {
    /// Checks what a job asks against what the model can do.
    ///
    /// # Errors
    /// When the sampler solves another objective, or a size does not fit.
    pub fn check(&self, job: &Job) -> Result<()> {
        let (objective, sampler) = (self.dit.config().objective, job.draw.sampler);
        if sampler.objective() != objective {
            return Err(Error::Argument(format!(
                "the model's objective is {}, which the sampler {} does not solve; take {}",
                objective.name(),
                sampler.name(),
                list(objective.samplers())
            )));
        }
        let step = self.codec.vae.config().factor() * self.dit.config().patch;
        if !job.draw.size.is_multiple_of(step) {
            return Err(Error::Argument(format!(
                "this model's sizes are multiples of {step}, not {}",
                job.draw.size
            )));
        }
        let side = self.codec.latent_side(job.draw.size);
        let values = self.codec.channels() * side * side;
        match &job.fork {
            Some(fork) if fork.latent.len() != values => Err(Error::Input(format!(
                "the fork's latent has {} values, but size {} needs {values}",
                fork.latent.len(),
                job.draw.size
            ))),
            _ => Ok(()),
        }
    }
}
