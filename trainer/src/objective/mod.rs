//! What the transformer learns to predict: flow velocity, or noise of a diffusion process.

pub mod ddpm;
pub mod flow;

use candle_core::{Result, Tensor};
use mmface_engine::job::Objective;

use crate::config::TimeSampling;

/// Noisy latents, what to predict from them, and how much each sample counts.
#[derive(Clone, Debug)]
pub struct Target {
    /// Input latents, `[batch, channels, side, side]`.
    pub noisy: Tensor,
    /// What the model should answer, of the same shape.
    pub target: Tensor,
    /// Weight of each sample's mean squared error, `[batch]`; `None` weighs all alike.
    pub weight: Option<Tensor>,
}

impl Target {
    /// Mixes data and noise at the given times.
    ///
    /// # Shapes
    /// - data, noise: `[batch, channels, side, side]`
    /// - time: `[batch]`, flow time in `[0, 1)` or diffusion time in `0..1000`
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn new(
        objective: Objective,
        gamma: Option<f64>,
        data: &Tensor,
        noise: &Tensor,
        time: &Tensor,
    ) -> mmface_engine::Result<Self> {
        match objective {
            Objective::Flow => Ok(flow::target(data, noise, time)?),
            Objective::Diffusion => ddpm::target(data, noise, time, gamma),
        }
    }

    /// The loss: mean squared error, per sample and then over the batch.
    ///
    /// # Shapes
    /// - prediction: `[batch, channels or more, side, side]`; further channels (learned variance)
    ///   are ignored
    /// - result: `[]`
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn loss(&self, prediction: &Tensor) -> Result<Tensor> {
        let errors = self.sample_errors(prediction)?;
        match &self.weight {
            Some(weight) => (errors * weight)?.mean_all(),
            None => errors.mean_all(),
        }
    }

    /// Unweighted mean squared error of each sample.
    ///
    /// # Shapes
    /// - prediction: as in [`Target::loss`], result: `[batch]`
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn sample_errors(&self, prediction: &Tensor) -> Result<Tensor> {
        let channels = self.target.dim(1)?;
        let prediction = if prediction.dim(1)? == channels {
            prediction.clone()
        } else {
            prediction.narrow(1, 0, channels)?
        };
        (prediction - &self.target)?.sqr()?.flatten_from(1)?.mean(1)
    }
}

/// The time of a training sample, from two uniform numbers in 0..1.
pub fn draw_time(objective: Objective, sampling: TimeSampling, shares: [f32; 2]) -> f32 {
    match objective {
        Objective::Flow => flow::draw_time(sampling, shares),
        Objective::Diffusion => ddpm::time_at(shares[0]),
    }
}

/// The time at a part of the way, 0..=1, for held-out samples.
pub fn time_at(objective: Objective, part: f32) -> f32 {
    match objective {
        Objective::Flow => part,
        Objective::Diffusion => ddpm::time_at(part),
    }
}

/// `[batch]` as `[batch, 1, 1, 1]`.
fn per_sample(values: &Tensor) -> Result<Tensor> {
    values.reshape(((), 1, 1, 1))
}
