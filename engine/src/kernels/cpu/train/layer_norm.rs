//! LayerNorm without parameters, then the modulation's scale and shift.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::super::features::multiversion;
use super::{chunk_range, floats, gradient, lane_sum, output, with_floats};
use crate::kernels::LAYER_NORM_EPS;

/// `LN(x) · (1 + scale) + shift` with gradients; see [`crate::kernels::layer_norm_modulate`].
///
/// # Shapes
/// - x and result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
pub fn layer_norm_modulate(
    x: &Tensor,
    modulation: &Tensor,
    shift_chunk: usize,
    scale_chunk: usize,
) -> Result<Tensor> {
    x.contiguous()?.apply_op2(
        &modulation.contiguous()?,
        LayerNorm {
            shift_chunk,
            scale_chunk,
        },
    )
}

struct LayerNorm {
    shift_chunk: usize,
    scale_chunk: usize,
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
        let (batch, tokens, width) = lx.shape().dims3()?;
        let (rows, size) = lm.shape().dims2()?;
        if rows != batch {
            bail!(
                "layer norm: input {:?}, modulation {:?}",
                lx.dims(),
                lm.dims()
            );
        }
        let (shift, scale) = (
            chunk_range(size, self.shift_chunk, width)?,
            chunk_range(size, self.scale_chunk, width)?,
        );
        let (x, m) = (floats(x, lx)?, floats(m, lm)?);
        let mut y = vec![0f32; x.len()];
        y.par_chunks_mut(width)
            .zip(x.par_chunks(width))
            .enumerate()
            .with_min_len(32)
            .for_each(|(row, (y, x))| {
                let m = &m[row / tokens * size..][..size];
                forward(x, &m[shift.clone()], &m[scale.clone()], y);
            });
        output(y, lx.shape().clone())
    }

    fn bwd(
        &self,
        x: &Tensor,
        m: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, tokens, width) = x.dims3()?;
        let size = m.dim(1)?;
        let (shift, scale) = (
            chunk_range(size, self.shift_chunk, width)?,
            chunk_range(size, self.scale_chunk, width)?,
        );
        let (mut dx, mut dm) = (vec![0f32; x.elem_count()], vec![0f32; m.elem_count()]);
        with_floats(x, |x| {
            with_floats(m, |m| {
                with_floats(grad, |g| {
                    let item = tokens * width;
                    dx.par_chunks_mut(item)
                        .zip(dm.par_chunks_mut(size))
                        .zip(
                            x.par_chunks(item)
                                .zip(g.par_chunks(item))
                                .zip(m.par_chunks(size)),
                        )
                        .for_each(|((dx, dm), ((x, g), m))| {
                            let mut sums = vec![0f32; 2 * width];
                            let (dshift, dscale) = sums.split_at_mut(width);
                            backward(x, g, &m[scale.clone()], dx, dshift, dscale);
                            dm[shift.clone()].copy_from_slice(dshift);
                            // Added, so that one chunk may serve as both.
                            dm[scale.clone()]
                                .iter_mut()
                                .zip(&*dscale)
                                .for_each(|(dm, d)| *dm += d);
                        });
                    Ok(())
                })
            })
        })?;
        Ok((
            if x.track_op() { gradient(dx, x)? } else { None },
            if m.track_op() { gradient(dm, m)? } else { None },
        ))
    }
}

/// Mean and reciprocal standard deviation.
#[inline(always)]
fn statistics(x: &[f32]) -> (f32, f32) {
    let mean = lane_sum(x.len(), |i| x[i]) / x.len() as f32;
    let variance = lane_sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / x.len() as f32;
    (mean, 1.0 / (variance + LAYER_NORM_EPS as f32).sqrt())
}

multiversion! {
    /// One row.
    pub(in super::super) fn forward(x: &[f32], shift: &[f32], scale: &[f32], y: &mut [f32]) {
        let (mean, inverse) = statistics(x);
        for (((y, x), shift), scale) in y.iter_mut().zip(x).zip(shift).zip(scale) {
            *y = (x - mean) * inverse * (1.0 + scale) + shift;
        }
    }
}

multiversion! {
    /// All rows of one batch element. With `n` the normalised row and `h = g · (1 + scale)`:
    /// `dx = (h − mean(h) − n · mean(h · n)) / σ`, `dshift = Σ g`, `dscale = Σ g · n`.
    pub(super) fn backward(x: &[f32], grad: &[f32], scale: &[f32], dx: &mut [f32], dshift: &mut [f32], dscale: &mut [f32]) {
        let width = scale.len();
        let (dshift, dscale) = (&mut dshift[..width], &mut dscale[..width]);
        for ((x, grad), dx) in x.chunks_exact(width).zip(grad.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
            let (mean, inverse) = statistics(x);
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
