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

pub use attended::attended;
pub use mlp::{Layers, mlp};
pub use project::project;

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Result, Tensor, TensorId, bail};
use rayon::prelude::*;

use super::super::features::multiversion;
use super::{chunk_range, layer_norm};
use spare::Spare;

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

/// Numbers that a product may write to.
fn as_target(values: &mut [f32]) -> &mut [MaybeUninit<f32>] {
    // SAFETY: one layout, and products write nothing but values.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<f32>]) }
}

/// Rows `[batch, tokens, width]` to be normalised and modulated.
struct Norm<'a> {
    x: &'a [f32],
    modulation: &'a [f32],
    /// Length of a modulation vector.
    size: usize,
    tokens: usize,
    /// Places in a modulation vector.
    shift: Range<usize>,
    scale: Range<usize>,
}

impl<'a> Norm<'a> {
    /// Of `tokens` rows a batch element, each `width` long, with shift and scale in two chunks of
    /// modulation vectors of `size` numbers.
    fn new(
        x: &'a [f32],
        (tokens, width): (usize, usize),
        modulation: &'a [f32],
        size: usize,
        [shift, scale]: [usize; 2],
    ) -> Result<Self> {
        if !x.len().is_multiple_of((tokens * width).max(1))
            || x.len() / (tokens * width).max(1) * size != modulation.len()
        {
            bail!(
                "layer norm: {} numbers in rows of {width}, {tokens} rows an element, do not fit {} of modulation",
                x.len(),
                modulation.len()
            );
        }
        Ok(Self {
            x,
            modulation,
            size,
            tokens,
            shift: chunk_range(size, shift, width)?,
            scale: chunk_range(size, scale, width)?,
        })
    }

    fn forward(&self) -> Spare {
        let width = self.shift.len();
        let mut y = Spare::of(self.x.len());
        y.par_chunks_mut(width)
            .zip(self.x.par_chunks(width))
            .enumerate()
            .with_min_len(32)
            .for_each(|(row, (y, x))| {
                let m = &self.modulation[row / self.tokens * self.size..][..self.size];
                layer_norm::forward(x, &m[self.shift.clone()], &m[self.scale.clone()], y);
            });
        y
    }

    /// Gradient of the input, plus `residual`; the gradients of shift and scale are added into
    /// theirs of the modulation.
    fn backward(&self, gradient: &[f32], residual: Option<&[f32]>, dm: &mut [f32]) -> Vec<f32> {
        let width = self.shift.len();
        let item = self.tokens * width;
        let mut dx = vec![0f32; self.x.len()];
        dx.par_chunks_mut(item)
            .zip(dm.par_chunks_mut(self.size))
            .enumerate()
            .for_each(|(index, (dx, dm))| {
                let range = index * item..(index + 1) * item;
                let scale = &self.modulation[index * self.size..][self.scale.clone()];
                let mut sums = vec![0f32; 2 * width];
                let (dshift, dscale) = sums.split_at_mut(width);
                let (x, gradient) = (&self.x[range.clone()], &gradient[range.clone()]);
                layer_norm::backward(x, gradient, scale, dx, dshift, dscale);
                add(&mut dm[self.shift.clone()], dshift);
                add(&mut dm[self.scale.clone()], dscale);
                if let Some(residual) = residual {
                    add(dx, &residual[range]);
                }
            });
        dx
    }
}

multiversion! {
    fn add(sums: &mut [f32], values: &[f32]) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
}
