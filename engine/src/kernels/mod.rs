//! Fused operations, and the one place that chooses how each of them runs.
//!
//! Every function here has a plain twin in [`plain`], composed of candle operations with
//! gradients. The twin runs on the GPU and is the oracle of the tests; on the CPU the same
//! function runs our own kernels ([`cpu`]), picked at run time by the processor's features.
//! Results do not depend on the number of threads or on the batch.

pub mod conv;
mod cpu;
pub mod group_norm;
pub mod pixel_attention;
pub mod plain;

pub use cpu::finish::Activation;
pub use cpu::optim::{AdamWStep, adamw_update, ema_update, squared_norm};
pub use cpu::train::fused;

pub use crate::precision::{Precision, Storage};

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};
use cpu::inference::{self, Branch};
use cpu::operands::with_floats;
use cpu::train;
use cpu::weight::PackedWeight;

/// Epsilon of the transformer's LayerNorm (reference.md section 1).
pub const LAYER_NORM_EPS: f64 = 1e-6;

/// Prepares the process for fast tensor work; the first line of every `main`.
///
/// The tensor library allocates every result anew: without this, returning memory to the system
/// and faulting it in again takes a quarter of the time.
///
/// # Safety
/// No other thread runs: the allocator may not be told while another thread allocates.
pub unsafe fn setup() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both parameters exist in every glibc and take these values; the caller promises that
    // no other thread allocates.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// Whether our CPU kernels take these operands.
fn ours(operands: &[&Tensor]) -> bool {
    operands
        .iter()
        .all(|operand| operand.device().is_cpu() && operand.dtype() == DType::F32)
}

/// Whether the [`fused`] branches take these operands: one of them leads to a gradient, so that
/// the backward pass comes by.
pub fn fuses(operands: &[&Tensor]) -> bool {
    ours(operands) && operands.iter().any(|operand| operand.track_op())
}

/// A weight matrix of a linear layer, `[out, in]`, either a plain tensor (training, GPU) or
/// packed once for the CPU kernels. Clones share it.
#[derive(Clone, Debug)]
pub struct Weight {
    kept: Kept,
    precision: Precision,
}

#[derive(Clone, Debug)]
enum Kept {
    Dense(Tensor),
    Packed(Arc<PackedWeight>),
}

impl Weight {
    /// Keeps the tensor as it is: gradients flow to it when it is a variable.
    ///
    /// # Shapes
    /// - weight: `[out, in]`
    pub fn dense(weight: Tensor, precision: Precision) -> Self {
        Self {
            kept: Kept::Dense(weight),
            precision,
        }
    }

    /// Packs the matrix for the CPU kernels; on another device the dense tensor is kept. Storage
    /// and arithmetic are independent: weights kept in fewer bytes are expanded piece by piece
    /// while they are multiplied.
    ///
    /// # Shapes
    /// - weight: `[out, in]`
    ///
    /// # Errors
    /// When the weight is not a matrix.
    pub fn packed(weight: Tensor, storage: Storage, precision: Precision) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        if !weight.device().is_cpu() {
            return Ok(Self::dense(weight, precision));
        }
        let weight = weight.detach().to_dtype(DType::F32)?;
        let packed = with_floats(&weight, |values| {
            Ok(PackedWeight::new(
                values, outputs, inputs, storage, precision,
            ))
        })?;
        Ok(Self {
            kept: Kept::Packed(Arc::new(packed)),
            precision,
        })
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        match &self.kept {
            Kept::Dense(weight) => weight.dims()[0],
            Kept::Packed(weight) => weight.outputs(),
        }
    }

    /// Bytes that the weight takes.
    pub fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Dense(weight) => weight.elem_count() * weight.dtype().size_in_bytes(),
            Kept::Packed(weight) => weight.bytes(),
        }
    }

    /// Arithmetic of the products.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The matrix that was kept as it is.
    pub fn as_dense(&self) -> Option<&Tensor> {
        match &self.kept {
            Kept::Dense(weight) => Some(weight),
            Kept::Packed(_) => None,
        }
    }

    /// The packed matrix, when it can multiply this input without a gradient.
    fn packed_for(&self, x: &Tensor) -> Option<&PackedWeight> {
        match &self.kept {
            Kept::Packed(weight) if inference::readable(x) => Some(weight),
            _ => None,
        }
    }

    /// The matrix as a tensor. A packed one is unpacked for the rare input with a gradient.
    fn to_dense(&self) -> Result<Tensor> {
        match &self.kept {
            Kept::Dense(weight) => Ok(weight.clone()),
            Kept::Packed(weight) => Tensor::from_vec(
                weight.unpack(),
                (weight.outputs(), weight.inputs()),
                &Device::Cpu,
            ),
        }
    }
}

/// `x · weightᵀ + bias`.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
pub fn linear(x: &Tensor, weight: &Weight, bias: Option<&Tensor>) -> Result<Tensor> {
    if let Some(packed) = weight.packed_for(x) {
        return inference::linear(x, packed, bias, Activation::None, None, false);
    }
    let dense = weight.to_dense()?;
    if ours(&[x, &dense]) {
        return train::linear(x, &dense, bias, weight.precision);
    }
    plain::linear(x, &dense, bias)
}

/// `gelu_tanh(x · weightᵀ + bias)`, the first half of an MLP. The result feeds the second half: in
/// the fast mode without gradients it is bf16.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
pub fn linear_gelu(x: &Tensor, weight: &Weight, bias: &Tensor) -> Result<Tensor> {
    if let Some(packed) = weight.packed_for(x) {
        return inference::linear(x, packed, Some(bias), Activation::GeluTanh, None, true);
    }
    let hidden = linear(x, weight, Some(bias))?;
    if ours(&[&hidden]) {
        train::gelu(&hidden)
    } else {
        plain::gelu(&hidden)
    }
}

/// `activation(x · weightᵀ + bias)` in f32.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
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
    if ours(&[residual, &branch, modulation]) {
        return train::gate_residual(residual, &branch, modulation, gate_chunk);
    }
    plain::gate_residual(residual, &branch, modulation, gate_chunk)
}

/// `LN(x) · weight + bias`.
///
/// # Shapes
/// - x and result: `[.., width]`, weight and bias: `[width]`
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let operands = [x, weight, bias];
    if ours(&operands) && operands.iter().all(|operand| !operand.track_op()) {
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
pub fn layer_norm_modulate(
    x: &Tensor,
    modulation: &Tensor,
    shift_chunk: usize,
    scale_chunk: usize,
    precision: Precision,
) -> Result<Tensor> {
    if ours(&[x, modulation]) {
        if !x.track_op() && !modulation.track_op() {
            return inference::layer_norm_modulate(
                x,
                modulation,
                shift_chunk,
                scale_chunk,
                precision,
            );
        }
        return train::layer_norm_modulate(x, modulation, shift_chunk, scale_chunk);
    }
    plain::layer_norm_modulate(x, modulation, shift_chunk, scale_chunk)
}

/// Rotation angles of all tokens, image tokens first (reference.md section 1, RoPE).
#[derive(Clone, Debug)]
pub struct RopeTable {
    /// Cosines, `[tokens, head_dim / 2]`.
    pub cos: Tensor,
    /// Sines, `[tokens, head_dim / 2]`.
    pub sin: Tensor,
}

/// Attention over image and text tokens together: RoPE on queries and keys, then
/// `softmax(q kᵀ / √d) v`. The projections of a stream lie side by side as q, k, v. The result
/// feeds a linear layer: in the fast mode without gradients it is bf16.
///
/// # Shapes
/// - image_qkv: `[batch, image tokens, 3 · width]`
/// - text_qkv: `[batch, text tokens, 3 · width]`, or `None` when one stream holds all tokens
/// - result: `[batch, image + text tokens, width]`
pub fn joint_attention(
    image_qkv: &Tensor,
    text_qkv: Option<&Tensor>,
    heads: usize,
    rope: Option<&RopeTable>,
    precision: Precision,
) -> Result<Tensor> {
    let other = text_qkv.unwrap_or(image_qkv);
    if ours(&[image_qkv, other]) {
        if !image_qkv.track_op()
            && !other.track_op()
            && let Some(result) =
                inference::joint_attention(image_qkv, text_qkv, heads, rope, precision)?
        {
            return Ok(result);
        }
        return train::joint_attention(image_qkv, text_qkv, heads, rope, precision);
    }
    plain::joint_attention(image_qkv, text_qkv, heads, rope)
}

#[cfg(test)]
mod tests;
