//! LayerNorm, with weights of its own or modulated.

use candle_core::{Result, Tensor};

use super::cpu::{inference, train};
use super::plain;
use crate::precision::Precision;
use crate::route::Route;

/// `LN(x) · weight + bias`.
///
/// # Shapes
/// - x and result: `[.., width]`, weight and bias: `[width]`
///
/// # Errors
/// When shapes do not fit.
pub fn layer_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f64,
    route: Route,
) -> Result<Tensor> {
    if route.infers(&[x, weight, bias]) {
        return inference::layer_norm(x, weight, bias, epsilon);
    }
    plain::layer_norm(x, weight, bias, epsilon)
}

/// `LN(x) · (1 + scale) + shift`, LayerNorm without parameters; shift and scale are chunks of
/// the modulation vector. The result feeds a linear layer: in the fast mode without gradients it
/// is bf16.
///
/// # Shapes
/// - x and result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
///
/// # Errors
/// When shapes do not fit.
pub fn layer_norm_modulate(
    x: &Tensor,
    modulation: &Tensor,
    shift_chunk: usize,
    scale_chunk: usize,
    precision: Precision,
    route: Route,
) -> Result<Tensor> {
    if route.infers(&[x, modulation]) {
        return inference::layer_norm_modulate(x, modulation, shift_chunk, scale_chunk, precision);
    }
    match route {
        Route::Fused => train::layer_norm_modulate(x, modulation, shift_chunk, scale_chunk),
        Route::Composed => plain::layer_norm_modulate(x, modulation, shift_chunk, scale_chunk),
    }
}
