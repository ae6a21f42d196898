//! From attention back to a stream: multiply, gate, add.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::super::super::operands::{chunk_range, floats, with_floats};
use super::super::linear::Products;
use super::super::{gate, gradient, output};
use super::spare::Spare;
use super::{Kept, LeafGradients};
use crate::precision::Precision;

/// `residual + gate · (x · weightᵀ)` with gradients, `x` the tokens of `mixed` from `first` on, as
/// many as `residual` has. The gradient of the weight goes to `leaves`.
///
/// # Shapes
/// - mixed: `[batch, all tokens, width]`, modulation: `[batch, chunks · width]`
/// - residual and result: `[batch, tokens, width]`, weight: `[width, width]`
///
/// # Errors
/// When the shapes do not fit each other, or an operand is not f32 on the CPU.
pub(crate) fn attended(
    mixed: &Tensor,
    first: usize,
    residual: &Tensor,
    modulation: &Tensor,
    gate: usize,
    weight: &Tensor,
    precision: Precision,
    leaves: &LeafGradients,
) -> Result<Tensor> {
    let operation = Attended {
        first,
        gate,
        weight: weight.clone(),
        precision,
        leaves: leaves.clone(),
        branch: Kept::default(),
    };
    mixed.contiguous()?.apply_op3(
        &residual.contiguous()?,
        &modulation.contiguous()?,
        operation,
    )
}

struct Attended {
    first: usize,
    gate: usize,
    weight: Tensor,
    precision: Precision,
    leaves: LeafGradients,
    branch: Kept,
}

impl Attended {
    fn products(&self, rows: usize, width: usize) -> Products {
        Products {
            precision: self.precision,
            rows,
            outputs: width,
            inputs: width,
        }
    }

    /// Where this stream's tokens lie in each batch element of `all` tokens.
    fn range(&self, all: usize, tokens: usize, width: usize) -> Result<Range<usize>> {
        if self.first + tokens > all {
            bail!("{tokens} tokens from {} on are more than {all}", self.first);
        }
        Ok(self.first * width..(self.first + tokens) * width)
    }

    /// The rows of this stream, one batch element after the other.
    fn rows(&self, mixed: &[f32], all: usize, tokens: usize, width: usize) -> Result<Spare> {
        let range = self.range(all, tokens, width)?;
        let mut rows = Spare::of(mixed.len() / all.max(1) * tokens);
        let targets = rows.par_chunks_mut((tokens * width).max(1));
        targets
            .zip(mixed.par_chunks((all * width).max(1)))
            .for_each(|(target, mixed)| target.copy_from_slice(&mixed[range.clone()]));
        Ok(rows)
    }
}

impl CustomOp3 for Attended {
    fn name(&self) -> &'static str {
        "end of the attention branch"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        residual: &CpuStorage,
        lr: &Layout,
        m: &CpuStorage,
        lm: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, tokens, width) = lr.shape().dims3()?;
        let all = lx.shape().dims3()?.1;
        let (rows, size) = (batch * tokens, lm.shape().dims2()?.1);
        let (x, residual, m) = (floats(x, lx)?, floats(residual, lr)?, floats(m, lm)?);
        let x = self.rows(x, all, tokens, width)?;
        let range = chunk_range(size, self.gate, width)?;
        let (branch, y) = with_floats(&self.weight, |weight| {
            let branch = self.products(rows, width).forward(&x, weight, None);
            let y = gate::forward_rows(residual, &branch, m, tokens, size, range);
            Ok((branch, y))
        })?;
        self.branch.put([branch]);
        output(y, lr.shape().clone())
    }

    fn bwd(
        &self,
        x: &Tensor,
        residual: &Tensor,
        m: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (batch, tokens, width) = residual.dims3()?;
        let all = x.dim(1)?;
        let (rows, size) = (batch * tokens, m.dim(1)?);
        let range = chunk_range(size, self.gate, width)?;
        let [branch] = self.branch.take()?;
        let mut dm = vec![0f32; m.elem_count()];
        let mut db = Spare::of(rows * width);
        with_floats(m, |m| {
            with_floats(grad, |g| {
                gate::backward_rows(&branch, g, m, tokens, size, range, &mut db, &mut dm);
                Ok(())
            })
        })?;
        drop(branch);
        let products = self.products(rows, width);
        with_floats(x, |x| {
            let x = self.rows(x, all, tokens, width)?;
            self.leaves.add(&self.weight, products.of_weight(&db, &x))
        })?;
        let dx = if x.track_op() {
            let mut own = Spare::of(rows * width);
            with_floats(&self.weight, |weight| {
                products.of_input(&db, weight, &mut own[..]);
                Ok(())
            })?;
            let range = self.range(all, tokens, width)?;
            let mut dx = vec![0f32; x.elem_count()];
            dx.par_chunks_mut((all * width).max(1))
                .zip(own.par_chunks((tokens * width).max(1)))
                .for_each(|(dx, own)| dx[range.clone()].copy_from_slice(own));
            gradient(dx, x)?
        } else {
            None
        };
        Ok((
            dx,
            residual.track_op().then(|| grad.clone()),
            gradient(dm, m)?,
        ))
    }
}
