//! The noise schedule of the diffusion objective: Stable Diffusion's "scaled linear" betas.
//!
//! docs/reference.md sections 4, 5 and 8.

use candle_core::Tensor;

use crate::{Error, Result};

/// Betas and their cumulative products, one entry a training timestep.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseSchedule {
    betas: Vec<f32>,
    alphas_cumprod: Vec<f32>,
}

impl Default for NoiseSchedule {
    fn default() -> Self {
        Self::scaled_linear(0.00085, 0.012, 1000)
    }
}

impl NoiseSchedule {
    /// `linspace(√start, √end, steps)²`, in f32 as diffusers computes it.
    pub fn scaled_linear(start: f64, end: f64, steps: usize) -> Self {
        let (start, end) = (start.sqrt() as f32, end.sqrt() as f32);
        let step = (end - start) / (steps.max(2) - 1) as f32;
        // torch.linspace counts from both ends so that the last value is exact.
        let root = |i: usize| {
            if i < steps / 2 {
                start + step * i as f32
            } else {
                end - step * (steps - 1 - i) as f32
            }
        };
        let betas: Vec<f32> = (0..steps).map(|i| root(i) * root(i)).collect();
        let mut product = 1f64;
        let alphas_cumprod = betas
            .iter()
            .map(|beta| {
                product *= f64::from(1.0 - beta);
                product as f32
            })
            .collect();
        Self {
            betas,
            alphas_cumprod,
        }
    }

    /// Number of training timesteps.
    pub fn len(&self) -> usize {
        self.betas.len()
    }

    /// Whether the schedule has no timesteps.
    pub fn is_empty(&self) -> bool {
        self.betas.is_empty()
    }

    /// β of each timestep.
    pub fn betas(&self) -> &[f32] {
        &self.betas
    }

    /// ᾱ of each timestep: the share of the signal in the noisy latent's variance.
    pub fn alphas_cumprod(&self) -> &[f32] {
        &self.alphas_cumprod
    }

    /// ᾱ at a timestep; past the end the last one.
    pub fn alpha_bar(&self, timestep: usize) -> f64 {
        let last = self.alphas_cumprod.len().saturating_sub(1);
        self.alphas_cumprod
            .get(timestep.min(last))
            .map_or(1.0, |&alpha| f64::from(alpha))
    }

    /// Signal-to-noise ratio ᾱ/(1−ᾱ).
    pub fn snr(&self, timestep: usize) -> f64 {
        let alpha = self.alpha_bar(timestep);
        alpha / (1.0 - alpha)
    }

    /// Loss weight of Min-SNR-γ for noise prediction: min(SNR, γ)/(SNR + 1e-8).
    pub fn min_snr_weight(&self, timestep: usize, gamma: f64) -> f64 {
        let snr = self.snr(timestep);
        snr.min(gamma) / (snr + 1e-8)
    }

    /// The noisy latent √ᾱ·x + √(1−ᾱ)·ε.
    ///
    /// # Shapes
    /// - clean, noise, result: `[B, ...]`
    /// - timesteps: `B` entries
    ///
    /// # Errors
    /// When the batch is not of as many entries as the timesteps, a timestep is past the schedule,
    /// or the shapes differ.
    pub fn add_noise(&self, clean: &Tensor, noise: &Tensor, timesteps: &[usize]) -> Result<Tensor> {
        let (signal, noise_scale) = self.scales(clean, timesteps)?;
        Ok((clean.broadcast_mul(&signal)? + noise.broadcast_mul(&noise_scale)?)?)
    }

    /// The target of v-prediction, √ᾱ·ε − √(1−ᾱ)·x.
    ///
    /// # Shapes
    /// - clean, noise, result: `[B, ...]`
    /// - timesteps: `B` entries
    ///
    /// # Errors
    /// As [`Self::add_noise`].
    pub fn velocity(&self, clean: &Tensor, noise: &Tensor, timesteps: &[usize]) -> Result<Tensor> {
        let (signal, noise_scale) = self.scales(clean, timesteps)?;
        Ok((noise.broadcast_mul(&signal)? - clean.broadcast_mul(&noise_scale)?)?)
    }

    /// √ᾱ and √(1−ᾱ) of each sample, shaped for broadcasting over a batch like `latent`.
    fn scales(&self, latent: &Tensor, timesteps: &[usize]) -> Result<(Tensor, Tensor)> {
        if latent.rank() == 0 || latent.dim(0)? != timesteps.len() {
            return Err(Error::Internal(format!(
                "{} timesteps for a batch of shape {:?}",
                timesteps.len(),
                latent.dims()
            )));
        }
        if let Some(late) = timesteps.iter().find(|&&timestep| timestep >= self.len()) {
            return Err(Error::Internal(format!(
                "timestep {late} is past the schedule's {}",
                self.len()
            )));
        }
        let mut shape = vec![1; latent.rank()];
        shape[0] = timesteps.len();
        let column = |f: &dyn Fn(f64) -> f64| -> Result<Tensor> {
            let values: Vec<f32> = timesteps
                .iter()
                .map(|&t| f(self.alpha_bar(t)) as f32)
                .collect();
            Ok(Tensor::from_vec(values, shape.as_slice(), latent.device())?
                .to_dtype(latent.dtype())?)
        };
        Ok((column(&f64::sqrt)?, column(&|alpha| (1.0 - alpha).sqrt())?))
    }
}

/// What the solvers need at one timestep (docs/reference.md section 8): x = a·x̂ + s·ε, λ =
/// ln(a/s).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// Share of the clean latent.
    pub a: f64,
    /// Share of the noise.
    pub s: f64,
    /// Half the logarithm of the signal-to-noise ratio.
    pub lambda: f64,
}

impl Level {
    /// Without noise: where every sampler ends.
    pub(super) const CLEAN: Self = Self {
        a: 1.0,
        s: 0.0,
        lambda: f64::INFINITY,
    };

    /// The level of a training timestep.
    pub(super) fn at(schedule: &NoiseSchedule, timestep: usize) -> Self {
        let alpha = schedule.alpha_bar(timestep);
        let sigma = ((1.0 - alpha) / alpha).sqrt();
        let a = 1.0 / (1.0 + sigma * sigma).sqrt();
        Self {
            a,
            s: sigma * a,
            lambda: -sigma.ln(),
        }
    }

    /// The noise-to-signal ratio σ = s/a.
    #[cfg(test)]
    pub(super) fn sigma(&self) -> f64 {
        self.s / self.a
    }

    /// The clean latent that a noise prediction implies, (x − s·ε)/a.
    ///
    /// # Shapes
    /// - latent, noise, result: any, equal
    pub(super) fn clean(&self, latent: &Tensor, noise: &Tensor) -> Result<Tensor> {
        super::combine(&[(1.0 / self.a, latent), (-self.s / self.a, noise)])
    }
}

/// "linspace" spacing: round-half-even(linspace(0, last, steps + 1)), from noise to data, without 0.
///
/// numpy's `linspace` rounds the distance of its values first and multiplies by that, and sets the
/// last value apart. Where a product lies half-way between two timesteps, this decides which one.
pub(super) fn linspace_timesteps(schedule: &NoiseSchedule, steps: usize) -> Vec<usize> {
    let last = schedule.len().saturating_sub(1);
    let distance = last as f64 / steps as f64;
    std::iter::once(last)
        .chain(
            (1..steps)
                .rev()
                .map(|i| (i as f64 * distance).round_ties_even() as usize),
        )
        .take(steps)
        .collect()
}

/// "leading" spacing with offset 1: multiples of the whole number of timesteps in a step, plus 1,
/// from noise to data.
pub(super) fn leading_timesteps(schedule: &NoiseSchedule, steps: usize) -> Vec<usize> {
    let stride = (schedule.len() / steps.max(1)).max(1);
    (0..steps).rev().map(|k| k * stride + 1).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn levels_end_clean_and_grow_noisier() {
        let schedule = NoiseSchedule::default();
        let sigmas: Vec<f64> = (0..1000).map(|t| Level::at(&schedule, t).sigma()).collect();
        assert!(sigmas.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(
            (sigmas[999] - 14.6146).abs() < 1e-3,
            "SD's largest sigma, {}",
            sigmas[999]
        );
    }

    #[test]
    fn timesteps_of_fifty_steps() {
        let timesteps = linspace_timesteps(&NoiseSchedule::default(), 50);
        assert_eq!(&timesteps[..2], [999, 979]);
        assert_eq!(&timesteps[48..], [40, 20]);
        let all = linspace_timesteps(&NoiseSchedule::default(), 999);
        assert!(
            all.windows(2).all(|pair| pair[0] == pair[1] + 1),
            "no timestep twice"
        );
    }

    /// SHA-256 of the timesteps of all step counts from 1 to 1000 one after the other, 16 bits each,
    /// little-endian.
    fn table(timesteps: fn(&NoiseSchedule, usize) -> Vec<usize>) -> String {
        let schedule = NoiseSchedule::default();
        let mut hash = Sha256::new();
        for timestep in (1..=1000).flat_map(|steps| timesteps(&schedule, steps)) {
            hash.update((timestep as u16).to_le_bytes());
        }
        let digest = hash.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn timesteps_of_all_step_counts_equal_the_reference() {
        // The expressions of diffusers 0.35.1 under numpy 2.4.6: of DPMSolverMultistepScheduler and
        // UniPCMultistepScheduler, and of DDIMScheduler.
        assert_eq!(
            table(linspace_timesteps),
            "9acddea19babe7ece970ff87f902a9f94b1cfd027629d50eee384a084b458e24"
        );
        assert_eq!(
            table(leading_timesteps),
            "ce038f7059814762e71d47b3faef0ff9fb52e9b6198db7141dfc944893f82514"
        );
    }

    #[test]
    fn impossible_timesteps_are_errors() {
        let schedule = NoiseSchedule::default();
        let x = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).expect("zeros");
        assert!(schedule.add_noise(&x, &x, &[0, 1000]).is_err());
        assert!(schedule.add_noise(&x, &x, &[0]).is_err());
        assert!(schedule.velocity(&x, &x, &[0, 999]).is_ok());
    }
}
