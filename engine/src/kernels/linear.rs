//! Linear layers, alone or with what follows them.

use candle_core::{Result, Tensor};

use super::cpu::inference::{self, Branch};
use super::cpu::train;
use super::plain;
use super::types::Activation;
use super::weight::Weight;
use crate::route::Route;

/// `x · weightᵀ + bias`.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
///
/// # Errors
/// When shapes do not fit.
pub fn linear(x: &Tensor, weight: &Weight, bias: Option<&Tensor>) -> Result<Tensor> {
    if let Some(packed) = weight.packed_for(x) {
        return inference::linear(x, packed, bias, Activation::None, None, false);
    }
    let dense = weight.to_dense()?;
    match weight.route() {
        Route::Fused => train::linear(x, &dense, bias, weight.precision()),
        Route::Composed => plain::linear(x, &dense, bias),
    }
}

/// `gelu_tanh(x · weightᵀ + bias)`, the first half of an MLP. The result feeds the second half: in
/// the fast mode without gradients it is bf16.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
///
/// # Errors
/// When shapes do not fit.
pub fn linear_gelu(x: &Tensor, weight: &Weight, bias: &Tensor) -> Result<Tensor> {
    if let Some(packed) = weight.packed_for(x) {
        return inference::linear(x, packed, Some(bias), Activation::GeluTanh, None, true);
    }
    let hidden = linear(x, weight, Some(bias))?;
    match weight.route() {
        Route::Fused => train::gelu(&hidden),
        Route::Composed => plain::gelu(&hidden),
    }
}

/// `activation(x · weightᵀ + bias)` in f32.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
///
/// # Errors
/// When shapes do not fit.
pub fn linear_activation(
    x: &Tensor,
    weight: &Weight,
    bias: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    if let Some(packed) = weight.packed_for(x) {
        return inference::linear(x, packed, Some(bias), activation, None, false);
    }
    plain::activation(&linear(x, weight, Some(bias))?, activation)
}

/// `residual + gate · (x · weightᵀ + bias)` with the gate of each batch element at `gate_chunk`
/// of its modulation vector.
///
/// # Shapes
/// - x: `[batch, tokens, in]`, residual and result: `[batch, tokens, out]`
/// - modulation: `[batch, chunks · out]`
///
/// # Errors
/// When shapes do not fit.
pub fn linear_gated(
    x: &Tensor,
    weight: &Weight,
    bias: Option<&Tensor>,
    residual: &Tensor,
    modulation: &Tensor,
    gate_chunk: usize,
) -> Result<Tensor> {
    if let Some(packed) = weight.packed_for(x)
        && inference::readable(residual)
        && inference::readable(modulation)
    {
        let branch = Branch {
            residual,
            modulation,
            chunk: gate_chunk,
        };
        return inference::linear(x, packed, bias, Activation::None, Some(branch), false);
    }
    let branch = linear(x, weight, bias)?;
    match weight.route() {
        Route::Fused => train::gate_residual(residual, &branch, modulation, gate_chunk),
        Route::Composed => plain::gate_residual(residual, &branch, modulation, gate_chunk),
    }
}
