//! Updating the weights: AdamW in f32 or with 8-bit moments, clipping, learning rate, average.

pub mod adamw;
pub mod adamw8bit;
pub mod clip;
pub mod ema;
pub mod lr_schedule;
mod slices;

pub use adamw::{AdamW, Moment};
pub use ema::Ema;
pub use lr_schedule::Schedule;

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

/// The trained tensors under their checkpoint names.
pub type Parameters = BTreeMap<String, Var>;

/// Gradients under the same names; a tensor without a gradient is absent and is not updated.
pub type Gradients = BTreeMap<String, Tensor>;

/// Moves the gradients of the parameters out of a backward pass, added to those already there.
///
/// They are detached: a gradient made by a plain operation keeps the graph behind it alive.
pub fn take_gradients(
    parameters: &Parameters,
    from: &mut GradStore,
    into: &mut Gradients,
) -> candle_core::Result<()> {
    for (name, parameter) in parameters {
        if let Some(gradient) = from.remove(parameter) {
            let sum = match into.get(name) {
                Some(before) => (before + gradient)?,
                None => gradient,
            };
            into.insert(name.clone(), sum.detach());
        }
    }
    Ok(())
}
