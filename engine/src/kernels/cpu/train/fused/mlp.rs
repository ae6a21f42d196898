//! The second branch of a stream: normalise, modulate, widen, GELU, narrow, gate, add.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::super::super::buffer::written;
use super::super::super::gemm::product;
use super::super::super::pack::View;
use super::super::linear::column_sums;
use super::super::{chunk_range, floats, gate, gelu, gradient, output, with_floats};
use super::spare::Spare;
use super::{Kept, LeafGradients, Norm, as_target};
use crate::kernels::Precision;

/// The two layers of an MLP: weight and bias of each.
///
/// # Shapes
/// - rise: `[inner, width]` and `[inner]`, fall: `[width, inner]` and `[width]`
#[derive(Clone)]
pub struct Layers {
    /// The first layer.
    pub rise: (Tensor, Tensor),
    /// The second one.
    pub fall: (Tensor, Tensor),
}

/// `x + gate · (gelu((LN(x) · (1 + scale) + shift) · riseᵀ + b) · fallᵀ + c)` with gradients; those
/// of the weights go to `leaves`.
///
/// # Shapes
/// - x and result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
pub fn mlp(
    x: &Tensor,
    modulation: &Tensor,
    [shift, scale, gate]: [usize; 3],
    layers: Layers,
    precision: Precision,
    leaves: &LeafGradients,
) -> Result<Tensor> {
    let operation = Mlp {
        shift,
        scale,
        gate,
        layers,
        precision,
        leaves: leaves.clone(),
        kept: Kept::default(),
    };
    x.contiguous()?
        .apply_op2(&modulation.contiguous()?, operation)
}

struct Mlp {
    shift: usize,
    scale: usize,
    gate: usize,
    layers: Layers,
    precision: Precision,
    leaves: LeafGradients,
    /// The widened rows before GELU, and the branch before its gate.
    kept: Kept,
}

impl Mlp {
    /// `left · weightᵀ + bias`.
    fn layer(
        &self,
        left: &[f32],
        rows: usize,
        (weight, bias): &(Tensor, Tensor),
    ) -> Result<Vec<f32>> {
        let (n, k) = weight.dims2()?;
        with_floats(weight, |weight| {
            with_floats(bias, |bias| {
                let (left, right) = (View::rows(left, k), View::rows(weight, k).transposed());
                // SAFETY: the product writes all of its output.
                Ok(unsafe {
                    written(rows * n, |out| {
                        product(self.precision, (rows, n, k), left, right, Some(bias), out)
                    })
                })
            })
        })
    }

    /// Leaves the gradients of a layer's weight and bias.
    fn leave(
        &self,
        (weight, bias): &(Tensor, Tensor),
        grad: &[f32],
        rows: usize,
        input: &[f32],
    ) -> Result<()> {
        let (n, k) = weight.dims2()?;
        let (left, right) = (View::rows(grad, n).transposed(), View::rows(input, k));
        // SAFETY: the product writes all of its output.
        let dw = unsafe {
            written(n * k, |out| {
                product(self.precision, (n, k, rows), left, right, None, out)
            })
        };
        self.leaves.add(weight, dw)?;
        self.leaves.add(bias, column_sums(grad, n))
    }

    /// Gradient of a layer's input.
    fn back(&self, weight: &Tensor, grad: &[f32], rows: usize, target: &mut [f32]) -> Result<()> {
        let (n, k) = weight.dims2()?;
        with_floats(weight, |weight| {
            let (left, right) = (View::rows(grad, n), View::rows(weight, k));
            product(
                self.precision,
                (rows, k, n),
                left,
                right,
                None,
                as_target(target),
            );
            Ok(())
        })
    }
}

impl CustomOp2 for Mlp {
    fn name(&self) -> &'static str {
        "MLP branch"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        m: &CpuStorage,
        lm: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, tokens, width) = lx.shape().dims3()?;
        let (rows, size) = (batch * tokens, lm.shape().dims2()?.1);
        let (x, m) = (floats(x, lx)?, floats(m, lm)?);
        let wide = {
            let normalised =
                Norm::new(x, (tokens, width), m, size, [self.shift, self.scale])?.forward();
            self.layer(&normalised, rows, &self.layers.rise)?
        };
        let branch = {
            let mut active = Spare::of(wide.len());
            gelu::forward_all(&wide, as_target(&mut active));
            self.layer(&active, rows, &self.layers.fall)?
        };
        let y = gate::forward_rows(
            x,
            &branch,
            m,
            tokens,
            size,
            chunk_range(size, self.gate, width)?,
        );
        self.kept.put([wide, branch]);
        output(y, lx.shape().clone())
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
        let [wide, branch] = self.kept.take()?;
        let mut dm = vec![0f32; m.elem_count()];
        let dx = with_floats(x, |x| {
            with_floats(m, |m| {
                with_floats(grad, |g| {
                    let mut db = Spare::of(rows * width);
                    let range = chunk_range(size, self.gate, width)?;
                    gate::backward_rows(&branch, g, m, tokens, size, range, &mut db, &mut dm);
                    drop(branch);
                    let mut dwide = Spare::of(wide.len());
                    self.back(&self.layers.fall.0, &db, rows, &mut dwide)?;
                    // GELU's gradient, and GELU itself in the place of its argument.
                    let mut active = wide;
                    gelu::backward_and_forward(&mut active, &mut dwide);
                    self.leave(&self.layers.fall, &db, rows, &active)?;
                    drop(active);
                    let norm = Norm::new(x, (tokens, width), m, size, [self.shift, self.scale])?;
                    let normalised = norm.forward();
                    self.leave(&self.layers.rise, &dwide, rows, &normalised)?;
                    // The normalised rows have had their use: their gradient takes their place.
                    let mut dn = normalised;
                    self.back(&self.layers.rise.0, &dwide, rows, &mut dn)?;
                    Ok(norm.backward(&dn, Some(g), &mut dm))
                })
            })
        })?;
        Ok((
            if x.track_op() { gradient(dx, x)? } else { None },
            if m.track_op() { gradient(dm, m)? } else { None },
        ))
    }
}
