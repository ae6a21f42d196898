//! UniPC of order 2 (variant bh2, data prediction): a predictor, and a corrector that needs no
//! evaluation of its own.
//!
//! docs/reference.md section 8 (Zhao et al. 2023, "UniPC", algorithms 5 to 8), with diffusers'
//! settings.

use candle_core::Tensor;

use super::{Advance, Solver};
use crate::Result;
use crate::sampling::combine;
use crate::sampling::schedule::{Level, NoiseSchedule, linspace_timesteps};

/// What the corrector needs to know about the step before.
#[derive(Clone, Debug)]
struct Step {
    /// The latent before the predictor, after correction.
    latent: Tensor,
    /// Clean latent predicted there.
    clean: Tensor,
    /// Order of the predictor, 1 or 2.
    order: usize,
}

#[derive(Clone, Debug)]
pub(super) struct UniPc {
    timesteps: Vec<usize>,
    /// Levels of all steps and of the clean end.
    levels: Vec<Level>,
    /// The step before.
    last: Option<Step>,
    /// Clean latent of the step before that.
    before: Option<Tensor>,
}

impl UniPc {
    pub(super) fn new(steps: usize, schedule: &NoiseSchedule) -> Self {
        let timesteps = linspace_timesteps(schedule, steps);
        let mut levels: Vec<Level> = timesteps.iter().map(|&t| Level::at(schedule, t)).collect();
        levels.push(Level::CLEAN);
        Self {
            timesteps,
            levels,
            last: None,
            before: None,
        }
    }

    /// Repeats the last step knowing the clean latent at its end.
    fn correct(&self, index: usize, last: &Step, clean: &Tensor) -> Result<Tensor> {
        let (here, from) = (self.levels[index], self.levels[index - 1]);
        let h = here.lambda - from.lambda;
        let phi = (-h).exp_m1();
        let toward = here.a * -phi;
        let keep = here.s / from.s;
        let order_two = if last.order == 2 {
            self.before.as_ref()
        } else {
            None
        };
        match order_two {
            None => combine(&[
                (keep, &last.latent),
                (0.5 * toward, &last.clean),
                (0.5 * toward, clean),
            ]),
            Some(before) => {
                let r = (self.levels[index - 2].lambda - from.lambda) / h;
                let first = phi / -h - 1.0;
                let second = first / -h - 0.5;
                // [[1, 1], [r, 1]] · ρ = [b1, b2]
                let (b1, b2) = (first / phi, 2.0 * second / phi);
                let rho0 = (b1 - b2) / (1.0 - r);
                let rho1 = b1 - rho0;
                let terms = [
                    (keep, &last.latent),
                    (toward * (1.0 - rho0 / r - rho1), &last.clean),
                    (toward * rho0 / r, before),
                    (toward * rho1, clean),
                ];
                combine(&terms)
            }
        }
    }
}

impl Solver for UniPc {
    fn times(&self) -> Vec<f64> {
        self.timesteps.iter().map(|&t| t as f64).collect()
    }

    fn advance(&mut self, index: usize, latent: &Tensor, noise: &Tensor) -> Result<Advance> {
        let (here, next) = (self.levels[index], self.levels[index + 1]);
        let clean = here.clean(latent, noise)?;
        let corrected = match self.last.take() {
            None => latent.clone(),
            Some(last) => {
                let corrected = self.correct(index, &last, &clean)?;
                self.before = Some(last.clean);
                corrected
            }
        };
        let h = next.lambda - here.lambda;
        let toward = next.a * -(-h).exp_m1();
        let keep = next.s / here.s;
        let is_last = index + 2 == self.levels.len();
        let (next, order) = match &self.before {
            Some(before) if !is_last => {
                let slope = 0.5 * h / (self.levels[index - 1].lambda - here.lambda);
                let terms = [
                    (keep, &corrected),
                    (toward * (1.0 - slope), &clean),
                    (toward * slope, before),
                ];
                (combine(&terms)?, 2)
            }
            _ => (combine(&[(keep, &corrected), (toward, &clean)])?, 1),
        };
        self.last = Some(Step {
            latent: corrected,
            clean: clean.clone(),
            order,
        });
        Ok(Advance { next, clean })
    }
}
