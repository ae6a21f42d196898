//! `y = x · wᵀ + b` by three products: the result, the input's and the weight's gradient. No
//! operand is transposed in memory; packing reads it along either stride.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::super::features::multiversion;
use super::super::gemm::product;
use super::super::operands::{floats, with_floats};
use super::super::output::{FloatSlot, written};
use super::super::pack::View;
use super::{gradient, output};
use crate::precision::Precision;

/// `x · weightᵀ + bias` with gradients.
///
/// # Shapes
/// - x: `[.., in]`, weight: `[out, in]`, bias: `[out]`, result: `[.., out]`
pub(crate) fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    precision: Precision,
) -> Result<Tensor> {
    let x = x.contiguous()?;
    let weight = weight.contiguous()?;
    match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, Linear { precision }),
        None => x.apply_op2(&weight, Linear { precision }),
    }
}

/// The three products of a linear layer: of `rows` inputs and a weight `[outputs, inputs]`.
#[derive(Clone, Copy)]
pub(super) struct Products {
    pub(super) precision: Precision,
    pub(super) rows: usize,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
}

impl Products {
    /// `x · weightᵀ + bias`.
    pub(super) fn forward(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let Self {
            precision,
            rows: m,
            outputs: n,
            inputs: k,
        } = *self;
        let (left, right) = (View::rows(x, k), View::rows(weight, k).transposed());
        // SAFETY: the product writes every element.
        unsafe {
            written::<f32>(m * n, |y| {
                product(precision, (m, n, k), left, right, bias, y)
            })
        }
    }

    /// `grad · weight`, the gradient of the input; writes every element of `dx`.
    pub(super) fn of_input<S: FloatSlot>(&self, grad: &[f32], weight: &[f32], dx: &mut [S]) {
        let Self {
            precision,
            rows: m,
            outputs: n,
            inputs: k,
        } = *self;
        let (left, right) = (View::rows(grad, n), View::rows(weight, k));
        product(precision, (m, k, n), left, right, None, dx);
    }

    /// `gradᵀ · x`, the gradient of the weight.
    pub(super) fn of_weight(&self, grad: &[f32], x: &[f32]) -> Vec<f32> {
        let Self {
            precision,
            rows: m,
            outputs: n,
            inputs: k,
        } = *self;
        let (left, right) = (View::rows(grad, n).transposed(), View::rows(x, k));
        // SAFETY: the product writes every element.
        unsafe {
            written::<f32>(n * k, |dw| {
                product(precision, (n, k, m), left, right, None, dw)
            })
        }
    }
}

struct Linear {
    precision: Precision,
}

impl Linear {
    fn products(&self, rows: usize, (outputs, inputs): (usize, usize)) -> Products {
        Products {
            precision: self.precision,
            rows,
            outputs,
            inputs,
        }
    }

    fn forward(
        &self,
        (x, x_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (floats(x, x_layout)?, floats(weight, weight_layout)?);
        let (n, k) = weight_layout.shape().dims2()?;
        let mut dims = x_layout.dims().to_vec();
        if dims.pop() != Some(k) || bias.is_some_and(|bias| bias.len() != n) {
            bail!(
                "linear: input {:?} does not fit weight [{n}, {k}]",
                x_layout.dims()
            );
        }
        let m: usize = dims.iter().product();
        dims.push(n);
        let products = self.products(m, (n, k));
        let y = products.forward(x, w, bias);
        output(y, dims)
    }

    fn backward(
        &self,
        x: &Tensor,
        weight: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (n, k) = weight.dims2()?;
        let m = x.elem_count() / k.max(1);
        let products = self.products(m, (n, k));
        with_floats(grad, |g| {
            let dx = if x.track_op() {
                with_floats(weight, |w| {
                    // SAFETY: the product writes every element.
                    let dx = unsafe { written::<f32>(m * k, |dx| products.of_input(g, w, dx)) };
                    gradient(dx, x)
                })?
            } else {
                None
            };
            let dw = if weight.track_op() {
                with_floats(x, |x| gradient(products.of_weight(g, x), weight))?
            } else {
                None
            };
            Ok((dx, dw))
        })
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((x, lx), (w, lw), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.backward(x, w, grad)
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear with bias"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((x, lx), (w, lw), Some(floats(b, lb)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = self.backward(x, w, grad)?;
        let db = if b.track_op() {
            gradient(
                with_floats(grad, |g| Ok(column_sums(g, b.elem_count())))?,
                b,
            )?
        } else {
            None
        };
        Ok((dx, dw, db))
    }
}

/// Columns that one job sums.
const COLUMNS: usize = 128;

/// Sum of every column of a row-major matrix.
pub(super) fn column_sums(matrix: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0f32; columns];
    sums.par_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(chunk, sums)| add_rows(sums, matrix, columns, chunk * COLUMNS));
    sums
}

multiversion! {
    fn add_rows(sums: &mut [f32], matrix: &[f32], columns: usize, first: usize) {
        for row in matrix.chunks_exact(columns) {
            for (sum, value) in sums.iter_mut().zip(&row[first..]) {
                *sum += value;
            }
        }
    }
}
