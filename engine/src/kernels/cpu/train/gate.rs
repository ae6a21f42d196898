//! `residual + gate · branch`, the end of every branch of the transformer.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::super::features::multiversion;
use super::super::operands::{chunk_range, floats, with_floats};
use super::super::output::written;
use super::{gradient, output};
use std::mem::MaybeUninit;
use std::ops::Range;

/// `residual + gate · branch` with gradients; see [`crate::kernels::linear_gated`].
///
/// # Shapes
/// - residual, branch, result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
pub(crate) fn gate_residual(
    residual: &Tensor,
    branch: &Tensor,
    modulation: &Tensor,
    gate_chunk: usize,
) -> Result<Tensor> {
    residual.contiguous()?.apply_op3(
        &branch.contiguous()?,
        &modulation.contiguous()?,
        Gate { chunk: gate_chunk },
    )
}

struct Gate {
    chunk: usize,
}

impl CustomOp3 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(
        &self,
        residual: &CpuStorage,
        lr: &Layout,
        branch: &CpuStorage,
        lb: &Layout,
        modulation: &CpuStorage,
        lm: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, tokens, width) = lr.shape().dims3()?;
        let (rows, size) = lm.shape().dims2()?;
        if lb.shape() != lr.shape() || rows != batch {
            bail!(
                "gate: residual {:?}, branch {:?}, modulation {:?}",
                lr.dims(),
                lb.dims(),
                lm.dims()
            );
        }
        let range = chunk_range(size, self.chunk, width)?;
        let (residual, branch, modulation) = (
            floats(residual, lr)?,
            floats(branch, lb)?,
            floats(modulation, lm)?,
        );
        let y = forward_rows(residual, branch, modulation, tokens, size, range);
        output(y, lr.shape().clone())
    }

    fn bwd(
        &self,
        residual: &Tensor,
        branch: &Tensor,
        modulation: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, tokens, width) = branch.dims3()?;
        let size = modulation.dim(1)?;
        let range = chunk_range(size, self.chunk, width)?;
        let (mut db, mut dm) = (
            vec![0f32; branch.elem_count()],
            vec![0f32; modulation.elem_count()],
        );
        with_floats(branch, |y| {
            with_floats(modulation, |m| {
                with_floats(grad, |g| {
                    backward_rows(y, g, m, tokens, size, range, &mut db, &mut dm);
                    Ok(())
                })
            })
        })?;
        Ok((
            residual.track_op().then(|| grad.clone()),
            gradient(db, branch)?,
            gradient(dm, modulation)?,
        ))
    }
}

/// The gated sum of all rows. Row `r` takes the gate at `gate` of modulation vector `r / tokens`,
/// each `size` long.
pub(super) fn forward_rows(
    residual: &[f32],
    branch: &[f32],
    modulation: &[f32],
    tokens: usize,
    size: usize,
    gate: Range<usize>,
) -> Vec<f32> {
    let width = gate.len();
    assert_eq!(branch.len(), residual.len());
    // SAFETY: every row is written, since both operands and the gate are as long as it.
    unsafe {
        written(residual.len(), |y| {
            y.par_chunks_mut(width)
                .zip(residual.par_chunks(width).zip(branch.par_chunks(width)))
                .enumerate()
                .with_min_len(64)
                .for_each(|(row, (y, (residual, branch)))| {
                    let gate = &modulation[row / tokens * size..][gate.clone()];
                    forward(residual, branch, gate, y);
                });
        })
    }
}

/// Gradient of the branch into `db`, and of the gates, added, into theirs of `dm`.
#[allow(clippy::too_many_arguments, reason = "operands and their shapes")]
pub(super) fn backward_rows(
    branch: &[f32],
    grad: &[f32],
    modulation: &[f32],
    tokens: usize,
    size: usize,
    gate: Range<usize>,
    db: &mut [f32],
    dm: &mut [f32],
) {
    let item = tokens * gate.len();
    let operands = branch
        .par_chunks(item)
        .zip(grad.par_chunks(item))
        .zip(modulation.par_chunks(size));
    db.par_chunks_mut(item)
        .zip(dm.par_chunks_mut(size))
        .zip(operands)
        .for_each(|((db, dm), ((branch, grad), m))| {
            backward(branch, grad, &m[gate.clone()], db, &mut dm[gate.clone()]);
        });
}

multiversion! {
    fn forward(residual: &[f32], branch: &[f32], gate: &[f32], y: &mut [MaybeUninit<f32>]) {
        for (((y, residual), branch), gate) in y.iter_mut().zip(residual).zip(branch).zip(gate) {
            y.write(residual + gate * branch);
        }
    }
}

multiversion! {
    /// All rows of one batch element: `db = g · gate`, `dgate = Σ g · branch`.
    fn backward(branch: &[f32], grad: &[f32], gate: &[f32], db: &mut [f32], dgate: &mut [f32]) {
        let width = gate.len();
        let rows = branch.chunks_exact(width).zip(grad.chunks_exact(width)).zip(db.chunks_exact_mut(width));
        for ((branch, grad), db) in rows {
            for ((db, grad), gate) in db.iter_mut().zip(grad).zip(gate) {
                *db = grad * gate;
            }
            for ((dgate, grad), branch) in dgate.iter_mut().zip(grad).zip(branch) {
                *dgate += grad * branch;
            }
        }
    }
}
