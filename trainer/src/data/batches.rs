//! Batches: which latents, captions, times, noise and omissions meet at each position of the run.
//!
//! All of it is a function of the seed and of the position of the sample in the endless sequence,
//! so a batch does not depend on what ran before, nor on how a batch is split over devices.

use candle_core::{Device, Tensor};
use mmface_engine::Result;
use mmface_engine::job::Objective;

use super::augment::is_mirrored;
use super::captions::mirrored;
use super::order::Order;
use super::store::{Kind, LatentStore};
use super::text::TextStore;
use crate::config::Config;
use crate::objective;
use crate::rng::{Purpose, below, fill_normal, stream, uniform};

/// What one update, or a part of it, is computed from.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Clean latents, `[batch, channels, side, side]`.
    pub data: Tensor,
    /// Condition latents of the same shape; zeros where left out.
    pub condition: Tensor,
    /// Noise of the same shape.
    pub noise: Tensor,
    /// Times, `[batch]`: flow in `[0, 1)`, diffusion `0..1000`.
    pub time: Tensor,
    /// Pooled text, `[batch, width]`.
    pub pooled: Tensor,
    /// Text sequence, `[batch, tokens, width]`.
    pub sequence: Tensor,
    /// 0 for a mask, 1 for a sketch, `[batch]`, u32.
    pub modality: Tensor,
    /// 1 where the pooled text gives way to the null feature, else 0, `[batch]`.
    pub drop_pooled: Tensor,
}

/// Builds a batch sample by sample.
#[derive(Debug, Default)]
struct Builder {
    data: Vec<f32>,
    condition: Vec<f32>,
    noise: Vec<f32>,
    time: Vec<f32>,
    pooled: Vec<f32>,
    sequence: Vec<f32>,
    modality: Vec<u32>,
    drop_pooled: Vec<f32>,
}

impl Builder {
    fn finish(self, latents: &LatentStore, text: &TextStore, device: &Device) -> Result<Batch> {
        let count = self.time.len();
        let latent = (count, latents.channels, latents.side, latents.side);
        Ok(Batch {
            data: Tensor::from_vec(self.data, latent, device)?,
            condition: Tensor::from_vec(self.condition, latent, device)?,
            noise: Tensor::from_vec(self.noise, latent, device)?,
            time: Tensor::from_vec(self.time, count, device)?,
            pooled: Tensor::from_vec(self.pooled, (count, text.width), device)?,
            sequence: Tensor::from_vec(self.sequence, (count, text.tokens, text.width), device)?,
            modality: Tensor::from_vec(self.modality, count, device)?,
            drop_pooled: Tensor::from_vec(self.drop_pooled, count, device)?,
        })
    }
}

/// The endless sequence of training samples.
#[derive(Debug)]
pub struct Batches<'a> {
    config: &'a Config,
    latents: &'a LatentStore,
    text: &'a TextStore,
    order: Order,
    objective: Objective,
}

impl<'a> Batches<'a> {
    /// Batches of a run over these samples.
    pub fn new(config: &'a Config, latents: &'a LatentStore, text: &'a TextStore) -> Self {
        let order = Order::new(config.seed, latents.len());
        Self {
            config,
            latents,
            text,
            order,
            objective: config.model.dit().objective,
        }
    }

    /// The samples at `position..position + count` of the sequence.
    ///
    /// # Errors
    /// When a caption has no features, or the device cannot take the batch.
    pub fn get(&mut self, position: u64, count: usize, device: &Device) -> Result<Batch> {
        let mut builder = Builder::default();
        for position in position..position + count as u64 {
            self.push(position, &mut builder)?;
        }
        builder.finish(self.latents, self.text, device)
    }

    /// Keys of the samples at `position..position + count`, to find them again.
    pub fn keys(&mut self, position: u64, count: usize) -> Vec<String> {
        (position..position + count as u64)
            .map(|position| {
                let sample = self.order.sample(position);
                self.latents.entry(sample).key.clone()
            })
            .collect()
    }

    fn push(&mut self, position: u64, builder: &mut Builder) -> Result<()> {
        let (config, latents) = (self.config, self.latents);
        let sample = self.order.sample(position);
        let mut rng = stream(config.seed, Purpose::Sample, position);
        // Every sample draws the same numbers in the same order, whatever the probabilities are.
        let sketch = uniform(&mut rng) < 0.5;
        let drop_condition = uniform(&mut rng) < config.dropout.condition;
        let drop_text = uniform(&mut rng) < config.dropout.text;
        let drop_pooled = uniform(&mut rng) < config.dropout.pooled;
        let variant = below(&mut rng, latents.variants);
        let captions = &latents.entry(sample).captions;
        let line = below(&mut rng, captions.len().max(1));
        let shares = [uniform(&mut rng), uniform(&mut rng)];
        let time = objective::draw_time(self.objective, config.time, shares);

        latents.push(sample, variant, Kind::Photo, &mut builder.data);
        if drop_condition {
            builder
                .condition
                .resize(builder.condition.len() + latents.latent_len(), 0.0);
        } else {
            latents.push(
                sample,
                variant,
                if sketch { Kind::Sketch } else { Kind::Mask },
                &mut builder.condition,
            );
        }
        let caption = match captions.get(line) {
            Some(caption) if !drop_text && is_mirrored(variant) => mirrored(caption),
            Some(caption) if !drop_text => caption.clone(),
            _ => String::new(),
        };
        self.text
            .push(&caption, &mut builder.sequence, &mut builder.pooled)?;
        push_noise(
            config.seed,
            Purpose::Noise,
            position,
            latents.latent_len(),
            &mut builder.noise,
        );
        builder.time.push(time);
        builder.modality.push(u32::from(sketch));
        builder.drop_pooled.push(f32::from(u8::from(drop_pooled)));
        Ok(())
    }
}

fn push_noise(seed: u64, purpose: Purpose, index: u64, count: usize, noise: &mut Vec<f32>) {
    let start = noise.len();
    noise.resize(start + count, 0.0);
    fill_normal(&mut stream(seed, purpose, index), &mut noise[start..]);
}

/// Fixed batches for the held-out loss: every sample with both conditions, at one time in each of
/// `buckets` equal parts of the path.
#[derive(Debug)]
pub struct HeldOut<'a> {
    latents: &'a LatentStore,
    text: &'a TextStore,
    objective: Objective,
    /// Parts of the path.
    pub buckets: usize,
}

impl<'a> HeldOut<'a> {
    /// Seed of the held-out noise, the same in every run so that runs compare.
    const SEED: u64 = 0x4d4d_4661_6365;

    /// The held-out set of a run.
    pub fn new(
        config: &Config,
        latents: &'a LatentStore,
        text: &'a TextStore,
        buckets: usize,
    ) -> Self {
        Self {
            latents,
            text,
            objective: config.model.dit().objective,
            buckets,
        }
    }

    /// Items: samples × conditions × buckets.
    pub fn len(&self) -> usize {
        self.latents.len() * 2 * self.buckets
    }

    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bucket and modality of an item.
    pub fn place(&self, item: usize) -> (usize, usize) {
        (item % self.buckets, item / self.buckets % 2)
    }

    /// The items `first..first + count`.
    ///
    /// # Errors
    /// As [`Batches::get`].
    pub fn get(&self, first: usize, count: usize, device: &Device) -> Result<Batch> {
        let mut builder = Builder::default();
        for item in first..(first + count).min(self.len()) {
            let (bucket, modality) = self.place(item);
            let sample = item / (2 * self.buckets);
            let captions = &self.latents.entry(sample).captions;
            let caption = captions
                .get(sample % captions.len().max(1))
                .cloned()
                .unwrap_or_default();
            let share = uniform(&mut stream(
                Self::SEED,
                Purpose::HeldOut,
                item as u64 + (1 << 32),
            ));
            let part = (bucket as f32 + share) / self.buckets as f32;
            self.latents.push(sample, 0, Kind::Photo, &mut builder.data);
            self.latents.push(
                sample,
                0,
                if modality == 1 {
                    Kind::Sketch
                } else {
                    Kind::Mask
                },
                &mut builder.condition,
            );
            self.text
                .push(&caption, &mut builder.sequence, &mut builder.pooled)?;
            push_noise(
                Self::SEED,
                Purpose::HeldOut,
                item as u64,
                self.latents.latent_len(),
                &mut builder.noise,
            );
            builder.time.push(objective::time_at(self.objective, part));
            builder.modality.push(modality as u32);
            builder.drop_pooled.push(0.0);
        }
        builder.finish(self.latents, self.text, device)
    }
}
