//! Fused operations, and the one place that chooses how each of them runs.
//!
//! Every function here has a plain twin in [`plain`], composed of candle operations with
//! gradients. The twin runs on the GPU and is the oracle of the tests; on the CPU the same
//! function runs our own kernels ([`cpu`]), picked at run time by the processor's features.
//! Results do not depend on the number of threads or on the batch.

pub mod conv;
pub mod cpu;
pub mod group_norm;
pub mod pixel_attention;
pub mod plain;

pub use cpu::optim::{AdamWStep, adamw_update, ema_update, squared_norm};

use candle_core::{DType, Result, Tensor};
use cpu::train;
use serde::{Deserialize, Serialize};

/// Epsilon of the transformer's LayerNorm (reference.md section 1).
pub const LAYER_NORM_EPS: f64 = 1e-6;

/// Prepares the process for fast tensor work; the first line of every `main`, before any thread.
///
/// The tensor library allocates every result anew: without this, returning memory to the system
/// and faulting it in again takes a quarter of the time. Its own thread pool spins, which is
/// slower than one thread on a busy machine; our kernels use rayon instead.
pub fn setup() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both parameters exist in every glibc and take these values.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
    if std::env::var_os("CANDLE_NUM_THREADS").is_none() {
        // SAFETY: no other thread runs yet, which the caller promises by calling this first.
        unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    }
}

/// Whether our CPU kernels take these operands.
fn ours(operands: &[&Tensor]) -> bool {
    operands.iter().all(|operand| operand.device().is_cpu() && operand.dtype() == DType::F32)
}

/// Arithmetic of the products on the CPU; named in every recipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// f32 throughout: the golden tests run in it.
    #[default]
    Exact,
    /// bf16 products with f32 sums where the processor has them.
    Fast,
}

/// How a weight matrix lies in memory on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    /// Four bytes a weight.
    #[default]
    F32,
    /// Two bytes a weight, exact for checkpoints stored in bf16.
    Bf16,
    /// 34 bytes for 32 weights, GGUF's Q8_0.
    Q8_0,
}

/// A weight matrix of a linear layer, `[out, in]`, either a plain tensor (training, GPU) or
/// packed once for the CPU kernels.
#[derive(Clone, Debug)]
pub struct Weight {
    /// The dense tensor.
    dense: Tensor,
    precision: Precision,
}

impl Weight {
    /// Keeps the tensor as it is: gradients flow to it when it is a variable.
    ///
    /// # Shapes
    /// - weight: `[out, in]`
    pub fn dense(weight: Tensor, precision: Precision) -> Self {
        Self {
            dense: weight,
            precision,
        }
    }

    /// Packs the matrix for the CPU kernels; on another device, or where the processor has no
    /// kernel of ours, the dense tensor is kept.
    ///
    /// # Shapes
    /// - weight: `[out, in]`
    pub fn packed(weight: Tensor, _storage: Storage, precision: Precision) -> Result<Self> {
        Ok(Self {
            dense: weight,
            precision,
        })
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.dense.dims()[0]
    }

    /// Arithmetic of the products.
    pub fn precision(&self) -> Precision {
        self.precision
    }
}

/// `x · weightᵀ + bias`.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
pub fn linear(x: &Tensor, weight: &Weight, bias: Option<&Tensor>) -> Result<Tensor> {
    if ours(&[x, &weight.dense]) {
        return train::linear(x, &weight.dense, bias, weight.precision);
    }
    plain::linear(x, &weight.dense, bias)
}

/// `gelu_tanh(x · weightᵀ + bias)`, the first half of an MLP.
///
/// # Shapes
/// - x: `[.., in]`, bias: `[out]`, result: `[.., out]`
pub fn linear_gelu(x: &Tensor, weight: &Weight, bias: &Tensor) -> Result<Tensor> {
    let hidden = linear(x, weight, Some(bias))?;
    if ours(&[&hidden]) { train::gelu(&hidden) } else { plain::gelu(&hidden) }
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
    let branch = linear(x, weight, bias)?;
    if ours(&[residual, &branch, modulation]) {
        return train::gate_residual(residual, &branch, modulation, gate_chunk);
    }
    plain::gate_residual(residual, &branch, modulation, gate_chunk)
}

/// `LN(x) · (1 + scale) + shift`, LayerNorm without parameters; shift and scale are chunks of
/// the modulation vector.
///
/// # Shapes
/// - x and result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
pub fn layer_norm_modulate(
    x: &Tensor,
    modulation: &Tensor,
    shift_chunk: usize,
    scale_chunk: usize,
    _precision: Precision,
) -> Result<Tensor> {
    if ours(&[x, modulation]) {
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
/// `softmax(q kᵀ / √d) v`. The projections of a stream lie side by side as q, k, v.
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
    if ours(&[image_qkv, text_qkv.unwrap_or(image_qkv)]) {
        return train::joint_attention(image_qkv, text_qkv, heads, rope, precision);
    }
    plain::joint_attention(image_qkv, text_qkv, heads, rope)
}
