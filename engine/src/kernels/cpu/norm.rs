//! GroupNorm on the CPU, channels last: one pass for the sums, one for the values. The second can
//! run inside the convolution that follows.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::features::multiversion;
use super::output::written;
use super::picture::{Affine, Size, affine, affine_silu, from_channels_last, with_channels_last};
use crate::kernels::types::GroupNorm;

/// Pixels whose sums are taken in f32; blocks are added in f64, always in the same order.
const BLOCK: usize = 512;

/// Scale and shift of one layer.
pub(crate) struct Parameters {
    weight: Vec<f32>,
    bias: Vec<f32>,
    groups: usize,
    eps: f64,
}

/// GroupNorm of each picture as one factor and one shift for each channel.
pub(crate) struct Affines {
    channels: usize,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Affines {
    /// Of one picture.
    pub(crate) fn of(&self, picture: usize) -> Affine<'_> {
        let range = picture * self.channels..(picture + 1) * self.channels;
        Affine {
            scale: &self.scale[range.clone()],
            shift: &self.shift[range],
        }
    }
}

impl Parameters {
    /// Reads a layer for pictures of `channels` channels.
    pub(crate) fn read(norm: &GroupNorm, channels: usize) -> Result<Self> {
        if norm.channels() != channels {
            candle_core::bail!(
                "GroupNorm of {} channels on a picture of {channels}",
                norm.channels()
            );
        }
        if norm.bias.elem_count() != channels
            || norm.groups == 0
            || !channels.is_multiple_of(norm.groups)
        {
            candle_core::bail!(
                "GroupNorm of {channels} channels in {} groups with {} shifts",
                norm.groups,
                norm.bias.elem_count()
            );
        }
        Ok(Self {
            weight: norm.weight.to_vec1()?,
            bias: norm.bias.to_vec1()?,
            groups: norm.groups,
            eps: norm.eps,
        })
    }

    /// Takes the sums over pictures that lie channels last.
    pub(crate) fn affine(&self, values: &[f32], size: Size) -> Affines {
        let channels = size.channels;
        let block = BLOCK * channels;
        let (mut scale, mut shift) = (Vec::new(), Vec::new());
        for picture in values.chunks_exact(size.picture().max(1)) {
            // Sums around the first pixel's values: no digits are lost when the mean is large.
            let pivot = &picture[..channels];
            let sums: Vec<Vec<f32>> = picture
                .par_chunks(block)
                .map(|pixels| {
                    let mut sums = vec![0f32; 2 * channels];
                    moments(pixels, pivot, &mut sums);
                    sums
                })
                .collect();
            let total = |index: usize| sums.iter().map(|sums| f64::from(sums[index])).sum::<f64>();
            let pixels = (size.height * size.width) as f64;
            let members = channels / self.groups;
            for group in 0..self.groups {
                let range = group * members..(group + 1) * members;
                let count = pixels * members as f64;
                let mean = range
                    .clone()
                    .map(|c| total(c) + pixels * f64::from(pivot[c]))
                    .sum::<f64>()
                    / count;
                // Σ (x − mean)² = Σ (x − pivot)² − 2 (mean − pivot) Σ (x − pivot) + n (mean − pivot)²
                let variance = range
                    .clone()
                    .map(|c| {
                        let offset = mean - f64::from(pivot[c]);
                        total(channels + c) - 2.0 * offset * total(c) + pixels * offset * offset
                    })
                    .sum::<f64>()
                    / count;
                let inverse = 1.0 / (variance.max(0.0) + self.eps).sqrt();
                for c in range {
                    let factor = inverse * f64::from(self.weight[c]);
                    scale.push(factor as f32);
                    shift.push((f64::from(self.bias[c]) - mean * factor) as f32);
                }
            }
        }
        Affines {
            channels,
            scale,
            shift,
        }
    }
}

multiversion! {
    /// Sums of `x − pivot` and of its square for each channel, one behind the other.
    fn moments(pixels: &[f32], pivot: &[f32], sums: &mut [f32]) {
        const LANES: usize = 16;
        let channels = pivot.len();
        let (first, second) = sums.split_at_mut(channels);
        for channel in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - channel);
            if lanes == LANES {
                let mut around = [0f32; LANES];
                around.copy_from_slice(&pivot[channel..channel + LANES]);
                // Two sums of each kind: one alone would wait for its own last addition.
                let (mut a, mut b) = ([[0f32; LANES]; 2], [[0f32; LANES]; 2]);
                for pair in pixels.chunks(2 * channels) {
                    for (i, pixel) in pair.chunks_exact(channels).enumerate() {
                        let x = &pixel[channel..channel + LANES];
                        for l in 0..LANES {
                            let d = x[l] - around[l];
                            a[i][l] += d;
                            b[i][l] += d * d;
                        }
                    }
                }
                for l in 0..LANES {
                    first[channel + l] = a[0][l] + a[1][l];
                    second[channel + l] = b[0][l] + b[1][l];
                }
            } else {
                for c in channel..channel + lanes {
                    for pixel in pixels.chunks_exact(channels) {
                        let d = pixel[c] - pivot[c];
                        first[c] += d;
                        second[c] += d * d;
                    }
                }
            }
        }
    }
}

/// GroupNorm, then SiLU when asked; see [`crate::kernels::group_norm::group_norm`].
///
/// # Shapes
/// - x and result: `[batch, channels, height, width]`
pub(crate) fn group_norm(x: &Tensor, norm: &GroupNorm, silu: bool) -> Result<Tensor> {
    let size = Size::of(x)?;
    let parameters = Parameters::read(norm, size.channels)?;
    let values = with_channels_last(x, |values| {
        let affines = parameters.affine(values, size);
        let line = (size.channels * size.width).max(1);
        // SAFETY: every line of every picture is written: it is a whole number of pixels.
        unsafe {
            written::<f32>(values.len(), |out| {
                out.par_chunks_mut(line)
                    .zip(values.par_chunks(line))
                    .enumerate()
                    .for_each(|(i, (target, source))| {
                        let Affine { scale, shift } = affines.of(i / size.height);
                        if silu {
                            affine_silu(source, scale, shift, target)
                        } else {
                            affine(source, scale, shift, target)
                        }
                    });
            })
        }
    })?;
    from_channels_last(values, size)
}
