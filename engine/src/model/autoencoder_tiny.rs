//! The small autoencoders of the TAESD family (TAEF1, TAESD, TAESD3): quick previews of a latent,
//! in diffusers' AutoencoderTiny naming (docs/reference.md section 3).

use candle_core::{Result as CandleResult, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use crate::kernels::Route;
use crate::kernels::conv::{Conv, ConvShape, Fused, Padding, conv2d};
use crate::{Error, Result};

/// Shape of an [`AutoencoderTiny`]; reads a diffusers `config.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutoencoderTinyConfig {
    /// Channels of the latent.
    pub latent_channels: usize,
    /// Width of each encoder level.
    pub encoder_block_out_channels: Vec<usize>,
    /// Width of each decoder level.
    pub decoder_block_out_channels: Vec<usize>,
    /// Blocks of each encoder level.
    pub num_encoder_blocks: Vec<usize>,
    /// Blocks of each decoder level.
    pub num_decoder_blocks: Vec<usize>,
}

impl Default for AutoencoderTinyConfig {
    /// TAESD's shape.
    fn default() -> Self {
        Self {
            latent_channels: 4,
            encoder_block_out_channels: vec![64; 4],
            decoder_block_out_channels: vec![64; 4],
            num_encoder_blocks: vec![1, 3, 3, 3],
            num_decoder_blocks: vec![3, 3, 3, 1],
        }
    }
}

impl AutoencoderTinyConfig {
    /// For FLUX latents without FLUX's shift: give the decoder `(z − shift) · scale`.
    pub fn taef1() -> Self {
        Self {
            latent_channels: 16,
            ..Self::default()
        }
    }

    /// For Stable Diffusion 2 and XL latents.
    pub fn taesd() -> Self {
        Self::default()
    }

    fn check(&self) -> Result<()> {
        let in_range = |n: &usize, most: usize| (1..=most).contains(n);
        let side = |widths: &[usize], blocks: &[usize]| {
            in_range(&widths.len(), 6)
                && widths.len() == blocks.len()
                && widths.iter().all(|w| in_range(w, 1024))
                && widths.windows(2).all(|w| w[0] == w[1])
                && blocks.iter().all(|&b| b <= 16)
        };
        if in_range(&self.latent_channels, 1024)
            && side(&self.encoder_block_out_channels, &self.num_encoder_blocks)
            && side(&self.decoder_block_out_channels, &self.num_decoder_blocks)
        {
            Ok(())
        } else {
            Err(Error::Input(format!(
                "tiny autoencoder: levels of one width and as many block counts as levels are expected, got {self:?}"
            )))
        }
    }
}

/// `relu(conv(relu(conv(relu(conv x)))) + x)`.
#[derive(Clone, Debug)]
struct Block([Conv; 3]);

impl Block {
    fn load(vb: VarBuilder, width: usize, route: Route) -> CandleResult<Self> {
        let shape = ConvShape::same3(width, width);
        let conv = |i: usize| Conv::load(vb.pp("conv").pp(i), shape, true, route);
        Ok(Self([conv(0)?, conv(2)?, conv(4)?]))
    }

    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let relu = Fused {
            relu: true,
            ..Fused::default()
        };
        let h = conv2d(x, &self.0[0], relu)?;
        let h = conv2d(&h, &self.0[1], relu)?;
        conv2d(
            &h,
            &self.0[2],
            Fused {
                residual: Some(x),
                ..relu
            },
        )
    }
}

/// One entry of the sequence that has weights.
#[derive(Clone, Debug)]
enum Layer {
    Conv {
        conv: Conv,
        upsample: bool,
        relu: bool,
    },
    Block(Block),
}

fn run(layers: &[Layer], x: Tensor) -> CandleResult<Tensor> {
    layers.iter().try_fold(x, |x, layer| match layer {
        Layer::Conv {
            conv,
            upsample,
            relu,
        } => conv2d(
            &x,
            conv,
            Fused {
                upsample: *upsample,
                relu: *relu,
                ..Fused::default()
            },
        ),
        Layer::Block(block) => block.forward(&x),
    })
}

/// Encoder and decoder.
#[derive(Clone, Debug)]
pub struct AutoencoderTiny {
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
}

impl AutoencoderTiny {
    /// Reads the weights under diffusers' names.
    ///
    /// # Errors
    /// When the configuration is impossible, or a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder, config: &AutoencoderTinyConfig, route: Route) -> Result<Self> {
        config.check()?;
        Ok(Self {
            encoder: encoder(vb.pp("encoder.layers"), config, route)?,
            decoder: decoder(vb.pp("decoder.layers"), config, route)?,
        })
    }

    /// The latent of a picture, in the scale that [`Self::decode`] takes.
    ///
    /// # Shapes
    /// - x: `[batch, 3, height, width]` in -1..=1, result: `[batch, latent channels, height / 8, width / 8]`
    ///
    /// # Errors
    /// When the shape does not fit.
    pub fn encode(&self, x: &Tensor) -> Result<Tensor> {
        Ok(run(&self.encoder, x.affine(0.5, 0.5)?)?.contiguous()?)
    }

    /// The picture of a latent that has been brought to this autoencoder's space (docs/reference.md
    /// section 3: TAEF1 takes `(z − shift) · scale`, TAESD scaled latents).
    ///
    /// # Shapes
    /// - z: `[batch, latent channels, height, width]`, result: `[batch, 3, 8 · height, 8 · width]`, about -1..=1
    ///
    /// # Errors
    /// When the shape does not fit.
    pub fn decode(&self, z: &Tensor) -> Result<Tensor> {
        // Values beyond ±3 hold no picture: a soft clamp.
        let z = ((z / 3.0)?.tanh()? * 3.0)?;
        Ok(run(&self.decoder, z)?.contiguous()?.affine(2.0, -1.0)?)
    }
}

fn encoder(
    vb: VarBuilder,
    config: &AutoencoderTinyConfig,
    route: Route,
) -> CandleResult<Vec<Layer>> {
    let mut layers = Vec::new();
    let mut width = 3;
    for (level, (&outputs, &blocks)) in config
        .encoder_block_out_channels
        .iter()
        .zip(&config.num_encoder_blocks)
        .enumerate()
    {
        let conv = if level == 0 {
            Conv::load(
                vb.pp(layers.len()),
                ConvShape::same3(width, outputs),
                true,
                route,
            )?
        } else {
            let shape = ConvShape::halving(width, outputs, Padding::all(1));
            Conv::load(vb.pp(layers.len()), shape, false, route)?
        };
        layers.push(Layer::Conv {
            conv,
            upsample: false,
            relu: false,
        });
        for _ in 0..blocks {
            layers.push(Layer::Block(Block::load(
                vb.pp(layers.len()),
                outputs,
                route,
            )?));
        }
        width = outputs;
    }
    let conv = Conv::load(
        vb.pp(layers.len()),
        ConvShape::same3(width, config.latent_channels),
        true,
        route,
    )?;
    layers.push(Layer::Conv {
        conv,
        upsample: false,
        relu: false,
    });
    Ok(layers)
}

fn decoder(
    vb: VarBuilder,
    config: &AutoencoderTinyConfig,
    route: Route,
) -> CandleResult<Vec<Layer>> {
    let widths = &config.decoder_block_out_channels;
    let first = Conv::load(
        vb.pp(0),
        ConvShape::same3(config.latent_channels, widths[0]),
        true,
        route,
    )?;
    let mut layers = vec![Layer::Conv {
        conv: first,
        upsample: false,
        relu: true,
    }];
    // Upstream counts the ReLU and each upsampling as layers of their own.
    let mut index = 2;
    for (level, (&width, &blocks)) in widths.iter().zip(&config.num_decoder_blocks).enumerate() {
        for _ in 0..blocks {
            layers.push(Layer::Block(Block::load(vb.pp(index), width, route)?));
            index += 1;
        }
        let is_last = level + 1 == widths.len();
        if !is_last {
            index += 1;
        }
        let shape = ConvShape::same3(width, if is_last { 3 } else { width });
        let conv = Conv::load(vb.pp(index), shape, is_last, route)?;
        layers.push(Layer::Conv {
            conv,
            upsample: !is_last,
            relu: false,
        });
        index += 1;
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn a_picture_becomes_an_eighth_and_back() {
        let config = AutoencoderTinyConfig {
            encoder_block_out_channels: vec![8; 4],
            decoder_block_out_channels: vec![8; 4],
            ..AutoencoderTinyConfig::taef1()
        };
        for route in [Route::Fused, Route::Composed] {
            let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
            let model = AutoencoderTiny::load(vb, &config, route).unwrap();
            let x = Tensor::zeros((1, 3, 32, 16), DType::F32, &Device::Cpu).unwrap();
            let z = model.encode(&x).unwrap();
            assert_eq!(z.dims(), [1, 16, 4, 2]);
            assert_eq!(model.decode(&z).unwrap().dims(), [1, 3, 32, 16]);
        }
    }

    #[test]
    fn uneven_levels_are_refused() {
        let config = AutoencoderTinyConfig {
            num_decoder_blocks: vec![1],
            ..AutoencoderTinyConfig::taesd()
        };
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let loaded = AutoencoderTiny::load(vb, &config, Route::Fused);
        assert!(matches!(loaded, Err(Error::Input(_))));
    }
}
