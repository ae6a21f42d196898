//! LayerNorm without parameters, then the modulation's scale and shift.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::ops::Range;

use super::super::features::multiversion;
use super::super::layer_norm::{modulated, statistics};
use super::super::operands::{chunk_range, floats, with_floats};
use super::super::simd::lane_sum;
use super::{gradient, output};
use crate::kernels::types::LAYER_NORM_EPS;

/// The same in the arithmetic of rows.
const EPSILON: f32 = LAYER_NORM_EPS as f32;

/// `LN(x) · (1 + scale) + shift` with gradients; see [`crate::kernels::layer_norm_modulate`].
///
/// # Shapes
/// - x and result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
pub(crate) fn layer_norm_modulate(
    x: &Tensor,
    modulation: &Tensor,
    shift_chunk: usize,
    scale_chunk: usize,
) -> Result<Tensor> {
    x.contiguous()?.apply_op2(
        &modulation.contiguous()?,
        LayerNorm {
            places: [shift_chunk, scale_chunk],
        },
    )
}

struct LayerNorm {
    /// Chunks with shift and scale.
    places: [usize; 2],
}

impl CustomOp2 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer norm with modulation"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        m: &CpuStorage,
        lm: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (dims, vectors) = (lx.shape().dims3()?, lm.shape().dims2()?);
        let rows = Rows::new(
            (floats(x, lx)?, dims),
            (floats(m, lm)?, vectors),
            self.places,
        )?;
        let mut y = vec![0f32; lx.shape().elem_count()];
        rows.forward(&mut y);
        output(y, lx.shape().clone())
    }

    fn bwd(
        &self,
        x: &Tensor,
        m: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dims, vectors) = (x.dims3()?, m.dims2()?);
        let mut dm = vec![0f32; m.elem_count()];
        let dx = with_floats(x, |x| {
            with_floats(m, |m| {
                with_floats(grad, |g| {
                    let rows = Rows::new((x, dims), (m, vectors), self.places)?;
                    Ok(rows.backward(g, None, &mut dm))
                })
            })
        })?;
        Ok((gradient(dx, x)?, gradient(dm, m)?))
    }
}

/// Rows `[batch, tokens, width]` to be normalised and modulated.
pub(super) struct Rows<'a> {
    x: &'a [f32],
    modulation: &'a [f32],
    /// Length of a modulation vector.
    size: usize,
    tokens: usize,
    /// Places in a modulation vector.
    shift: Range<usize>,
    scale: Range<usize>,
}

impl<'a> Rows<'a> {
    /// Shift and scale are two chunks of each modulation vector.
    ///
    /// # Shapes
    /// - x: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
    pub(super) fn new(
        (x, dims): (&'a [f32], (usize, usize, usize)),
        (modulation, vectors): (&'a [f32], (usize, usize)),
        [shift, scale]: [usize; 2],
    ) -> Result<Self> {
        let ((batch, tokens, width), (rows, size)) = (dims, vectors);
        if rows != batch {
            bail!("layer norm: input {dims:?}, modulation {vectors:?}");
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

    /// Normalises all rows.
    pub(super) fn forward(&self, y: &mut [f32]) {
        let width = self.shift.len();
        y.par_chunks_mut(width)
            .zip(self.x.par_chunks(width))
            .enumerate()
            .with_min_len(32)
            .for_each(|(row, (y, x))| {
                let m = &self.modulation[row / self.tokens * self.size..][..self.size];
                let (shift, scale) = (&m[self.shift.clone()], &m[self.scale.clone()]);
                modulated(x, shift, scale, EPSILON, y);
            });
    }

    /// Gradient of the input, plus `residual`; the gradients of shift and scale are added into
    /// theirs of the modulation.
    pub(super) fn backward(
        &self,
        gradient: &[f32],
        residual: Option<&[f32]>,
        dm: &mut [f32],
    ) -> Vec<f32> {
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
                backward(x, gradient, scale, dx, dshift, dscale);
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

multiversion! {
    /// All rows of one batch element. With `n` the normalised row and `h = g · (1 + scale)`:
    /// `dx = (h − mean(h) − n · mean(h · n)) / σ`, `dshift = Σ g`, `dscale = Σ g · n`.
    fn backward(x: &[f32], grad: &[f32], scale: &[f32], dx: &mut [f32], dshift: &mut [f32], dscale: &mut [f32]) {
        let width = scale.len();
        let (dshift, dscale) = (&mut dshift[..width], &mut dscale[..width]);
        for ((x, grad), dx) in x.chunks_exact(width).zip(grad.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
            let (mean, inverse) = statistics(x, EPSILON);
            let h_mean = lane_sum(width, |i| grad[i] * (1.0 + scale[i])) / width as f32;
            let hn_mean = lane_sum(width, |i| grad[i] * (1.0 + scale[i]) * (x[i] - mean) * inverse) / width as f32;
            for i in 0..width {
                let n = (x[i] - mean) * inverse;
                dx[i] = inverse * (grad[i] * (1.0 + scale[i]) - h_mean - n * hn_mean);
                dshift[i] += grad[i];
                dscale[i] += grad[i] * n;
            }
        }
    }
}
