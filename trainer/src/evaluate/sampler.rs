//! Many samples at once: Euler steps of the flow, guided, a batch together.

use candle_core::{DType, Device, Tensor};
use mmface_engine::condition::{mask_tensor, sketch_tensor};
use mmface_engine::job::Guide;
use mmface_engine::job::Objective;
use mmface_engine::labels::LabelImage;
use mmface_engine::model::autoencoder_kl::AutoencoderKl;
use mmface_engine::model::dit::{Dit, DitInput};
use mmface_engine::picture::convert::from_tensor;
use mmface_engine::picture::{GrayImage, RgbImage};
use mmface_engine::sampling::{guidance, torch_randn};
use mmface_engine::text::TextEncoder;
use mmface_engine::{Error, Result};

use super::Options;
use crate::coarse::Coarse;

/// Pictures sampled together.
const BATCH: usize = 8;

/// A whole model.
pub struct Sampler {
    /// The transformer.
    pub dit: Dit,
    /// Prompts to features.
    pub text: TextEncoder,
    /// Pictures to latents and back.
    pub autoencoder: AutoencoderKl,
    /// What the transformer sees of the latents, if not all of it.
    pub coarse: Option<Coarse>,
}

/// One picture to draw.
#[derive(Clone, Debug)]
pub struct Request {
    condition: Condition,
    prompt: String,
    seed: u64,
}

#[derive(Clone, Debug)]
enum Condition {
    Mask(LabelImage),
    Sketch(GrayImage),
}

impl Request {
    /// A picture of a mask.
    pub fn mask(mask: &LabelImage, prompt: &str, seed: u64) -> Self {
        Self {
            condition: Condition::Mask(mask.clone()),
            prompt: prompt.to_owned(),
            seed,
        }
    }

    /// A picture of a sketch.
    pub fn sketch(sketch: &GrayImage, prompt: &str, seed: u64) -> Self {
        Self {
            condition: Condition::Sketch(sketch.clone()),
            prompt: prompt.to_owned(),
            seed,
        }
    }
}

impl Sampler {
    /// Draws the pictures in order.
    ///
    /// # Errors
    /// When the model is no flow model, or a tensor operation fails.
    pub fn sample(&self, requests: &[Request], options: &Options) -> Result<Vec<RgbImage>> {
        if self.dit.config().objective != Objective::Flow {
            return Err(Error::Input("only flow models are evaluated".into()));
        }
        let mut pictures = Vec::with_capacity(requests.len());
        for batch in requests.chunks(BATCH) {
            pictures.extend(self.batch(batch, options)?);
        }
        Ok(pictures)
    }

    fn batch(&self, requests: &[Request], options: &Options) -> Result<Vec<RgbImage>> {
        let device = Device::Cpu;
        let (count, channels) = (requests.len(), self.dit.config().channels / 2);
        let side = options.size / self.autoencoder.config().factor();
        let (mut conditions, mut noise, mut modality) = (Vec::new(), Vec::new(), Vec::new());
        for request in requests {
            let (picture, kind) = match &request.condition {
                Condition::Mask(mask) => (mask_tensor(mask, options.size, &device)?, 0u32),
                Condition::Sketch(sketch) => (sketch_tensor(sketch, options.size, &device)?, 1),
            };
            let latent = self.autoencoder.encode(&picture)?;
            let latent = self.autoencoder.to_model_space(latent.mode())?;
            conditions.push(match &self.coarse {
                Some(coarse) => coarse.reduce(&latent)?,
                None => latent,
            });
            noise.push(torch_randn(
                request.seed,
                (1, channels, side, side),
                &device,
            )?);
            modality.push(kind);
        }
        let prompts: Vec<&str> = requests
            .iter()
            .map(|request| request.prompt.as_str())
            .collect();
        let (_, prompt) = self.text.encode_batch(&prompts)?;
        let (_, empty) = self.text.encode_batch(&vec![""; count])?;
        let sequence = Tensor::cat(&[&empty.sequence, &prompt.sequence], 0)?;
        let pooled = Tensor::cat(&[&empty.pooled, &prompt.pooled], 0)?;
        let modality = Tensor::from_vec(modality.repeat(2), 2 * count, &device)?;
        let condition = Tensor::cat(&conditions, 0)?;
        let unguided = match options.guide {
            Guide::Words => condition.clone(),
            Guide::WordsAndDrawing => condition.zeros_like()?,
        };
        let mut latent = Tensor::cat(&noise, 0)?;
        for step in 0..options.steps {
            let time = Tensor::full(step as f32 / options.steps as f32, 2 * count, &device)?;
            let other = Tensor::cat(&[&latent, &unguided], 1)?;
            let one = Tensor::cat(&[&latent, &condition], 1)?;
            let input = Tensor::cat(&[&other, &one], 0)?;
            let velocity = self.dit.forward(&DitInput {
                latent: &input,
                time: &time,
                pooled: &pooled,
                sequence: &sequence,
                modality: &modality,
            })?;
            let velocity = guidance::combine_halves(&velocity, options.guidance)?;
            latent = (latent + (velocity / options.steps as f64)?)?;
        }
        (0..count)
            .map(|index| {
                let mut latent = latent.narrow(0, index, 1)?.to_dtype(DType::F32)?;
                if let Some(coarse) = &self.coarse {
                    latent = coarse.restore(&latent)?;
                }
                let decoded = self
                    .autoencoder
                    .decode(&self.autoencoder.from_model_space(&latent)?)?;
                from_tensor(&decoded)
            })
            .collect()
    }
}
