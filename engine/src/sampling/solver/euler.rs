//! Euler's method for the flow objective: the model predicts the velocity from noise (t = 0) to data
//! (t = 1).
//!
//! docs/reference.md sections 4 and 8. The clean latent that a velocity implies is z + (1 − t)·v.

use candle_core::Tensor;

use super::{Advance, Solver};
use crate::Result;
use crate::sampling::combine;

/// First order: z ← z + v/N at t = i/N.
#[derive(Clone, Debug)]
pub(super) struct Euler {
    steps: usize,
}

impl Euler {
    pub(super) fn new(steps: usize) -> Self {
        Self { steps }
    }
}

impl Solver for Euler {
    fn times(&self) -> Vec<f64> {
        let steps = self.steps as f64;
        (0..self.steps).map(|i| i as f64 / steps).collect()
    }

    fn advance(&mut self, index: usize, latent: &Tensor, velocity: &Tensor) -> Result<Advance> {
        let steps = self.steps as f64;
        let left = 1.0 - index as f64 / steps;
        Ok(Advance {
            next: combine(&[(1.0, latent), (1.0 / steps, velocity)])?,
            clean: combine(&[(1.0, latent), (left, velocity)])?,
        })
    }
}
