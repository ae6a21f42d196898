//! From the tokens of a stream to its q, k and v: normalise, modulate, multiply.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::super::super::operands::{floats, with_floats};
use super::super::layer_norm::Rows;
use super::super::linear::Products;
use super::super::{gradient, output};
use super::LeafGradients;
use super::spare::Spare;
use crate::precision::Precision;

/// `(LN(x) · (1 + scale) + shift) · [q; k; v]ᵀ` with gradients, shift and scale the chunks of the
/// modulation at `places`; the gradients of the weights go to `leaves`.
///
/// # Shapes
/// - x: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
/// - weights: three of `[width, width]`; result: `[batch, tokens, 3 · width]`
///
/// # Errors
/// When the shapes do not fit each other, or an operand is not f32 on the CPU.
pub(crate) fn project(
    x: &Tensor,
    modulation: &Tensor,
    places: [usize; 2],
    weights: &[Tensor; 3],
    precision: Precision,
    leaves: &LeafGradients,
) -> Result<Tensor> {
    let operation = Project {
        places,
        weights: weights.clone(),
        precision,
        leaves: leaves.clone(),
    };
    x.contiguous()?
        .apply_op2(&modulation.contiguous()?, operation)
}

struct Project {
    /// Chunks of the modulation with shift and scale.
    places: [usize; 2],
    weights: [Tensor; 3],
    precision: Precision,
    leaves: LeafGradients,
}

impl Project {
    fn products(&self, rows: usize, width: usize) -> Products {
        Products {
            precision: self.precision,
            rows,
            outputs: 3 * width,
            inputs: width,
        }
    }

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
        let (x, m) = (floats(x, lx)?, floats(m, lm)?);
        let dims = (batch, tokens, width);
        let norm = Rows::new((x, dims), (m, lm.shape().dims2()?), self.places)?;
        let mut normalised = Spare::of(batch * tokens * width);
        norm.forward(&mut normalised);
        let products = self.products(batch * tokens, width);
        let y = products.forward(&normalised, &self.joined(width)?, None);
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
        let (rows, vectors) = (batch * tokens, m.dims2()?);
        let mut dm = vec![0f32; m.elem_count()];
        let dx = with_floats(x, |x| {
            with_floats(m, |m| {
                with_floats(grad, |g| {
                    let norm = Rows::new((x, (batch, tokens, width)), (m, vectors), self.places)?;
                    let mut normalised = Spare::of(rows * width);
                    norm.forward(&mut normalised);
                    let products = self.products(rows, width);
                    let dw = products.of_weight(g, &normalised);
                    for (weight, dw) in self.weights.iter().zip(dw.chunks_exact(width * width)) {
                        self.leaves.add(weight, dw.to_vec())?;
                    }
                    // The normalised rows have had their use: their gradient takes their place.
                    let mut dn = normalised;
                    products.of_input(g, &self.joined(width)?, &mut dn[..]);
                    Ok(norm.backward(&dn, None, &mut dm))
                })
            })
        })?;
        Ok((gradient(dx, x)?, gradient(dm, m)?))
    }
}
