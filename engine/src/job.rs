//! What one generation is asked to do: the recipe that is written into a picture and replayed.

use serde::{Deserialize, Serialize};

pub use crate::condition::{GrayImage, LabelImage};

/// What the face must follow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// A 19-class face mask.
    Mask(LabelImage),
    /// A drawing, dark lines on white.
    Sketch(GrayImage),
    /// Nothing: the prompt alone.
    #[default]
    None,
}

/// How the sampler walks from noise to picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sampler {
    /// Flow objective, first order.
    #[default]
    Euler,
    /// Flow objective, second order, two evaluations a step.
    Heun,
    /// Diffusion objective, DPM-Solver++ 2M.
    DpmPp2M,
    /// Diffusion objective, DDIM without noise.
    Ddim,
    /// Diffusion objective, UniPC of order 2.
    UniPc,
}

/// One generation (design.md section 5). Serialisable: it is what `replay` runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What the face must follow.
    pub condition: Condition,
    /// What the face should look like; empty = unconditional.
    pub prompt: String,
    /// What guidance moves away from; usually empty.
    pub negative: String,
    /// Picture i is drawn from noise of seed + i.
    pub seed: u64,
    /// Number of pictures, at least 1.
    pub count: usize,
    /// Side in pixels, a multiple of 16 from 64 to 1024.
    pub size: usize,
    /// Sampling steps, at least 1.
    pub steps: usize,
    /// The sampler; must fit the model's objective.
    pub sampler: Sampler,
    /// Guidance weight w: out = u + w · (c − u); 1 = no guidance.
    pub guidance: f64,
    /// Fractions of the sampling in which guidance acts, `(from, to)` in 0..=1.
    pub guidance_interval: (f64, f64),
}
