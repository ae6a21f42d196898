//! From the tokens of a stream to its q, k and v: normalise, modulate, multiply.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::super::super::buffer::written;
use super::super::super::gemm::product;
use super::super::super::pack::View;
use super::super::{floats, gradient, output, with_floats};
use super::spare::Spare;
use super::{LeafGradients, Norm, as_target};
use crate::kernels::Precision;

/// `(LN(x) · (1 + scale) + shift) · [q; k; v]ᵀ` with gradients; those of the weights go to `leaves`.
///
/// # Shapes
/// - x: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
/// - weights: three of `[width, width]`; result: `[batch, tokens, 3 · width]`
pub fn project(
    x: &Tensor,
    modulation: &Tensor,
    [shift, scale]: [usize; 2],
    weights: &[Tensor; 3],
    precision: Precision,
    leaves: &LeafGradients,
) -> Result<Tensor> {
    let operation = Project {
        shift,
        scale,
        weights: weights.clone(),
        precision,
        leaves: leaves.clone(),
    };
    x.contiguous()?
        .apply_op2(&modulation.contiguous()?, operation)
}

struct Project {
    shift: usize,
    scale: usize,
    weights: [Tensor; 3],
    precision: Precision,
    leaves: LeafGradients,
}

impl Project {
    /// The three matrices, one below the other.
    fn joined(&self, width: usize) -> Result<Spare> {
        let mut joined = Spare::of(3 * width * width);
        for (target, weight) in joined.chunks_exact_mut(width * width).zip(&self.weights) {
            with_floats(weight, |weight| {
                target.copy_from_slice(weight);
                Ok(())
            })?;
        }
        Ok(joined)
    }
}

impl CustomOp2 for Project {
    fn name(&self) -> &'static str {
        "projection of a stream"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        m: &CpuStorage,
        lm: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, tokens, width) = lx.shape().dims3()?;
        let (_, size) = lm.shape().dims2()?;
        let norm = Norm::new(
            floats(x, lx)?,
            (tokens, width),
            floats(m, lm)?,
            size,
            [self.shift, self.scale],
        )?;
        let (normalised, weight) = (norm.forward(), self.joined(width)?);
        let shape = (batch * tokens, 3 * width, width);
        let (left, right) = (
            View::rows(&normalised, width),
            View::rows(&weight, width).transposed(),
        );
        // SAFETY: the product writes all of its output.
        let y = unsafe {
            written(shape.0 * shape.1, |y| {
                product(self.precision, shape, left, right, None, y)
            })
        };
        output(y, (batch, tokens, 3 * width))
    }

    fn bwd(
        &self,
        x: &Tensor,
        m: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (batch, tokens, width) = x.dims3()?;
        let (rows, size) = (batch * tokens, m.dim(1)?);
        let mut dm = vec![0f32; m.elem_count()];
        let dx = with_floats(x, |x| {
            with_floats(m, |m| {
                with_floats(grad, |g| {
                    let norm = Norm::new(x, (tokens, width), m, size, [self.shift, self.scale])?;
                    let normalised = norm.forward();
                    let mut dw = Spare::of(3 * width * width);
                    product(
                        self.precision,
                        (3 * width, width, rows),
                        View::rows(g, 3 * width).transposed(),
                        View::rows(&normalised, width),
                        None,
                        as_target(&mut dw),
                    );
                    for (weight, dw) in self.weights.iter().zip(dw.chunks_exact(width * width)) {
                        self.leaves.add(weight, dw.to_vec())?;
                    }
                    let weight = self.joined(width)?;
                    // The normalised rows have had their use: their gradient takes their place.
                    let mut dn = normalised;
                    product(
                        self.precision,
                        (rows, width, 3 * width),
                        View::rows(g, 3 * width),
                        View::rows(&weight, width),
                        None,
                        as_target(&mut dn),
                    );
                    Ok(norm.backward(&dn, None, &mut dm))
                })
            })
        })?;
        Ok((
            if x.track_op() { gradient(dx, x)? } else { None },
            if m.track_op() { gradient(dm, m)? } else { None },
        ))
    }
}
