//! GroupNorm, alone or followed by SiLU, as the convolutional networks use it.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

pub use super::types::GroupNorm;
use crate::route::Route;

impl GroupNorm {
    /// Reads `weight` and `bias`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the groups do not divide the channels.
    pub fn load(vb: VarBuilder, channels: usize, groups: usize, eps: f64) -> Result<Self> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            candle_core::bail!(
                "{}: {channels} channels cannot be split into {groups} groups",
                vb.prefix()
            );
        }
        Ok(Self {
            weight: vb.get(channels, "weight")?,
            bias: vb.get(channels, "bias")?,
            groups,
            eps,
        })
    }
}

/// `GroupNorm(x)`, then SiLU when asked.
///
/// # Shapes
/// - x and result: `[batch, channels, height, width]`
///
/// # Errors
/// When the channels do not fit.
pub fn group_norm(x: &Tensor, norm: &GroupNorm, silu: bool, route: Route) -> Result<Tensor> {
    if route.infers(&[x]) {
        return super::cpu::norm::group_norm(x, norm, silu);
    }
    plain_group_norm(x, norm, silu)
}

/// The same as a composition of tensor operations; see [`group_norm`].
///
/// # Shapes
/// - x and result: `[batch, channels, height, width]`
///
/// # Errors
/// When the channels do not fit.
pub fn plain_group_norm(x: &Tensor, norm: &GroupNorm, silu: bool) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let grouped = x
        .contiguous()?
        .reshape((batch, norm.groups, ()))?
        .to_dtype(DType::F32)?;
    let centred = grouped.broadcast_sub(&grouped.mean_keepdim(2)?)?;
    let variance = centred.sqr()?.mean_keepdim(2)?;
    let normalised = centred.broadcast_div(&(variance + norm.eps)?.sqrt()?)?;
    let y = normalised
        .reshape((batch, channels, height, width))?
        .to_dtype(x.dtype())?
        .broadcast_mul(&norm.weight.reshape((1, channels, 1, 1))?)?
        .broadcast_add(&norm.bias.reshape((1, channels, 1, 1))?)?;
    if silu { y.silu() } else { Ok(y) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn every_group_has_mean_zero_and_variance_one() {
        let x = Tensor::randn(3f32, 5., (2, 8, 6, 4), &Device::Cpu).unwrap();
        let norm = GroupNorm {
            weight: Tensor::ones(8, DType::F32, &Device::Cpu).unwrap(),
            bias: Tensor::zeros(8, DType::F32, &Device::Cpu).unwrap(),
            groups: 2,
            eps: 1e-6,
        };
        let y = group_norm(&x, &norm, false, Route::Fused)
            .unwrap()
            .contiguous()
            .unwrap()
            .reshape((4, ()))
            .unwrap();
        for row in y.to_vec2::<f32>().unwrap() {
            let mean = row.iter().sum::<f32>() / row.len() as f32;
            let variance = row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32;
            assert!(
                mean.abs() < 1e-5 && (variance - 1.).abs() < 1e-4,
                "{mean} {variance}"
            );
        }
    }

    #[test]
    fn agrees_with_the_plain_twin() {
        // A large mean beside a small spread would show digits lost in the sums.
        for (batch, channels, groups, height, width) in [
            (2, 8, 2, 6, 4),
            (1, 48, 8, 33, 17),
            (2, 24, 8, 5, 5),
            (1, 64, 4, 40, 30),
        ] {
            let x =
                Tensor::randn(20f32, 1., (batch, channels, height, width), &Device::Cpu).unwrap();
            let norm = GroupNorm {
                weight: Tensor::randn(1f32, 0.3, channels, &Device::Cpu).unwrap(),
                bias: Tensor::randn(0f32, 1., channels, &Device::Cpu).unwrap(),
                groups,
                eps: 1e-6,
            };
            for silu in [false, true] {
                let (a, b) = (
                    group_norm(&x, &norm, silu, Route::Fused).unwrap(),
                    plain_group_norm(&x, &norm, silu).unwrap(),
                );
                let worst = (a - b)
                    .unwrap()
                    .abs()
                    .unwrap()
                    .max_all()
                    .unwrap()
                    .to_scalar::<f32>()
                    .unwrap();
                assert!(worst < 5e-5, "{channels} channels: {worst}");
            }
        }
    }

    #[test]
    fn groups_must_divide_the_channels() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let error = GroupNorm::load(vb.pp("norm"), 10, 4, 1e-6)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("10 channels cannot be split into 4 groups"),
            "{error}"
        );
    }
}
