//! Attention over the tokens of both streams.

use candle_core::{Result, Tensor};

use super::cpu::{inference, train};
use super::plain;
use super::types::RopeTable;
use crate::precision::Precision;
use crate::route::Route;

/// Attention over image and text tokens together: RoPE on queries and keys, then
/// `softmax(q kᵀ / √d) v`. The projections of a stream lie side by side as q, k, v. The result
/// feeds a linear layer: in the fast mode without gradients it is bf16.
///
/// # Shapes
/// - image_qkv: `[batch, image tokens, 3 · width]`
/// - text_qkv: `[batch, text tokens, 3 · width]`, or `None` when one stream holds all tokens
/// - result: `[batch, image + text tokens, width]`
///
/// # Errors
/// When shapes do not fit, or the heads do not divide the width.
pub fn joint_attention(
    image_qkv: &Tensor,
    text_qkv: Option<&Tensor>,
    heads: usize,
    rope: Option<&RopeTable>,
    precision: Precision,
    route: Route,
) -> Result<Tensor> {
    if route == Route::Composed {
        return plain::joint_attention(image_qkv, text_qkv, heads, rope);
    }
    if route.infers(&[image_qkv, text_qkv.unwrap_or(image_qkv)])
        && let Some(result) =
            inference::joint_attention(image_qkv, text_qkv, heads, rope, precision)?
    {
        return Ok(result);
    }
    train::joint_attention(image_qkv, text_qkv, heads, rope, precision)
}
