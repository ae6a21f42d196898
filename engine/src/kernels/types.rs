//! The plain data that the operations, their implementations and their callers share.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// Epsilon of the transformer's LayerNorm (docs/reference.md section 1).
pub const LAYER_NORM_EPS: f64 = 1e-6;

/// A function applied to every value of a layer's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// The value itself.
    #[default]
    None,
    /// GELU in its tanh form.
    GeluTanh,
    /// GELU with the error function.
    GeluErf,
    /// `x · sigmoid(1.702 x)`.
    QuickGelu,
}

/// Rotation angles of all tokens, image tokens first (docs/reference.md section 1, RoPE).
#[derive(Clone, Debug)]
pub struct RopeTable {
    /// Cosines, `[tokens, head_dim / 2]`.
    pub cos: Tensor,
    /// Sines, `[tokens, head_dim / 2]`.
    pub sin: Tensor,
}

/// Zeros around the picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Above and to the left.
    pub before: usize,
    /// Below and to the right.
    pub after: usize,
}

impl Padding {
    /// The same number of pixels on all sides.
    pub const fn all(pixels: usize) -> Self {
        Self {
            before: pixels,
            after: pixels,
        }
    }

    /// Below and to the right only, as diffusers pads before a strided convolution.
    pub const fn after(pixels: usize) -> Self {
        Self {
            before: 0,
            after: pixels,
        }
    }
}

/// What kind of convolution a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Side of the square window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Zeros around the picture.
    pub padding: Padding,
}

impl ConvShape {
    /// 3×3, stride 1, the picture keeps its size.
    pub const fn same3(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            kernel: 3,
            stride: 1,
            padding: Padding::all(1),
        }
    }

    /// 1×1: a linear layer over the channels of each pixel.
    pub const fn pointwise(inputs: usize, outputs: usize) -> Self {
        Self {
            inputs,
            outputs,
            kernel: 1,
            stride: 1,
            padding: Padding::all(0),
        }
    }

    /// 3×3, stride 2: halves the picture.
    pub const fn halving(inputs: usize, outputs: usize, padding: Padding) -> Self {
        Self {
            inputs,
            outputs,
            kernel: 3,
            stride: 2,
            padding,
        }
    }

    /// Side of the result for a side of the input, or `None` when the window does not fit.
    pub fn output_side(&self, side: usize) -> Option<usize> {
        let padded = side + self.padding.before + self.padding.after;
        Some(padded.checked_sub(self.kernel)? / self.stride + 1)
    }
}

/// Scale and shift of one GroupNorm layer.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    /// Scale of each channel, `[channels]`.
    pub weight: Tensor,
    /// Shift of each channel, `[channels]`.
    pub bias: Tensor,
    /// Number of groups; divides the channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f64,
}

impl GroupNorm {
    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.weight.elem_count()
    }
}

/// What is computed together with a convolution, so that no intermediate picture is written.
/// The order is: normalise and SiLU, upsample, convolve, add the residual, ReLU.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fused<'a> {
    /// GroupNorm and SiLU of the input.
    pub norm_silu: Option<&'a GroupNorm>,
    /// Nearest upsampling of the input by two.
    pub upsample: bool,
    /// Added to the result; has its shape.
    pub residual: Option<&'a Tensor>,
    /// ReLU of the result.
    pub relu: bool,
}
