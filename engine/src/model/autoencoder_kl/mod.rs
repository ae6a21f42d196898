//! The variational autoencoder between pictures and latents: diffusers' AutoencoderKL, as FLUX,
//! Stable Diffusion 2, XL and 3, and the demo model use it (docs/reference.md section 3).

mod config;
mod tiles;

use candle_core::{Result as CandleResult, Tensor};
use candle_nn::VarBuilder;

pub use config::AutoencoderKlConfig;

use super::residual::{AttentionBlock, GROUP_NORM_EPS, ResidualBlock};
use crate::kernels::Route;
use crate::kernels::conv::{Conv, ConvShape, Fused, Padding, conv2d};
use crate::kernels::group_norm::GroupNorm;
use crate::{Error, Result};

/// What the encoder says about a picture: a normal distribution for each latent value.
#[derive(Clone, Debug)]
pub struct Posterior {
    /// Means, `[batch, latent channels, height, width]`.
    pub mean: Tensor,
    /// Logarithms of the variances, within -30..=20.
    pub logvar: Tensor,
}

impl Posterior {
    /// The likeliest latent: repeatable.
    ///
    /// # Shapes
    /// - result: `[batch, latent channels, height, width]`
    pub fn mode(&self) -> &Tensor {
        &self.mean
    }

    /// The latent for standard normal noise `eps`.
    ///
    /// # Shapes
    /// - eps and result: the mean's
    ///
    /// # Errors
    /// When the shape does not fit.
    pub fn sample(&self, eps: &Tensor) -> CandleResult<Tensor> {
        &self.mean + ((&self.logvar * 0.5)?.exp()? * eps)?
    }
}

/// Encoder and decoder.
#[derive(Clone, Debug)]
pub struct AutoencoderKl {
    config: AutoencoderKlConfig,
    encoder: Encoder,
    decoder: Decoder,
}

impl AutoencoderKl {
    /// Reads the weights under diffusers' names.
    ///
    /// # Errors
    /// When the configuration is impossible, or a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder, config: AutoencoderKlConfig, route: Route) -> Result<Self> {
        config.check()?;
        let encoder = Encoder::load(&vb, &config, route)?;
        let decoder = Decoder::load(&vb, &config, route)?;
        Ok(Self {
            config,
            encoder,
            decoder,
        })
    }

    /// Shapes and constants.
    pub fn config(&self) -> &AutoencoderKlConfig {
        &self.config
    }

    /// The distribution of the latent, in the autoencoder's own scale.
    ///
    /// # Shapes
    /// - x: `[batch, 3, height, width]` in -1..=1, sides multiples of [`AutoencoderKlConfig::factor`]
    /// - mean, logvar: `[batch, latent channels, height / factor, width / factor]`
    ///
    /// # Errors
    /// When a side is no such multiple.
    pub fn encode(&self, x: &Tensor) -> Result<Posterior> {
        let (_, _, height, width) = x.dims4()?;
        let factor = self.config.factor();
        if height == 0
            || width == 0
            || !height.is_multiple_of(factor)
            || !width.is_multiple_of(factor)
        {
            return Err(Error::Argument(format!(
                "cannot encode a picture of {width} × {height}; its sides must be multiples of {factor}"
            )));
        }
        let moments = self.encoder.forward(x)?;
        let channels = self.config.latent_channels;
        let mean = moments.narrow(1, 0, channels)?.contiguous()?;
        let logvar = moments
            .narrow(1, channels, channels)?
            .contiguous()?
            .clamp(-30f32, 20f32)?;
        Ok(Posterior { mean, logvar })
    }

    /// The picture of a latent in the autoencoder's own scale.
    ///
    /// # Shapes
    /// - z: `[batch, latent channels, height, width]`
    /// - result: `[batch, 3, height · factor, width · factor]`, about -1..=1, not clamped
    ///
    /// # Errors
    /// When the channels do not fit.
    pub fn decode(&self, z: &Tensor) -> Result<Tensor> {
        Ok(self.decoder.forward(z)?)
    }

    /// As [`Self::decode`], in square tiles of `tile` latent values a side that overlap by
    /// `overlap` and are blended linearly: needs memory for one tile only. The normalisation
    /// sees one tile at a time, so colours differ slightly from a decode in one piece.
    ///
    /// # Shapes
    /// - as [`Self::decode`]
    ///
    /// # Errors
    /// When the channels do not fit, or the overlap leaves no tile.
    pub fn decode_tiled(&self, z: &Tensor, tile: usize, overlap: usize) -> Result<Tensor> {
        tiles::decode(z, tile, overlap, self.config.factor(), |part| {
            self.decode(part)
        })
    }

    /// From the autoencoder's scale to the transformer's: `(z − shift) · scale`.
    ///
    /// # Shapes
    /// - z and result: any, alike
    ///
    /// # Errors
    /// When the device fails.
    pub fn to_model_space(&self, z: &Tensor) -> Result<Tensor> {
        let AutoencoderKlConfig {
            scaling_factor: scale,
            shift_factor: shift,
            ..
        } = self.config;
        Ok(z.affine(scale, -shift * scale)?)
    }

    /// From the transformer's scale to the autoencoder's: `u / scale + shift`.
    ///
    /// # Shapes
    /// - u and result: any, alike
    ///
    /// # Errors
    /// When the device fails.
    pub fn from_model_space(&self, u: &Tensor) -> Result<Tensor> {
        Ok(u.affine(1.0 / self.config.scaling_factor, self.config.shift_factor)?)
    }
}

/// Residual block, attention, residual block.
#[derive(Clone, Debug)]
struct MidBlock {
    first: ResidualBlock,
    attention: Option<AttentionBlock>,
    second: ResidualBlock,
}

impl MidBlock {
    fn load(
        vb: VarBuilder,
        channels: usize,
        config: &AutoencoderKlConfig,
        route: Route,
    ) -> CandleResult<Self> {
        let groups = config.norm_num_groups;
        let attention = if config.mid_block_add_attention {
            let vb = vb.pp("attentions.0");
            // Files written before diffusers 0.18 use the second set of names.
            let names = if vb.contains_tensor("query.weight") {
                ["group_norm", "query", "key", "value", "proj_attn"]
            } else {
                ["group_norm", "to_q", "to_k", "to_v", "to_out.0"]
            };
            Some(AttentionBlock::load(vb, channels, groups, names, route)?)
        } else {
            None
        };
        Ok(Self {
            first: ResidualBlock::load(vb.pp("resnets.0"), channels, channels, groups, route)?,
            attention,
            second: ResidualBlock::load(vb.pp("resnets.1"), channels, channels, groups, route)?,
        })
    }

    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let mut h = self.first.forward(x)?;
        if let Some(attention) = &self.attention {
            h = attention.forward(&h)?;
        }
        self.second.forward(&h)
    }
}

/// Residual blocks of one width and the convolution that halves or doubles the picture.
#[derive(Clone, Debug)]
struct Level {
    blocks: Vec<ResidualBlock>,
    resample: Option<Conv>,
}

impl Level {
    fn load(
        vb: VarBuilder,
        inputs: usize,
        outputs: usize,
        layers: usize,
        groups: usize,
        resample: Option<(&str, ConvShape)>,
        route: Route,
    ) -> CandleResult<Self> {
        let blocks = (0..layers)
            .map(|j| {
                ResidualBlock::load(
                    vb.pp("resnets").pp(j),
                    if j == 0 { inputs } else { outputs },
                    outputs,
                    groups,
                    route,
                )
            })
            .collect::<CandleResult<_>>()?;
        let resample = resample
            .map(|(name, shape)| Conv::load(vb.pp(name), shape, true, route))
            .transpose()?;
        Ok(Self { blocks, resample })
    }

    fn forward(&self, x: &Tensor, upsample: bool) -> CandleResult<Tensor> {
        let mut h = x.clone();
        for block in &self.blocks {
            h = block.forward(&h)?;
        }
        match &self.resample {
            Some(conv) => conv2d(
                &h,
                conv,
                Fused {
                    upsample,
                    ..Fused::default()
                },
            ),
            None => Ok(h),
        }
    }
}

#[derive(Clone, Debug)]
struct Encoder {
    conv_in: Conv,
    levels: Vec<Level>,
    mid: MidBlock,
    norm_out: GroupNorm,
    conv_out: Conv,
    quant: Option<Conv>,
}

impl Encoder {
    fn load(root: &VarBuilder, config: &AutoencoderKlConfig, route: Route) -> CandleResult<Self> {
        let vb = root.pp("encoder");
        let widths = &config.block_out_channels;
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let moments = 2 * config.latent_channels;
        let levels = (0..widths.len())
            .map(|i| {
                let halve = ConvShape::halving(widths[i], widths[i], Padding::after(1));
                Level::load(
                    vb.pp("down_blocks").pp(i),
                    widths[i.saturating_sub(1)],
                    widths[i],
                    config.layers_per_block,
                    config.norm_num_groups,
                    (i + 1 < widths.len()).then_some(("downsamplers.0.conv", halve)),
                    route,
                )
            })
            .collect::<CandleResult<_>>()?;
        let quant = config
            .use_quant_conv
            .then(|| {
                Conv::load(
                    root.pp("quant_conv"),
                    ConvShape::pointwise(moments, moments),
                    true,
                    route,
                )
            })
            .transpose()?;
        Ok(Self {
            conv_in: Conv::load(
                vb.pp("conv_in"),
                ConvShape::same3(config.in_channels, first),
                true,
                route,
            )?,
            levels,
            mid: MidBlock::load(vb.pp("mid_block"), last, config, route)?,
            norm_out: GroupNorm::load(
                vb.pp("conv_norm_out"),
                last,
                config.norm_num_groups,
                GROUP_NORM_EPS,
            )?,
            conv_out: Conv::load(
                vb.pp("conv_out"),
                ConvShape::same3(last, moments),
                true,
                route,
            )?,
            quant,
        })
    }

    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let mut h = conv2d(x, &self.conv_in, Fused::default())?;
        for level in &self.levels {
            h = level.forward(&h, false)?;
        }
        h = self.mid.forward(&h)?;
        h = conv2d(
            &h,
            &self.conv_out,
            Fused {
                norm_silu: Some(&self.norm_out),
                ..Fused::default()
            },
        )?;
        match &self.quant {
            Some(conv) => conv2d(&h, conv, Fused::default()),
            None => Ok(h),
        }
    }
}

#[derive(Clone, Debug)]
struct Decoder {
    post_quant: Option<Conv>,
    conv_in: Conv,
    mid: MidBlock,
    levels: Vec<Level>,
    norm_out: GroupNorm,
    conv_out: Conv,
}

impl Decoder {
    fn load(root: &VarBuilder, config: &AutoencoderKlConfig, route: Route) -> CandleResult<Self> {
        let vb = root.pp("decoder");
        let widths: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let latent = config.latent_channels;
        let levels = (0..widths.len())
            .map(|i| {
                let double = ConvShape::same3(widths[i], widths[i]);
                Level::load(
                    vb.pp("up_blocks").pp(i),
                    widths[i.saturating_sub(1)],
                    widths[i],
                    config.layers_per_block + 1,
                    config.norm_num_groups,
                    (i + 1 < widths.len()).then_some(("upsamplers.0.conv", double)),
                    route,
                )
            })
            .collect::<CandleResult<_>>()?;
        let post_quant = config
            .use_post_quant_conv
            .then(|| {
                Conv::load(
                    root.pp("post_quant_conv"),
                    ConvShape::pointwise(latent, latent),
                    true,
                    route,
                )
            })
            .transpose()?;
        Ok(Self {
            post_quant,
            conv_in: Conv::load(
                vb.pp("conv_in"),
                ConvShape::same3(latent, first),
                true,
                route,
            )?,
            mid: MidBlock::load(vb.pp("mid_block"), first, config, route)?,
            levels,
            norm_out: GroupNorm::load(
                vb.pp("conv_norm_out"),
                last,
                config.norm_num_groups,
                GROUP_NORM_EPS,
            )?,
            conv_out: Conv::load(
                vb.pp("conv_out"),
                ConvShape::same3(last, config.out_channels),
                true,
                route,
            )?,
        })
    }

    fn forward(&self, z: &Tensor) -> CandleResult<Tensor> {
        let mut h = match &self.post_quant {
            Some(conv) => conv2d(z, conv, Fused::default())?,
            None => z.clone(),
        };
        h = conv2d(&h, &self.conv_in, Fused::default())?;
        h = self.mid.forward(&h)?;
        for level in &self.levels {
            h = level.forward(&h, true)?;
        }
        conv2d(
            &h,
            &self.conv_out,
            Fused {
                norm_silu: Some(&self.norm_out),
                ..Fused::default()
            },
        )?
        .contiguous()
    }
}
