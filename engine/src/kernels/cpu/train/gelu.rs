//! GELU in its tanh form, with a gradient that needs one exponential.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::super::features::multiversion;
use super::super::finish::gelu_tanh;
use super::super::operands::{floats, with_floats};
use super::super::output::{Slot, written};
use super::super::simd::{GELU_CUBIC, GELU_SLOPE, exp};
use super::{CHUNK, gradient, output};

/// `x · ½(1 + tanh(√(2/π)(x + 0.044715x³)))`, elementwise.
///
/// # Shapes
/// - x and result: any, equal
pub(crate) fn gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu)
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats(x, layout)?;
        // SAFETY: every element is written.
        let y = unsafe { written::<f32>(x.len(), |y| forward_all(x, y)) };
        output(y, layout.shape().clone())
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        with_floats(x, |values| {
            with_floats(grad, |grad| {
                // SAFETY: every element is written.
                let dx =
                    unsafe { written::<f32>(values.len(), |dx| backward_all(values, grad, dx)) };
                gradient(dx, x)
            })
        })
    }
}

/// Gradients times GELU's slope, for every element of `dx`.
fn backward_all<S: Slot>(x: &[f32], grad: &[f32], dx: &mut [S]) {
    assert_eq!((x.len(), grad.len()), (dx.len(), dx.len()));
    dx.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK).zip(grad.par_chunks(CHUNK)))
        .for_each(|(dx, (x, grad))| backward(x, grad, dx));
}

/// GELU of every element.
pub(super) fn forward_all<S: Slot>(x: &[f32], y: &mut [S]) {
    assert_eq!(x.len(), y.len());
    y.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(y, x)| forward(x, y));
}

/// Multiplies gradients by GELU's slope at `x`, and replaces `x` by GELU of it.
pub(super) fn backward_and_forward(x: &mut [f32], grad: &mut [f32]) {
    x.par_chunks_mut(CHUNK)
        .zip(grad.par_chunks_mut(CHUNK))
        .for_each(|(x, grad)| both(x, grad));
}

multiversion! {
    /// `½(1 + tanh u) = sigmoid(2u)`.
    fn forward<S: Slot>(x: &[f32], y: &mut [S]) {
        for (y, &x) in y.iter_mut().zip(x) {
            y.put(gelu_tanh(x));
        }
    }
}

multiversion! {
    /// With `s = sigmoid(2u)`: `d/dx (x·s) = s + x·s·(1 − s)·2u'`. The complement is computed from
    /// the exponential itself: as a difference it would lose all digits where `s` is near 1.
    fn backward<S: Slot>(x: &[f32], grad: &[f32], dx: &mut [S]) {
        for ((dx, &x), &grad) in dx.iter_mut().zip(x).zip(grad) {
            dx.put(grad * value_and_slope(x).1);
        }
    }
}

multiversion! {
    fn both(x: &mut [f32], grad: &mut [f32]) {
        for (x, grad) in x.iter_mut().zip(grad) {
            let (value, slope) = value_and_slope(*x);
            *x = value;
            *grad *= slope;
        }
    }
}

#[inline(always)]
fn value_and_slope(x: f32) -> (f32, f32) {
    let e = exp(-2.0 * GELU_SLOPE * x * (1.0 + GELU_CUBIC * x * x));
    let s = 1.0 / (1.0 + e);
    let slope = 2.0 * GELU_SLOPE * (1.0 + 3.0 * GELU_CUBIC * x * x);
    (x * s, s + x * s * (e * s) * slope)
}
