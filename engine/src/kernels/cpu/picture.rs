//! Pictures in memory: channels last inside the kernels, whatever order the tensor has.

use candle_core::{Result, Tensor};

use super::features::multiversion;
use super::operands::with_floats;
use super::output::Slot;
use super::simd::sigmoid;

/// Sizes of a batch of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Number of pictures.
    pub batch: usize,
    /// Channels of a pixel.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// Of a tensor `[batch, channels, height, width]`.
    ///
    /// # Shapes
    /// - x: `[batch, channels, height, width]`
    pub(crate) fn of(x: &Tensor) -> Result<Self> {
        let (batch, channels, height, width) = x.dims4()?;
        Ok(Self {
            batch,
            channels,
            height,
            width,
        })
    }

    /// Values in one picture.
    pub(crate) fn picture(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Calls `read` with the values of a CPU f32 tensor, channels last; copies only when they lie
/// otherwise.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`; `read` gets `[batch, height, width, channels]`
pub(crate) fn with_channels_last<R>(x: &Tensor, read: impl FnOnce(&[f32]) -> R) -> Result<R> {
    with_floats(&x.permute((0, 2, 3, 1))?, |values| Ok(read(values)))
}

/// A tensor `[batch, channels, height, width]` over values that lie channels last.
///
/// # Shapes
/// - values: `[batch, height, width, channels]`, result: `[batch, channels, height, width]`
pub(crate) fn from_channels_last(values: Vec<f32>, size: Size) -> Result<Tensor> {
    let Size {
        batch,
        channels,
        height,
        width,
    } = size;
    Tensor::from_vec(
        values,
        (batch, height, width, channels),
        &candle_core::Device::Cpu,
    )?
    .permute((0, 3, 1, 2))
}

/// `silu(x · scale + shift)` of each channel, what is left of GroupNorm once its sums are known.
#[derive(Clone, Copy)]
pub(crate) struct Affine<'a> {
    /// Factor of each channel.
    pub scale: &'a [f32],
    /// Shift of each channel.
    pub shift: &'a [f32],
}

/// One picture, channels last, as the convolutions read it.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Its values.
    pub values: &'a [f32],
    /// Channels of a pixel.
    pub channels: usize,
    /// Rows before upsampling.
    pub height: usize,
    /// Columns before upsampling.
    pub width: usize,
    /// Read every pixel twice along both sides.
    pub upsample: bool,
    /// Normalise and SiLU on the way.
    pub norm_silu: Option<Affine<'a>>,
}

/// A rectangle of the padded picture.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    /// First row; negative in the padding.
    pub top: isize,
    /// First column; negative in the padding.
    pub left: isize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl Source<'_> {
    /// Copies a window to `patch`, zero outside of the picture; each pixel takes `pixel` values,
    /// of which those behind the channels are zero.
    pub(crate) fn load(&self, window: Window, pixel: usize, patch: &mut [f32]) {
        let double = usize::from(self.upsample);
        let (height, width) = (self.height << double, self.width << double);
        // Columns of the window that lie inside of the picture.
        let inside = |first: isize, count: usize, length: usize| {
            let from = (-first).clamp(0, count as isize) as usize;
            let to = (length as isize - first).clamp(from as isize, count as isize) as usize;
            from..to
        };
        let rows = inside(window.top, window.rows, height);
        let columns = inside(window.left, window.columns, width);
        for (y, line) in patch
            .chunks_exact_mut(window.columns * pixel)
            .take(window.rows)
            .enumerate()
        {
            if !rows.contains(&y) || columns.is_empty() {
                line.fill(0.0);
                continue;
            }
            line[..columns.start * pixel].fill(0.0);
            line[columns.end * pixel..].fill(0.0);
            let row = (window.top + y as isize) as usize >> double;
            let source =
                &self.values[row * self.width * self.channels..][..self.width * self.channels];
            let first = (window.left + columns.start as isize) as usize;
            let target = &mut line[columns.start * pixel..columns.end * pixel];
            if double == 0 && pixel == self.channels {
                let source = &source[first * pixel..][..target.len()];
                match self.norm_silu {
                    Some(Affine { scale, shift }) => affine_silu(source, scale, shift, target),
                    None => target.copy_from_slice(source),
                }
                continue;
            }
            for (x, target) in target.chunks_exact_mut(pixel).enumerate() {
                let source = &source[((first + x) >> double) * self.channels..][..self.channels];
                let (target, rest) = target.split_at_mut(self.channels);
                rest.fill(0.0);
                match self.norm_silu {
                    Some(Affine { scale, shift }) => affine_silu(source, scale, shift, target),
                    None => target.copy_from_slice(source),
                }
            }
        }
    }
}

multiversion! {
    /// `silu(x · scale + shift)`, whole pixels at a time.
    pub(crate) fn affine_silu<S: Slot>(source: &[f32], scale: &[f32], shift: &[f32], target: &mut [S]) {
        let channels = scale.len();
        for (source, target) in source.chunks_exact(channels).zip(target.chunks_exact_mut(channels)) {
            for (((t, s), scale), shift) in target.iter_mut().zip(source).zip(scale).zip(shift) {
                let v = s * scale + shift;
                t.put(v * sigmoid(v));
            }
        }
    }
}

multiversion! {
    /// `x · scale + shift`, whole pixels at a time.
    pub(crate) fn affine<S: Slot>(source: &[f32], scale: &[f32], shift: &[f32], target: &mut [S]) {
        let channels = scale.len();
        for (source, target) in source.chunks_exact(channels).zip(target.chunks_exact_mut(channels)) {
            for (((t, s), scale), shift) in target.iter_mut().zip(source).zip(scale).zip(shift) {
                t.put(s * scale + shift);
            }
        }
    }
}

multiversion! {
    /// Writes finished pixels: sums with `stride` values a pixel, plus bias, plus residual (empty
    /// for none), at least `floor`.
    pub(crate) fn finish<S: Slot>(sums: &[f32], stride: usize, bias: &[f32], residual: &[f32], floor: f32, target: &mut [S]) {
        let channels = bias.len();
        for (i, (target, sums)) in target.chunks_exact_mut(channels).zip(sums.chunks_exact(stride)).enumerate() {
            if residual.is_empty() {
                for ((t, s), b) in target.iter_mut().zip(sums).zip(bias) {
                    t.put((s + b).max(floor));
                }
            } else {
                let residual = &residual[i * channels..][..channels];
                for (((t, s), b), r) in target.iter_mut().zip(sums).zip(bias).zip(residual) {
                    t.put((s + b + r).max(floor));
                }
            }
        }
    }
}
