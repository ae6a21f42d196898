//! The branches of a transformer block, each one operation with its own gradient.
//!
//! The tensor library makes zeros for every argument of every operation and adds the gradient to
//! them, and keeps every result; with one operation a branch there is one result where there were
//! four, and what the backward pass needs is kept here and freed as soon as it is used. The twin is
//! the same branch composed of the operations beside this folder.
//!
//! An operation of the tensor library takes three tensors at most. Weights are therefore fields of
//! the operations, and their gradients are left in [`LeafGradients`].

mod attended;
mod mlp;
mod project;
mod spare;

pub(crate) use attended::attended;
pub(crate) use mlp::{Layers, mlp};
pub(crate) use project::project;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Result, Tensor, TensorId, bail};

/// Gradients of weights that no operation has as an argument, by the identity of the tensor.
/// Clones share them.
#[derive(Clone, Debug, Default)]
pub struct LeafGradients(Arc<Mutex<HashMap<TensorId, Tensor>>>);

impl LeafGradients {
    /// Adds a gradient of `leaf`'s shape.
    fn add(&self, leaf: &Tensor, values: Vec<f32>) -> Result<()> {
        let gradient = Tensor::from_vec(values, leaf.shape(), leaf.device())?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = match all.remove(&leaf.id()) {
            Some(before) => (before + gradient)?,
            None => gradient,
        };
        all.insert(leaf.id(), sum);
        Ok(())
    }

    /// Takes out what has been added for `leaf`.
    ///
    /// # Shapes
    /// - leaf and result: any, equal
    pub fn take(&self, leaf: &Tensor) -> Option<Tensor> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&leaf.id())
    }
}

/// What a forward pass keeps for its backward pass.
#[derive(Default)]
struct Kept(Mutex<Option<Vec<Vec<f32>>>>);

impl Kept {
    fn put<const N: usize>(&self, values: [Vec<f32>; N]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(values.into());
    }

    fn take<const N: usize>(&self) -> Result<[Vec<f32>; N]> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match kept.map(TryInto::try_into) {
            Some(Ok(values)) => Ok(values),
            _ => bail!("a fused branch has one backward pass for each forward pass"),
        }
    }
}
