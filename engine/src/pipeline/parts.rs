//! The three networks of a model, and what lies between pictures and their latents.

use candle_core::{Device, Tensor};

use super::memory;
use super::sample::check_finite;
use crate::job::{Condition, Job, Named as _, list};
use crate::model::autoencoder_kl::AutoencoderKl;
use crate::model::autoencoder_tiny::AutoencoderTiny;
use crate::model::dit::Dit;
use crate::picture::{RgbImage, convert};
use crate::sampling::{LinearPreview, NoiseSchedule};
use crate::text::TextEncoder;
use crate::{Error, Result, condition};

/// Latent side of a decoding tile, and how much neighbours share.
const TILE: usize = 32;
const OVERLAP: usize = 8;

/// A whole model on its device.
pub struct Parts {
    /// The transformer.
    pub dit: Dit,
    /// Tokenizer and text tower.
    pub text: TextEncoder,
    /// From latents to pictures and back.
    pub vae: AutoencoderKl,
    /// A small decoder for previews.
    pub tiny: Option<AutoencoderTiny>,
    /// The linear map for previews.
    pub linear: Option<LinearPreview>,
    /// What the small decoder wants subtracted from latents.
    pub tiny_shift: f64,
    /// Levels of noise, for the diffusion objective.
    pub schedule: NoiseSchedule,
    /// Where everything lies.
    pub device: Device,
    /// Asks how much memory is free there.
    pub free: memory::Free,
}

impl Parts {
    /// Channels of a latent.
    pub fn channels(&self) -> usize {
        self.dit.config().channels / 2
    }

    /// Side of the latent of a picture.
    pub fn latent_side(&self, size: usize) -> usize {
        size / self.vae.config().factor()
    }

    /// Checks what a job asks against what the model can do.
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
        let step = self.vae.config().factor() * self.dit.config().patch;
        if !job.draw.size.is_multiple_of(step) {
            return Err(Error::Argument(format!(
                "this model's sizes are multiples of {step}, not {}",
                job.draw.size
            )));
        }
        let side = self.latent_side(job.draw.size);
        let values = self.channels() * side * side;
        match &job.fork {
            Some(fork) if fork.latent.len() != values => Err(Error::Input(format!(
                "the fork's latent has {} values, but size {} needs {values}",
                fork.latent.len(),
                job.draw.size
            ))),
            _ => Ok(()),
        }
    }

    /// The latent of a condition: the mean of the posterior, so that it repeats. Nothing to follow
    /// is all zeros, as in training.
    ///
    /// # Shapes
    /// - result: `[1, channels, side, side]`
    pub fn encode(&self, condition: &Condition, size: usize) -> Result<Tensor> {
        let Some(picture) = condition::tensor(condition, size, &self.device)? else {
            let side = self.latent_side(size);
            let shape = (1, self.channels(), side, side);
            return Ok(Tensor::zeros(shape, candle_core::DType::F32, &self.device)?);
        };
        let latent = self.vae.to_model_space(self.vae.encode(&picture)?.mode())?;
        check_finite(&latent, || "the latent of the condition".into())?;
        Ok(latent)
    }

    /// The picture of a latent.
    ///
    /// # Shapes
    /// - latent: `[1, channels, side, side]`
    pub fn decode(&self, latent: &Tensor, tiled: bool) -> Result<RgbImage> {
        let config = self.vae.config();
        let side = latent.dim(3)?;
        let at_once = if tiled { side.min(TILE) } else { side };
        memory::check(
            memory::decode_bytes(config, at_once * config.factor()),
            (self.free)(&self.device),
        )?;
        let latent = self.vae.from_model_space(latent)?;
        let decoded = match tiled {
            true => self.vae.decode_tiled(&latent, TILE, OVERLAP)?,
            false => self.vae.decode(&latent)?,
        };
        check_finite(&decoded, || "the decoded picture".into())?;
        convert::from_tensor(&decoded)
    }

    /// Whether the package has a linear map.
    pub fn has_linear_preview(&self) -> bool {
        self.linear.is_some()
    }

    /// Whether the package has a tiny decoder.
    pub fn has_tiny(&self) -> bool {
        self.tiny.is_some()
    }

    /// A preview by the linear map, at the latent's size.
    pub fn preview_linear(&self, clean: &Tensor) -> Result<Option<RgbImage>> {
        self.linear
            .as_ref()
            .map(|linear| linear.picture(clean, 0))
            .transpose()
    }

    /// A preview by the tiny decoder.
    pub fn preview_tiny(&self, clean: &Tensor) -> Result<Option<RgbImage>> {
        let Some(tiny) = &self.tiny else {
            return Ok(None);
        };
        let decoded = tiny.decode(&(clean - self.tiny_shift)?)?;
        convert::from_tensor(&decoded).map(Some)
    }
}
