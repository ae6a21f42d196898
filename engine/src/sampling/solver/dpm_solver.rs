//! DPM-Solver++ 2M, the published sampler of the diffusion objective.
//!
//! docs/reference.md section 8 (Lu et al. 2022, "DPM-Solver++", algorithm 2), with diffusers'
//! settings: linspace spacing, final sigma zero, first order at the first and the last step.

use candle_core::Tensor;

use super::{Advance, Solver};
use crate::Result;
use crate::sampling::combine;
use crate::sampling::schedule::{Level, NoiseSchedule, linspace_timesteps};

#[derive(Clone, Debug)]
pub(super) struct DpmSolver {
    timesteps: Vec<usize>,
    /// Levels of all steps and of the clean end.
    levels: Vec<Level>,
    /// Clean latent predicted by the step before, if this run made it.
    before: Option<Tensor>,
}

impl DpmSolver {
    pub(super) fn new(steps: usize, schedule: &NoiseSchedule) -> Self {
        let timesteps = linspace_timesteps(schedule, steps);
        let mut levels: Vec<Level> = timesteps.iter().map(|&t| Level::at(schedule, t)).collect();
        levels.push(Level::CLEAN);
        Self {
            timesteps,
            levels,
            before: None,
        }
    }
}

impl Solver for DpmSolver {
    fn times(&self) -> Vec<f64> {
        self.timesteps.iter().map(|&t| t as f64).collect()
    }

    fn advance(&mut self, index: usize, latent: &Tensor, noise: &Tensor) -> Result<Advance> {
        let (here, next) = (self.levels[index], self.levels[index + 1]);
        let clean = here.clean(latent, noise)?;
        let h = next.lambda - here.lambda;
        // −(e^(−h) − 1); the last step has h = ∞ and lands on the clean latent itself.
        let toward = next.a * -(-h).exp_m1();
        let keep = next.s / here.s;
        let is_last = index + 2 == self.levels.len();
        let next = match &self.before {
            Some(before) if !is_last => {
                let slope = 0.5 * h / (here.lambda - self.levels[index - 1].lambda);
                combine(&[
                    (keep, latent),
                    (toward * (1.0 + slope), &clean),
                    (-toward * slope, before),
                ])?
            }
            _ => combine(&[(keep, latent), (toward, &clean)])?,
        };
        self.before = Some(clean.clone());
        Ok(Advance { next, clean })
    }
}
