//! The two blocks that the autoencoder and the face parser are made of.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::kernels::Route;
use crate::kernels::conv::{Conv, ConvShape, Fused, conv2d};
use crate::kernels::group_norm::{GroupNorm, group_norm};
use crate::kernels::pixel_attention::pixel_attention;

/// Epsilon of every GroupNorm here (docs/reference.md section 3).
pub const GROUP_NORM_EPS: f64 = 1e-6;

/// `conv2(silu(norm2(conv1(silu(norm1 x))))) + shortcut(x)`, names as in diffusers' ResnetBlock2D.
#[derive(Clone, Debug)]
pub struct ResidualBlock {
    norm1: GroupNorm,
    conv1: Conv,
    norm2: GroupNorm,
    conv2: Conv,
    shortcut: Option<Conv>,
}

impl ResidualBlock {
    /// Reads the block; `conv_shortcut` exists where the widths differ.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the groups do not divide a width.
    pub fn load(
        vb: VarBuilder,
        inputs: usize,
        outputs: usize,
        groups: usize,
        route: Route,
    ) -> Result<Self> {
        let shortcut = if inputs == outputs {
            None
        } else {
            Some(Conv::load(
                vb.pp("conv_shortcut"),
                ConvShape::pointwise(inputs, outputs),
                true,
                route,
            )?)
        };
        Ok(Self {
            norm1: GroupNorm::load(vb.pp("norm1"), inputs, groups, GROUP_NORM_EPS)?,
            conv1: Conv::load(
                vb.pp("conv1"),
                ConvShape::same3(inputs, outputs),
                true,
                route,
            )?,
            norm2: GroupNorm::load(vb.pp("norm2"), outputs, groups, GROUP_NORM_EPS)?,
            conv2: Conv::load(
                vb.pp("conv2"),
                ConvShape::same3(outputs, outputs),
                true,
                route,
            )?,
            shortcut,
        })
    }

    /// Runs the block.
    ///
    /// # Shapes
    /// - x: `[batch, inputs, height, width]`, result: `[batch, outputs, height, width]`
    ///
    /// # Errors
    /// When the channels do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = conv2d(
            x,
            &self.conv1,
            Fused {
                norm_silu: Some(&self.norm1),
                ..Fused::default()
            },
        )?;
        let shortcut = match &self.shortcut {
            Some(conv) => conv2d(x, conv, Fused::default())?,
            None => x.clone(),
        };
        conv2d(
            &h,
            &self.conv2,
            Fused {
                norm_silu: Some(&self.norm2),
                residual: Some(&shortcut),
                ..Fused::default()
            },
        )
    }
}

/// Attention of one head over all pixels, with GroupNorm before and the input added after.
#[derive(Clone, Debug)]
pub struct AttentionBlock {
    norm: GroupNorm,
    query: Conv,
    key: Conv,
    value: Conv,
    out: Conv,
    route: Route,
}

/// Names of an attention block's parts: norm, query, key, value, output projection.
pub type AttentionNames = [&'static str; 5];

impl AttentionBlock {
    /// Reads the block under the given names.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the groups do not divide the channels.
    pub fn load(
        vb: VarBuilder,
        channels: usize,
        groups: usize,
        names: AttentionNames,
        route: Route,
    ) -> Result<Self> {
        let [norm, query, key, value, out] = names;
        let linear = |name| Conv::load_linear(vb.pp(name), channels, channels, route);
        Ok(Self {
            norm: GroupNorm::load(vb.pp(norm), channels, groups, GROUP_NORM_EPS)?,
            query: linear(query)?,
            key: linear(key)?,
            value: linear(value)?,
            out: linear(out)?,
            route,
        })
    }

    /// Runs the block.
    ///
    /// # Shapes
    /// - x and result: `[batch, channels, height, width]`
    ///
    /// # Errors
    /// When the channels do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = group_norm(x, &self.norm, false, self.route)?;
        let project = |conv| conv2d(&h, conv, Fused::default());
        let h = pixel_attention(
            &project(&self.query)?,
            &project(&self.key)?,
            &project(&self.value)?,
            self.route,
        )?;
        conv2d(
            &h,
            &self.out,
            Fused {
                residual: Some(x),
                ..Fused::default()
            },
        )
    }
}
