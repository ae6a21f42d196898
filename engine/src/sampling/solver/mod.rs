//! The solvers: each file one sampler's arithmetic, from a model's outputs to the next latent.
//!
//! A new one is a file here, its line in [`new`], and its entry in [`Sampler`]'s table.

mod ddim;
mod dpm_solver;
mod euler;
mod heun;
mod unipc;

use std::fmt::Debug;

use candle_core::Tensor;

use super::schedule::NoiseSchedule;
use crate::Result;
use crate::job::Sampler;

/// What a solver makes of one model output.
pub(super) struct Advance {
    /// What the model looks at next; after a step's last evaluation the new latent.
    pub next: Tensor,
    /// The clean latent as far as it can be told now.
    pub clean: Tensor,
}

/// One sampling run's arithmetic and memory. A clone goes on exactly as the original does.
pub(super) trait Solver: Debug + Send + Sync + Duplicate {
    /// The times of all evaluations of a whole run, in order: 0 (noise) to 1 (data) for flow,
    /// integer timesteps 999 to 0 for diffusion. Every step has equally many.
    fn times(&self) -> Vec<f64>;

    /// Takes the model's output for evaluation `index` of what it was told to look at.
    ///
    /// # Shapes
    /// - input, output, results: `[B, C, S, S]`
    fn advance(&mut self, index: usize, input: &Tensor, output: &Tensor) -> Result<Advance>;
}

/// The solver of a sampler, for a run of so many steps from the beginning.
pub(super) fn new(sampler: Sampler, steps: usize, schedule: &NoiseSchedule) -> Box<dyn Solver> {
    match sampler {
        Sampler::Euler => Box::new(euler::Euler::new(steps)),
        Sampler::Heun => Box::new(heun::Heun::new(steps)),
        Sampler::DpmPp2M => Box::new(dpm_solver::DpmSolver::new(steps, schedule)),
        Sampler::Ddim => Box::new(ddim::Ddim::new(steps, schedule)),
        Sampler::UniPc => Box::new(unipc::UniPc::new(steps, schedule)),
    }
}

/// Cloning behind a pointer.
pub(super) trait Duplicate {
    fn duplicate(&self) -> Box<dyn Solver>;
}

impl<T: Solver + Clone + 'static> Duplicate for T {
    fn duplicate(&self) -> Box<dyn Solver> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Solver> {
    fn clone(&self) -> Self {
        (**self).duplicate()
    }
}
