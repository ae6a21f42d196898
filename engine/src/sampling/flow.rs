//! Samplers of the flow objective: the model predicts the velocity from noise (t = 0) to data (t = 1).
//!
//! reference.md sections 4 and 8. The clean latent that a velocity implies is z + (1 − t)·v.

use candle_core::Tensor;

use super::combine;
use super::walk::Advance;
use crate::Result;

/// First order: z ← z + v/N at t = i/N.
#[derive(Clone, Debug)]
pub(super) struct Euler {
    steps: usize,
}

impl Euler {
    pub fn new(steps: usize) -> Self {
        Self { steps }
    }

    pub fn times(steps: usize) -> Vec<f64> {
        (0..steps).map(|i| i as f64 / steps as f64).collect()
    }

    pub fn advance(&mut self, index: usize, latent: &Tensor, velocity: &Tensor) -> Result<Advance> {
        let steps = self.steps as f64;
        let left = 1.0 - index as f64 / steps;
        Ok(Advance {
            next: combine(&[(1.0, latent), (1.0 / steps, velocity)])?,
            clean: combine(&[(1.0, latent), (left, velocity)])?,
        })
    }
}

/// Second order (our own addition): the mean of the velocities at both ends of each step.
#[derive(Clone, Debug)]
pub(super) struct Heun {
    steps: usize,
    /// Latent and velocity at the step's start, while its second evaluation is awaited.
    start: Option<(Tensor, Tensor)>,
}

impl Heun {
    pub fn new(steps: usize) -> Self {
        Self { steps, start: None }
    }

    pub fn times(steps: usize) -> Vec<f64> {
        (0..steps)
            .flat_map(|i| [i as f64 / steps as f64, (i + 1) as f64 / steps as f64])
            .collect()
    }

    pub fn advance(&mut self, index: usize, latent: &Tensor, velocity: &Tensor) -> Result<Advance> {
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
