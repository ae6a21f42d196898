//! The second branch of a stream: normalise, modulate, widen, GELU, narrow, gate, add.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::super::super::operands::{chunk_range, floats, with_floats};
use super::super::layer_norm::Rows;
use super::super::linear::{Products, column_sums};
use super::super::{gate, gelu, gradient, output};
use super::spare::Spare;
use super::{Kept, LeafGradients};
use crate::precision::Precision;

/// The two layers of an MLP: weight and bias of each.
///
/// # Shapes
/// - rise: `[inner, width]` and `[inner]`, fall: `[width, inner]` and `[width]`
#[derive(Clone)]
pub(crate) struct Layers {
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
///
/// # Errors
/// When the shapes do not fit each other, or an operand is not f32 on the CPU.
pub(crate) fn mlp(
    x: &Tensor,
    modulation: &Tensor,
    [shift, scale, gate]: [usize; 3],
    layers: Layers,
    precision: Precision,
    leaves: &LeafGradients,
) -> Result<Tensor> {
    let operation = Mlp {
        places: [shift, scale],
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
    /// Chunks of the modulation with shift and scale.
    places: [usize; 2],
    gate: usize,
    layers: Layers,
    precision: Precision,
    leaves: LeafGradients,
    /// The widened rows before GELU, and the branch before its gate.
    kept: Kept,
}

impl Mlp {
    fn products(&self, rows: usize, weight: &Tensor) -> Result<Products> {
        let (outputs, inputs) = weight.dims2()?;
        Ok(Products {
            precision: self.precision,
            rows,
            outputs,
            inputs,
        })
    }

    /// A layer's output.
    fn layer(&self, x: &[f32], rows: usize, (weight, bias): &(Tensor, Tensor)) -> Result<Vec<f32>> {
        let products = self.products(rows, weight)?;
        with_floats(weight, |weight| {
            with_floats(bias, |bias| Ok(products.forward(x, weight, Some(bias))))
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
        let products = self.products(rows, weight)?;
        self.leaves.add(weight, products.of_weight(grad, input))?;
        self.leaves.add(bias, column_sums(grad, products.outputs))
    }

    /// Gradient of a layer's input.
    fn back(&self, weight: &Tensor, grad: &[f32], rows: usize, target: &mut [f32]) -> Result<()> {
        let products = self.products(rows, weight)?;
        with_floats(weight, |weight| {
            products.of_input(grad, weight, target);
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
        let (rows, vectors) = (batch * tokens, lm.shape().dims2()?);
        let size = vectors.1;
        let (x, m) = (floats(x, lx)?, floats(m, lm)?);
        let wide = {
            let mut normalised = Spare::of(x.len());
            Rows::new((x, (batch, tokens, width)), (m, vectors), self.places)?
                .forward(&mut normalised);
            self.layer(&normalised, rows, &self.layers.rise)?
        };
        let branch = {
            let mut active = Spare::of(wide.len());
            gelu::forward_all(&wide, &mut active[..]);
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
        let (rows, vectors) = (batch * tokens, m.dims2()?);
        let size = vectors.1;
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
                    let norm = Rows::new((x, (batch, tokens, width)), (m, vectors), self.places)?;
                    let mut normalised = Spare::of(rows * width);
                    norm.forward(&mut normalised);
                    self.leave(&self.layers.rise, &dwide, rows, &normalised)?;
                    // The normalised rows have had their use: their gradient takes their place.
                    let mut dn = normalised;
                    self.back(&self.layers.rise.0, &dwide, rows, &mut dn)?;
                    Ok(norm.backward(&dn, Some(g), &mut dm))
                })
            })
        })?;
        Ok((gradient(dx, x)?, gradient(dm, m)?))
    }
}
