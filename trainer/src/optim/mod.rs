//! Updating the weights: AdamW in f32 or with 8-bit moments, clipping, learning rate, average; what
//! touches every number runs by the route of the run.

pub mod adamw;
pub mod adamw8bit;
pub mod clip;
pub mod composed;
pub mod ema;
pub mod lr_schedule;
mod slices;

pub use adamw::{AdamW, Moment, StoredMoment};
pub use ema::Ema;

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

/// The trained tensors under their checkpoint names.
pub type Parameters = BTreeMap<String, Var>;

/// Gradients under the same names; a tensor without a gradient is absent and is not updated.
pub type Gradients = BTreeMap<String, Tensor>;
