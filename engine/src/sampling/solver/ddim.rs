//! DDIM without added noise (eta 0).
//!
//! docs/reference.md section 8 (Song et al. 2021, equation 12), with the settings that diffusers
//! takes from Stable Diffusion's scheduler file: "leading" spacing, offset 1, and ᾱ of timestep 0
//! at the end.

use candle_core::Tensor;

use super::{Advance, Solver};
use crate::Result;
use crate::sampling::combine;
use crate::sampling::schedule::{Level, NoiseSchedule, leading_timesteps};

#[derive(Clone, Debug)]
pub(super) struct Ddim {
    timesteps: Vec<usize>,
    /// Levels of all steps and of timestep 0.
    levels: Vec<Level>,
}

impl Ddim {
    pub(super) fn new(steps: usize, schedule: &NoiseSchedule) -> Self {
        let timesteps = leading_timesteps(schedule, steps);
        let mut levels: Vec<Level> = timesteps.iter().map(|&t| Level::at(schedule, t)).collect();
        // Where a step ends is one stride before it starts, which is the next step's timestep.
        levels.push(Level::at(schedule, 0));
        Self { timesteps, levels }
    }
}

impl Solver for Ddim {
    fn times(&self) -> Vec<f64> {
        self.timesteps.iter().map(|&t| t as f64).collect()
    }

    fn advance(&mut self, index: usize, latent: &Tensor, noise: &Tensor) -> Result<Advance> {
        let (here, next) = (self.levels[index], self.levels[index + 1]);
        let clean = here.clean(latent, noise)?;
        Ok(Advance {
            next: combine(&[(next.a, &clean), (next.s, noise)])?,
            clean,
        })
    }
}
