//! The face parser: a small U-Net of our own that labels each pixel of a portrait with one of 19
//! classes (the model card in its package says what it was trained on and how well it does).

use candle_core::{Result as CandleResult, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::residual::{AttentionBlock, ResidualBlock};
use crate::kernels::Route;
use crate::kernels::conv::{Conv, ConvShape, Fused, Padding, conv2d, upsample_concat};
use crate::kernels::group_norm::GroupNorm;
use crate::labels::LabelImage;
use crate::{Error, Result};

/// Shape of a [`FaceParser`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaceParserConfig {
    /// Width of each level, half of the picture's resolution first.
    pub widths: Vec<usize>,
    /// Groups of every GroupNorm.
    pub groups: usize,
    /// Number of classes.
    pub classes: usize,
    /// Epsilon of every GroupNorm.
    pub eps: f64,
    /// Side of the picture it was trained on.
    pub size: usize,
}

impl Default for FaceParserConfig {
    fn default() -> Self {
        Self {
            widths: vec![24, 48, 72, 96],
            groups: 8,
            classes: 19,
            eps: 1e-6,
            size: 256,
        }
    }
}

impl FaceParserConfig {
    fn check(&self) -> Result<()> {
        let widths_fit = self
            .widths
            .iter()
            .all(|w| (1..=2048).contains(w) && self.groups > 0 && w.is_multiple_of(self.groups));
        if !(1..=6).contains(&self.widths.len())
            || !widths_fit
            || !(1..=256).contains(&self.classes)
        {
            return Err(Error::Input(format!(
                "face parser: impossible shape {self:?}; correct its config"
            )));
        }
        Ok(())
    }
}

/// The network.
#[derive(Clone, Debug)]
pub struct FaceParser {
    config: FaceParserConfig,
    conv_in: Conv,
    down: Vec<[ResidualBlock; 2]>,
    pool: Vec<Conv>,
    attention: AttentionBlock,
    mid: ResidualBlock,
    up: Vec<ResidualBlock>,
    norm_out: GroupNorm,
    conv_out: Conv,
    route: Route,
}

impl FaceParser {
    /// Reads the weights.
    ///
    /// # Errors
    /// When the configuration is impossible, or a tensor is missing or has another shape.
    pub fn load(vb: VarBuilder, config: FaceParserConfig, route: Route) -> Result<Self> {
        config.check()?;
        let (widths, groups) = (&config.widths, config.groups);
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let levels = widths.len();
        let down = (0..levels)
            .map(|i| {
                let vb = vb.pp("down").pp(i);
                Ok([
                    ResidualBlock::load(
                        vb.pp(0),
                        widths[i.saturating_sub(1)],
                        widths[i],
                        groups,
                        route,
                    )?,
                    ResidualBlock::load(vb.pp(1), widths[i], widths[i], groups, route)?,
                ])
            })
            .collect::<CandleResult<_>>()?;
        let pool = (0..levels - 1)
            .map(|i| {
                Conv::load(
                    vb.pp("pool").pp(i),
                    ConvShape::halving(widths[i], widths[i], Padding::all(1)),
                    true,
                    route,
                )
            })
            .collect::<CandleResult<_>>()?;
        let up = (0..levels - 1)
            .map(|i| {
                let (below, skip) = (widths[levels - 1 - i], widths[levels - 2 - i]);
                ResidualBlock::load(vb.pp("up").pp(i), below + skip, skip, groups, route)
            })
            .collect::<CandleResult<_>>()?;
        let names = ["norm", "to_q", "to_k", "to_v", "to_out"];
        Ok(Self {
            conv_in: Conv::load(
                vb.pp("conv_in"),
                ConvShape::halving(3, first, Padding::all(1)),
                true,
                route,
            )?,
            down,
            pool,
            attention: AttentionBlock::load(vb.pp("attn"), last, groups, names, route)?,
            mid: ResidualBlock::load(vb.pp("mid"), last, last, groups, route)?,
            up,
            norm_out: GroupNorm::load(vb.pp("norm_out"), first, groups, config.eps)?,
            conv_out: Conv::load(
                vb.pp("conv_out"),
                ConvShape::same3(first, config.classes),
                true,
                route,
            )?,
            route,
            config,
        })
    }

    /// Shape of the network.
    pub fn config(&self) -> &FaceParserConfig {
        &self.config
    }

    /// Scores of all classes at half resolution.
    ///
    /// # Shapes
    /// - x: `[batch, 3, height, width]` in -1..=1, sides multiples of 2 to the number of levels
    /// - result: `[batch, classes, height / 2, width / 2]`
    ///
    /// # Errors
    /// When a side is no such multiple.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let factor = 1 << self.config.widths.len();
        if height == 0
            || width == 0
            || !height.is_multiple_of(factor)
            || !width.is_multiple_of(factor)
        {
            return Err(Error::Internal(format!(
                "cannot parse a picture of {width} × {height}; scale it to {0} × {0} first",
                self.config.size
            )));
        }
        let mut h = conv2d(x, &self.conv_in, Fused::default())?;
        let mut skips = Vec::new();
        for (i, [first, second]) in self.down.iter().enumerate() {
            h = second.forward(&first.forward(&h)?)?;
            if let Some(pool) = self.pool.get(i) {
                let halved = conv2d(&h, pool, Fused::default())?;
                skips.push(std::mem::replace(&mut h, halved));
            }
        }
        h = self.mid.forward(&self.attention.forward(&h)?)?;
        for (block, skip) in self.up.iter().zip(skips.iter().rev()) {
            h = block.forward(&upsample_concat(&h, skip, self.route)?)?;
        }
        let fused = Fused {
            norm_silu: Some(&self.norm_out),
            ..Fused::default()
        };
        Ok(conv2d(&h, &self.conv_out, fused)?.contiguous()?)
    }

    /// The class of each pixel of one picture.
    ///
    /// # Shapes
    /// - x: `[1, 3, height, width]` in -1..=1; the network was trained on [`FaceParserConfig::size`]
    ///
    /// # Errors
    /// As [`Self::forward`], and when there is more than one picture or the scores are not finite.
    pub fn parse(&self, x: &Tensor) -> Result<LabelImage> {
        let (batch, _, height, width) = x.dims4()?;
        if batch != 1 {
            return Err(Error::Internal(format!(
                "one picture is parsed at a time, got {batch}"
            )));
        }
        let logits = self.forward(x)?.flatten_all()?.to_vec1::<f32>()?;
        if logits.iter().any(|v| !v.is_finite()) {
            return Err(Error::NotFinite("the face parser's result".into()));
        }
        Ok(LabelImage {
            width,
            height,
            labels: labels(&logits, self.config.classes, height / 2, width / 2),
        })
    }
}

/// Bilinear ×2 (pixel centres, edges repeated) of each class's scores, then the highest class of
/// each pixel; the lower class on a tie.
fn labels(logits: &[f32], classes: usize, height: usize, width: usize) -> Vec<u8> {
    // Output pixel p lies at (p + ½) / 2 − ½: a quarter to the left or right of a source pixel.
    let taps = |p: usize, length: usize| {
        let near = p / 2;
        let far = if p.is_multiple_of(2) {
            near.saturating_sub(1)
        } else {
            (near + 1).min(length - 1)
        };
        (near, far)
    };
    let mut labels = Vec::with_capacity(4 * height * width);
    for y in 0..2 * height {
        let (row, other_row) = taps(y, height);
        for x in 0..2 * width {
            let (column, other_column) = taps(x, width);
            let mut best = (f32::NEG_INFINITY, 0);
            for class in 0..classes {
                let plane = &logits[class * height * width..][..height * width];
                let blend = |row: usize| {
                    0.75 * plane[row * width + column] + 0.25 * plane[row * width + other_column]
                };
                let score = 0.75 * blend(row) + 0.25 * blend(other_row);
                if score > best.0 {
                    best = (score, class);
                }
            }
            labels.push(best.1 as u8);
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};

    use super::*;

    fn blank() -> FaceParser {
        let config = FaceParserConfig {
            widths: vec![8, 8, 16],
            ..FaceParserConfig::default()
        };
        FaceParser::load(
            VarBuilder::zeros(DType::F32, &Device::Cpu),
            config,
            Route::Fused,
        )
        .unwrap()
    }

    #[test]
    fn labels_interpolate_between_pixel_centres() {
        // Class 0 falls and class 1 rises along a row of two: they are equal in the middle.
        let labels = labels(&[1., 0., 0., 1.], 2, 1, 2);
        assert_eq!(labels, [0, 0, 1, 1, 0, 0, 1, 1]);
    }

    #[test]
    fn the_mask_has_the_pictures_size() {
        let x = Tensor::zeros((1, 3, 32, 16), DType::F32, &Device::Cpu).unwrap();
        let mask = blank().parse(&x).unwrap();
        assert_eq!((mask.width, mask.height, mask.labels.len()), (16, 32, 512));
    }

    #[test]
    fn other_sides_are_refused() {
        let x = Tensor::zeros((1, 3, 30, 16), DType::F32, &Device::Cpu).unwrap();
        assert!(matches!(blank().parse(&x), Err(Error::Internal(_))));
    }
}
