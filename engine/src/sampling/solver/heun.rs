//! Heun's method for the flow objective (our own addition, docs/reference.md section 8).

use candle_core::Tensor;

use super::{Advance, Solver};
use crate::Result;
use crate::sampling::combine;

/// Second order: the mean of the velocities at both ends of each step.
#[derive(Clone, Debug)]
pub(super) struct Heun {
    steps: usize,
    /// Latent and velocity at the step's start, while its second evaluation is awaited.
    start: Option<(Tensor, Tensor)>,
}

impl Heun {
    pub(super) fn new(steps: usize) -> Self {
        Self { steps, start: None }
    }
}

impl Solver for Heun {
    fn times(&self) -> Vec<f64> {
        let steps = self.steps as f64;
        (0..self.steps)
            .flat_map(|i| [i as f64 / steps, (i + 1) as f64 / steps])
            .collect()
    }

    fn advance(&mut self, index: usize, latent: &Tensor, velocity: &Tensor) -> Result<Advance> {
        let steps = self.steps as f64;
        let left = 1.0 - (index / 2 + index % 2) as f64 / steps;
        match self.start.take() {
            None => {
                self.start = Some((latent.clone(), velocity.clone()));
                Ok(Advance {
                    next: combine(&[(1.0, latent), (1.0 / steps, velocity)])?,
                    clean: combine(&[(1.0, latent), (left, velocity)])?,
                })
            }
            Some((start, first)) => {
                let both = (&first + velocity)?;
                let next = combine(&[(1.0, &start), (0.5 / steps, &both)])?;
                let clean = combine(&[(1.0, &next), (left, velocity)])?;
                Ok(Advance { next, clean })
            }
        }
    }
}
