//! The transformer's operations as compositions of the tensor library's operations: every one has a
//! gradient and runs on every device. They are the composed route, which is what a card runs, and the
//! oracle of the kernels for the CPU.

use candle_core::{D, Result, Tensor};

use super::types::{Activation, LAYER_NORM_EPS, RopeTable};

/// `x · weightᵀ + bias`.
///
/// # Shapes
/// - x: `[.., in]`, weight: `[out, in]`, bias: `[out]`, result: `[.., out]`
///
/// # Errors
/// When shapes do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let inputs = dims.pop().unwrap_or(1);
    dims.push(weight.dim(0)?);
    let y = x
        .contiguous()?
        .reshape(((), inputs))?
        .matmul(&weight.t()?)?
        .reshape(dims)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

/// GELU in its tanh form.
///
/// # Shapes
/// - x and result: any, alike
///
/// # Errors
/// When the device fails.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    x.gelu()
}

/// Any [`Activation`].
///
/// # Shapes
/// - x and result: any, alike
///
/// # Errors
/// When the device fails.
pub fn activation(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::None => Ok(x.clone()),
        Activation::GeluTanh => gelu(x),
        Activation::GeluErf => x.gelu_erf(),
        Activation::QuickGelu => {
            let exponential = (x * -1.702)?.exp()?;
            x / (exponential + 1.0)?
        }
    }
}

/// `LN(x) · weight + bias`; see [`super::layer_norm()`].
///
/// # Shapes
/// - x and result: `[.., width]`, weight and bias: `[width]`
///
/// # Errors
/// When shapes do not fit.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normalised = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?;
    normalised.broadcast_mul(weight)?.broadcast_add(bias)
}

/// Chunk `index` of width `width` of the modulation vectors, ready to broadcast over tokens.
///
/// # Shapes
/// - modulation: `[batch, chunks · width]`, result: `[batch, 1, width]`
///
/// # Errors
/// When the vectors have no such chunk.
pub fn modulation_chunk(modulation: &Tensor, index: usize, width: usize) -> Result<Tensor> {
    modulation.narrow(1, index * width, width)?.unsqueeze(1)
}

/// `LN(x) · (1 + scale) + shift`; see [`super::layer_norm_modulate`].
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
) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    let mean = x.mean_keepdim(D::Minus1)?;
    let centred = x.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normalised = centred.broadcast_div(&(variance + LAYER_NORM_EPS)?.sqrt()?)?;
    let shift = modulation_chunk(modulation, shift_chunk, width)?;
    let scale = modulation_chunk(modulation, scale_chunk, width)?;
    normalised
        .broadcast_mul(&(scale + 1.0)?)?
        .broadcast_add(&shift)
}

/// `residual + gate · branch`; see [`super::linear_gated`].
///
/// # Shapes
/// - residual, branch and result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
///
/// # Errors
/// When shapes do not fit.
pub fn gate_residual(
    residual: &Tensor,
    branch: &Tensor,
    modulation: &Tensor,
    gate_chunk: usize,
) -> Result<Tensor> {
    let gate = modulation_chunk(modulation, gate_chunk, branch.dim(D::Minus1)?)?;
    residual + branch.broadcast_mul(&gate)?
}

/// Rotates neighbouring channel pairs `(a, b)` to `(a·cos − b·sin, a·sin + b·cos)`.
///
/// # Shapes
/// - x and result: `[batch, heads, tokens, head_dim]`
///
/// # Errors
/// When the table is not one of as many tokens and channel pairs.
pub fn rotate(x: &Tensor, rope: &RopeTable) -> Result<Tensor> {
    let (batch, heads, tokens, head_dim) = x.dims4()?;
    let pairs = x.reshape((batch, heads, tokens, head_dim / 2, 2))?;
    let even = pairs.narrow(4, 0, 1)?.squeeze(4)?;
    let odd = pairs.narrow(4, 1, 1)?.squeeze(4)?;
    let rotated_even = (even.broadcast_mul(&rope.cos)? - odd.broadcast_mul(&rope.sin)?)?;
    let rotated_odd = (even.broadcast_mul(&rope.sin)? + odd.broadcast_mul(&rope.cos)?)?;
    Tensor::stack(&[rotated_even, rotated_odd], 4)?.reshape((batch, heads, tokens, head_dim))
}

/// Joint attention; see [`super::joint_attention`].
///
/// # Shapes
/// - as there
///
/// # Errors
/// When shapes do not fit.
pub fn joint_attention(
    image_qkv: &Tensor,
    text_qkv: Option<&Tensor>,
    heads: usize,
    rope: Option<&RopeTable>,
) -> Result<Tensor> {
    let qkv = match text_qkv {
        Some(text) => Tensor::cat(&[image_qkv, text], 1)?,
        None => image_qkv.clone(),
    };
    let (batch, tokens, triple) = qkv.dims3()?;
    let width = triple / 3;
    if heads == 0 || !triple.is_multiple_of(3 * heads) {
        candle_core::bail!(
            "attention: {triple} values a token are not q, k and v of {heads} heads"
        );
    }
    let head_dim = width / heads;
    let part = |index: usize| -> Result<Tensor> {
        qkv.narrow(2, index * width, width)?
            .reshape((batch, tokens, heads, head_dim))?
            .transpose(1, 2)?
            .contiguous()
    };
    let (mut query, mut key, value) = (part(0)?, part(1)?, part(2)?);
    if let Some(rope) = rope {
        query = rotate(&query, rope)?;
        key = rotate(&key, rope)?;
    }
    let scores = (query.matmul(&key.t()?)? * (1.0 / (head_dim as f64).sqrt()))?;
    let scores = scores
        .broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?
        .exp()?;
    let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
    weights
        .matmul(&value)?
        .transpose(1, 2)?
        .reshape((batch, tokens, width))
}
