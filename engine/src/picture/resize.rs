//! Resampling with the same bytes as PIL: conditions must reach the model as the checkpoints saw them.
//!
//! docs/reference.md section 8, "PIL Lanczos": two passes, horizontal first, with 22-bit
//! fixed-point weights and bytes in between; an axis whose size does not change is skipped.

use std::f64::consts::PI;

use rayon::prelude::*;

use super::RgbImage;
use crate::{Error, Result};

/// Bits behind the point in the weights.
const PRECISION: u32 = 22;

/// Lobes of the kernel.
const LOBES: f64 = 3.0;

/// Taps and weights of one output position.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (x * PI).sin() / (x * PI)
    }
}

fn kernel(x: f64) -> f64 {
    if (-LOBES..LOBES).contains(&x) {
        sinc(x) * sinc(x / LOBES)
    } else {
        0.0
    }
}

/// Weights of every output position of an axis.
fn taps(input: usize, output: usize) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let stretch = scale.max(1.0);
    let support = LOBES * stretch;
    (0..output)
        .map(|position| {
            let centre = (position as f64 + 0.5) * scale;
            // The casts truncate and stop at zero, as PIL's clipping does.
            let start = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let raw: Vec<f64> = (start..end)
                .map(|i| kernel((i as f64 - centre + 0.5) / stretch))
                .collect();
            let sum: f64 = raw.iter().sum();
            let fixed = |weight: f64| (weight / sum * f64::from(1 << PRECISION)).round() as i32;
            Taps {
                start,
                weights: raw.into_iter().map(fixed).collect(),
            }
        })
        .collect()
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Rounds half up when the sum is shifted back.
const HALF: i32 = 1 << (PRECISION - 1);

fn horizontal(source: &[u8], width: usize, channels: usize, taps: &[Taps]) -> Vec<u8> {
    let mut result = vec![0; source.len() / width * taps.len()];
    result
        .par_chunks_exact_mut(taps.len() * channels)
        .zip(source.par_chunks_exact(width * channels))
        .for_each(|(out, row)| {
            for (pixel, tap) in out.chunks_exact_mut(channels).zip(taps) {
                for (channel, out) in pixel.iter_mut().enumerate() {
                    // No overflow: the absolute weights of a clipped kernel add up to less than 2.
                    let values = row[tap.start * channels + channel..]
                        .iter()
                        .step_by(channels);
                    let sum = tap
                        .weights
                        .iter()
                        .zip(values)
                        .fold(HALF, |sum, (w, &v)| sum + w * i32::from(v));
                    *out = to_byte(sum);
                }
            }
        });
    result
}

fn vertical(source: &[u8], row_length: usize, taps: &[Taps]) -> Vec<u8> {
    let mut result = vec![0; row_length * taps.len()];
    result
        .par_chunks_exact_mut(row_length)
        .zip(taps)
        .for_each_init(
            || vec![0i32; row_length],
            |sums, (out, tap)| {
                sums.fill(HALF);
                let rows = source[tap.start * row_length..].chunks_exact(row_length);
                for (&weight, row) in tap.weights.iter().zip(rows) {
                    for (sum, &value) in sums.iter_mut().zip(row) {
                        *sum += weight * i32::from(value);
                    }
                }
                for (out, &sum) in out.iter_mut().zip(sums.iter()) {
                    *out = to_byte(sum);
                }
            },
        );
    result
}

/// Lanczos of interleaved bytes, equal to PIL's `resize(size, LANCZOS)` for modes L and RGB.
///
/// A picture without pixels, or a target without pixels, gives no pixels.
pub fn lanczos(
    source: &[u8],
    width: usize,
    height: usize,
    channels: usize,
    new_width: usize,
    new_height: usize,
) -> Vec<u8> {
    if source.is_empty()
        || source.len() != width * height * channels
        || new_width == 0
        || new_height == 0
    {
        return Vec::new();
    }
    let mut pixels = if new_width == width {
        source.to_vec()
    } else {
        horizontal(source, width, channels, &taps(width, new_width))
    };
    if new_height != height {
        pixels = vertical(&pixels, new_width * channels, &taps(height, new_height));
    }
    pixels
}

/// [`lanczos`] of a colour picture.
pub fn lanczos_rgb(picture: &RgbImage, width: usize, height: usize) -> RgbImage {
    let pixels = lanczos(
        &picture.pixels,
        picture.width,
        picture.height,
        3,
        width,
        height,
    );
    RgbImage {
        width,
        height,
        pixels,
    }
}

/// A picture whose longest side is at most `side`, in the same proportions; smaller ones stay.
pub fn within(picture: RgbImage, side: usize) -> RgbImage {
    match size_within(picture.width, picture.height, side) {
        Some((width, height)) => lanczos_rgb(&picture, width, height),
        None => picture,
    }
}

/// The size whose longest side is `side`, in the same proportions; `None` for smaller pictures.
pub fn size_within(width: usize, height: usize, side: usize) -> Option<(usize, usize)> {
    let longest = width.max(height);
    let scaled = |length: usize| (length * side / longest).max(1);
    (longest > side).then(|| (scaled(width), scaled(height)))
}

/// The value nearest to each new pixel's centre; for class labels, which must not be mixed.
pub fn nearest(
    source: &[u8],
    width: usize,
    height: usize,
    new_width: usize,
    new_height: usize,
) -> Vec<u8> {
    let place = |position: usize, new: usize, old: usize| (2 * position + 1) * old / (2 * new);
    let columns: Vec<usize> = (0..new_width).map(|x| place(x, new_width, width)).collect();
    let mut result = Vec::with_capacity(new_width * new_height);
    for y in 0..new_height {
        let row = &source[place(y, new_height, height) * width..];
        result.extend(columns.iter().map(|&x| row[x]));
    }
    result
}

/// Where a picture lands when its short side becomes `side` and the middle is kept (torchvision's
/// `Resize` and `CenterCrop`, the rule of latent precomputing, docs/reference.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Size of the whole picture after scaling.
    pub scaled: (usize, usize),
    /// Left upper corner of the square that is kept.
    pub offset: (usize, usize),
}

impl Fit {
    /// Plans the crop of a picture of this size.
    ///
    /// # Errors
    /// When a size is zero.
    pub fn new(width: usize, height: usize, side: usize) -> Result<Self> {
        if width == 0 || height == 0 || side == 0 {
            return Err(Error::Input(format!(
                "cannot fit {width} x {height} pixels into {side} x {side}"
            )));
        }
        let scaled = if width <= height {
            (side, side * height / width)
        } else {
            (side * width / height, side)
        };
        let offset = |size: usize| ((size - side) as f64 / 2.0).round_ties_even() as usize;
        Ok(Self {
            scaled,
            offset: (offset(scaled.0), offset(scaled.1)),
        })
    }
}

/// Short side to `side` with Lanczos, then the middle square.
///
/// # Errors
/// When a size is zero.
pub fn fit_square(picture: &RgbImage, side: usize) -> Result<RgbImage> {
    let fit = Fit::new(picture.width, picture.height, side)?;
    let scaled = lanczos_rgb(picture, fit.scaled.0, fit.scaled.1);
    let square = scaled.cropped(fit.offset.0, fit.offset.1, side, side);
    square.ok_or_else(|| {
        Error::Input(format!(
            "cannot fit {} x {} pixels",
            picture.width, picture.height
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_stays_flat_and_nothing_stays_nothing() {
        let flat = vec![201u8; 17 * 9 * 3];
        assert!(
            lanczos(&flat, 17, 9, 3, 40, 4)
                .iter()
                .all(|&value| value == 201)
        );
        assert!(lanczos(&[], 0, 0, 3, 8, 8).is_empty());
        assert!(lanczos(&flat, 17, 9, 3, 0, 4).is_empty());
    }

    #[test]
    fn extreme_contrast_at_clipped_edges_does_not_overflow() {
        for input in 1..40usize {
            let source: Vec<u8> = (0..input)
                .map(|i| if i % 2 == 0 { 255 } else { 0 })
                .collect();
            for output in 1..40 {
                assert_eq!(lanczos(&source, input, 1, 1, output, 1).len(), output);
                let total: i64 = taps(input, output)
                    .iter()
                    .map(|tap| tap.weights.iter().map(|&w| i64::from(w.abs())).sum())
                    .max()
                    .unwrap_or(0);
                assert!(
                    total * 255 + i64::from(HALF) <= i64::from(i32::MAX),
                    "{input} to {output}"
                );
            }
        }
    }

    #[test]
    fn nearest_keeps_labels_and_doubles_exactly() {
        let labels = [1, 2, 3, 4];
        assert_eq!(
            nearest(&labels, 2, 2, 4, 4),
            [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]
        );
        assert_eq!(nearest(&labels, 2, 2, 2, 2), labels);
    }

    #[test]
    fn fit_follows_torchvision() {
        let fit = Fit::new(53, 37, 24).expect("fits");
        assert_eq!(
            fit,
            Fit {
                scaled: (34, 24),
                offset: (5, 0)
            }
        );
        assert!(Fit::new(0, 5, 8).is_err());
    }
}
