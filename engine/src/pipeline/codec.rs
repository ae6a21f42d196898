//! Between pictures and the latents that a transformer works on.

use candle_core::{DType, Device, Tensor};

use super::memory;
use super::sample::check_finite;
use crate::job::Condition;
use crate::model::autoencoder_kl::AutoencoderKl;
use crate::model::autoencoder_tiny::AutoencoderTiny;
use crate::picture::{RgbImage, convert};
use crate::sampling::LinearPreview;
use crate::{Result, condition};

/// Latent side of a decoding tile, and how much neighbours share.
const TILE: usize = 32;
const OVERLAP: usize = 8;

/// A map between the autoencoder's latents and those of a transformer that sees other channels.
pub trait LatentMap: Send + Sync {
    /// Channels that the transformer sees.
    fn channels(&self) -> usize;

    /// From the autoencoder's channels to the transformer's.
    ///
    /// # Shapes
    /// - latent: `[batch, channels of the autoencoder, side, side]`
    /// - result: `[batch, channels, side, side]`
    ///
    /// # Errors
    /// When the latent has other channels.
    fn reduce(&self, latent: &Tensor) -> Result<Tensor>;

    /// The way back, as far as there is one.
    ///
    /// # Shapes
    /// - latent: `[batch, channels, side, side]`
    /// - result: `[batch, channels of the autoencoder, side, side]`
    ///
    /// # Errors
    /// When the latent has other channels.
    fn restore(&self, latent: &Tensor) -> Result<Tensor>;
}

/// The autoencoder with what surrounds it.
pub struct LatentCodec {
    /// From latents to pictures and back.
    pub vae: AutoencoderKl,
    /// What lies between its latents and the transformer's; usually nothing.
    pub map: Option<Box<dyn LatentMap>>,
    /// A small decoder for previews.
    pub tiny: Option<AutoencoderTiny>,
    /// What the small decoder wants subtracted from latents.
    pub tiny_shift: f64,
    /// The linear map for previews.
    pub linear: Option<LinearPreview>,
    /// Where everything lies.
    pub device: Device,
    /// Asks how much memory is free there.
    pub free: memory::Free,
}

impl LatentCodec {
    /// An autoencoder alone: no quick previews.
    pub fn new(vae: AutoencoderKl, device: Device) -> Self {
        Self {
            vae,
            map: None,
            tiny: None,
            tiny_shift: 0.0,
            linear: None,
            device,
            free: memory::free_on,
        }
    }

    /// Channels of a latent that the transformer sees.
    pub fn channels(&self) -> usize {
        self.map
            .as_ref()
            .map_or(self.vae.config().latent_channels, |map| map.channels())
    }

    /// Side of the latent of a picture.
    pub fn latent_side(&self, size: usize) -> usize {
        size / self.vae.config().factor()
    }

    /// The latent of a condition: the mean of the posterior, so that it repeats. Nothing to follow
    /// is all zeros, as in training.
    ///
    /// # Shapes
    /// - result: `[1, channels, side, side]`
    ///
    /// # Errors
    /// When the condition is malformed, or its latent is not finite.
    pub fn encode(&self, condition: &Condition, size: usize) -> Result<Tensor> {
        let Some(picture) = condition::tensor(condition, size, &self.device)? else {
            let side = self.latent_side(size);
            let shape = (1, self.channels(), side, side);
            return Ok(Tensor::zeros(shape, DType::F32, &self.device)?);
        };
        let mut latent = self.vae.to_model_space(self.vae.encode(&picture)?.mode())?;
        if let Some(map) = &self.map {
            latent = map.reduce(&latent)?;
        }
        check_finite(&latent, || "the latent of the condition".into())?;
        Ok(latent)
    }

    /// The picture of a latent.
    ///
    /// # Shapes
    /// - latent: `[1, channels, side, side]`
    ///
    /// # Errors
    /// When memory does not suffice, or the picture is not finite.
    pub fn decode(&self, latent: &Tensor, tiled: bool) -> Result<RgbImage> {
        let config = self.vae.config();
        let side = latent.dim(3)?;
        let at_once = if tiled { side.min(TILE) } else { side };
        memory::check(
            memory::decode_bytes(config, at_once * config.factor()),
            (self.free)(&self.device),
        )?;
        let latent = self.vae.from_model_space(&self.restored(latent)?)?;
        let decoded = match tiled {
            true => self.vae.decode_tiled(&latent, TILE, OVERLAP)?,
            false => self.vae.decode(&latent)?,
        };
        check_finite(&decoded, || "the decoded picture".into())?;
        convert::from_tensor(&decoded)
    }

    /// The autoencoder's latent.
    fn restored(&self, latent: &Tensor) -> Result<Tensor> {
        match &self.map {
            Some(map) => map.restore(latent),
            None => Ok(latent.clone()),
        }
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
    ///
    /// # Shapes
    /// - clean: `[1, channels, side, side]`
    ///
    /// # Errors
    /// When the map does not fit the latent.
    pub fn preview_linear(&self, clean: &Tensor) -> Result<Option<RgbImage>> {
        let Some(linear) = &self.linear else {
            return Ok(None);
        };
        linear.picture(&self.restored(clean)?, 0).map(Some)
    }

    /// A preview by the tiny decoder.
    ///
    /// # Shapes
    /// - clean: `[1, channels, side, side]`
    ///
    /// # Errors
    /// When the decoder does not fit the latent.
    pub fn preview_tiny(&self, clean: &Tensor) -> Result<Option<RgbImage>> {
        let Some(tiny) = &self.tiny else {
            return Ok(None);
        };
        let decoded = tiny.decode(&(self.restored(clean)? - self.tiny_shift)?)?;
        convert::from_tensor(&decoded).map(Some)
    }
}
