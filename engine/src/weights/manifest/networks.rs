//! What a package says of its autoencoder and its text tower.

use serde::{Deserialize, Serialize};

use crate::model::autoencoder_kl::AutoencoderKlConfig;
use crate::model::clip_text::{Activation, ClipTextConfig, EndOfText};

/// A linear map from latents to colours, the cheapest preview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentPreview {
    /// Red, green and blue of each latent channel.
    pub factors: Vec<[f32; 3]>,
    /// What is added; the result lies in −1..=1.
    pub bias: [f32; 3],
}

/// Family of the autoencoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LatentKind {
    /// diffusers' AutoencoderKL.
    #[default]
    AutoencoderKl,
}

/// The latent space and the autoencoder that spans it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentConfig {
    /// Family of the autoencoder.
    #[serde(default)]
    pub kind: LatentKind,
    /// Channels of a latent.
    pub channels: usize,
    /// Width of each level, full resolution first.
    pub widths: Vec<usize>,
    /// Residual blocks of an encoder level.
    #[serde(default = "one")]
    pub layers: usize,
    /// Groups of every GroupNorm.
    pub groups: usize,
    /// 1×1 convolutions around the latent.
    #[serde(default)]
    pub quant_convs: bool,
    /// Attention in the middle of encoder and decoder.
    #[serde(default = "yes")]
    pub attention: bool,
    /// The model sees `(latent − shift) · scale`.
    pub scale: f64,
    /// See `scale`.
    #[serde(default)]
    pub shift: f64,
    /// The cheapest preview, on latents as the model sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<LatentPreview>,
    /// What the preview decoder wants subtracted from latents as the model sees them.
    #[serde(default)]
    pub tiny_shift: f64,
}

impl LatentConfig {
    /// The autoencoder's own configuration.
    pub fn autoencoder(&self) -> AutoencoderKlConfig {
        AutoencoderKlConfig {
            in_channels: 3,
            out_channels: 3,
            block_out_channels: self.widths.clone(),
            layers_per_block: self.layers,
            latent_channels: self.channels,
            norm_num_groups: self.groups,
            use_quant_conv: self.quant_convs,
            use_post_quant_conv: self.quant_convs,
            mid_block_add_attention: self.attention,
            scaling_factor: self.scale,
            shift_factor: self.shift,
        }
    }

    /// The part of a package that an autoencoder's configuration gives.
    pub fn from_autoencoder(config: &AutoencoderKlConfig) -> Self {
        Self {
            kind: LatentKind::AutoencoderKl,
            channels: config.latent_channels,
            widths: config.block_out_channels.clone(),
            layers: config.layers_per_block,
            groups: config.norm_num_groups,
            quant_convs: config.use_quant_conv,
            attention: config.mid_block_add_attention,
            scale: config.scaling_factor,
            shift: config.shift_factor,
            preview: None,
            tiny_shift: 0.0,
        }
    }
}

/// Family of the text tower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextKind {
    /// CLIP's text tower.
    #[default]
    ClipText,
}

/// The text tower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// Family of the text tower.
    #[serde(default)]
    pub kind: TextKind,
    /// Width of the hidden states.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Longest prompt in tokens.
    pub tokens: usize,
    /// Rows of the token table.
    pub vocabulary: usize,
    /// Inner width of the MLPs; 0 = four times the width.
    #[serde(default)]
    pub inner: usize,
    /// Token id that fills the rest of a short prompt.
    #[serde(default)]
    pub pad: u32,
    /// Activation of the MLPs.
    #[serde(default)]
    pub activation: Activation,
    /// Where the pooled vector is taken.
    #[serde(default)]
    pub end: EndOfText,
}

impl TextConfig {
    /// The tower's own configuration.
    pub fn tower(&self) -> ClipTextConfig {
        ClipTextConfig {
            width: self.width,
            layers: self.layers,
            heads: self.heads,
            tokens: self.tokens,
            vocabulary: self.vocabulary,
            inner: if self.inner == 0 {
                self.width.saturating_mul(4)
            } else {
                self.inner
            },
            pad: self.pad,
            activation: self.activation,
            end: self.end,
            epsilon: 1e-5,
        }
    }

    /// The part of a package that a tower's configuration gives.
    pub fn from_tower(config: &ClipTextConfig) -> Self {
        Self {
            kind: TextKind::ClipText,
            width: config.width,
            layers: config.layers,
            heads: config.heads,
            tokens: config.tokens,
            vocabulary: config.vocabulary,
            inner: config.inner,
            pad: config.pad,
            activation: config.activation,
            end: config.end,
        }
    }
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}
