//! A sketch from a photo, without weights: extended difference of Gaussians (Winnemöller, Kyprianidis
//! and Olsen, 2012) at two widths, on lightness with evened-out contrast.
//!
//! The lines come out dark on white, about as dense as in the sketches that the demo model saw.

use rayon::prelude::*;

use super::GrayImage;
use super::{RgbImage, convert};

/// A picture's side at which the widths below are in pixels.
const REFERENCE_SIDE: f32 = 512.0;

/// Width of the neighbourhood whose contrast is evened out.
const NEIGHBOURHOOD: f32 = 24.0;

/// Least deviation that counts as contrast: flat skin must not become noise.
const FLOOR: f32 = 0.06;

/// Widest Gaussian in pixels that is computed at the picture's own size: that of [`NEIGHBOURHOOD`] on
/// a picture of twice [`REFERENCE_SIDE`].
const WIDEST: f32 = 48.0;

/// The wide Gaussian of a pair, as a multiple of the narrow one.
const RATIO: f32 = 1.6;

/// Lightness below which paper gets a grey wash, as under dark hair, brows and pupils.
const WASH_BELOW: f32 = 0.3;

/// What a person may change about a sketch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Width of the lines, times the usual one: 0.4..=3.
    pub width: f32,
    /// How many faint lines are drawn, times the usual: 0.1..=4.
    pub detail: f32,
    /// Darkness of the lines, times the usual: 0..=1.2.
    pub ink: f32,
    /// Darkest wash under hair and pupils, 0..=1.
    pub wash: f32,
}

impl Default for Style {
    /// As in the sketches that the demo model saw.
    fn default() -> Self {
        Self {
            width: 1.0,
            detail: 1.0,
            ink: 1.0,
            wash: 0.3,
        }
    }
}

impl Style {
    /// Puts every value into its range.
    fn checked(self) -> Self {
        let within = |value: f32, low: f32, high: f32, usual: f32| match value.is_finite() {
            true => value.clamp(low, high),
            false => usual,
        };
        let usual = Self::default();
        Self {
            width: within(self.width, 0.4, 3.0, usual.width),
            detail: within(self.detail, 0.1, 4.0, usual.detail),
            ink: within(self.ink, 0.0, 1.2, usual.ink),
            wash: within(self.wash, 0.0, 1.0, usual.wash),
        }
    }
}

/// One family of lines.
struct Line {
    /// Width of the narrow Gaussian at [`REFERENCE_SIDE`].
    sigma: f32,
    /// Weight of the wide Gaussian; below 1 keeps some of the tone.
    balance: f32,
    /// Response below which ink begins.
    threshold: f32,
    /// How quickly ink grows.
    slope: f32,
    /// Darkest ink, 0..=1.
    strength: f32,
}

const LINES: [Line; 2] = [
    Line {
        sigma: 1.2,
        balance: 0.99,
        threshold: -0.007,
        slope: 34.0,
        strength: 0.95,
    },
    Line {
        sigma: 2.6,
        balance: 0.99,
        threshold: -0.012,
        slope: 20.0,
        strength: 0.8,
    },
];

/// Draws the lines of a photo as the demo model knows them: dark on white, of the photo's size.
pub fn sketch(photo: &RgbImage) -> GrayImage {
    sketch_with(photo, Style::default())
}

/// Draws the lines of a photo in a person's style.
pub fn sketch_with(photo: &RgbImage, style: Style) -> GrayImage {
    let style = style.checked();
    let (width, height) = (photo.width, photo.height);
    let grey = convert::to_gray(photo);
    let light = Plane {
        width,
        height,
        values: grey.pixels.iter().map(|v| f32::from(*v) / 255.0).collect(),
    };
    let scale = width.min(height) as f32 / REFERENCE_SIDE;
    let even = light.evened(NEIGHBOURHOOD * scale);
    let wash = light.blurred(2.0 * scale);
    let mut ink: Vec<f32> = wash
        .values
        .iter()
        .map(|light| style.wash * (1.0 - light / WASH_BELOW).max(0.0))
        .collect();
    for line in &LINES {
        let narrow = even.blurred(line.sigma * style.width * scale);
        let wide = even.blurred(line.sigma * style.width * RATIO * scale);
        for ((ink, narrow), wide) in ink.iter_mut().zip(&narrow.values).zip(&wide.values) {
            let response = narrow - line.balance * wide - line.threshold / style.detail;
            // Above the threshold the paper stays white; below it ink grows softly.
            let dark = (-(line.slope * response).min(0.0).tanh()) * line.strength * style.ink;
            *ink = ink.max(dark.min(1.0));
        }
    }
    GrayImage {
        width,
        height,
        pixels: ink
            .iter()
            .map(|ink| (255.0 * (1.0 - ink)).round() as u8)
            .collect(),
    }
}

/// A grey picture in numbers, row-major.
struct Plane {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Plane {
    /// Mean 0 and about the same deviation everywhere.
    fn evened(&self, sigma: f32) -> Self {
        let mean = self.blurred(sigma);
        let squares = self.with(self.values.iter().map(|v| v * v).collect());
        let mean_square = squares.blurred(sigma);
        let values = self
            .values
            .iter()
            .zip(&mean.values)
            .zip(&mean_square.values)
            .map(|((value, mean), square)| {
                let deviation = (square - mean * mean).max(0.0).sqrt();
                0.25 * (value - mean) / (deviation + FLOOR)
            })
            .collect();
        self.with(values)
    }

    /// Gaussian blur; the border continues outwards.
    ///
    /// A wide Gaussian leaves nothing that a smaller picture could not hold: it is computed there, so
    /// that the time grows with the pixels and not with the width.
    fn blurred(&self, sigma: f32) -> Self {
        let reduction = (sigma / WIDEST).ceil() as usize;
        if reduction <= 1 || self.values.is_empty() {
            return self.convolved(&gaussian(sigma));
        }
        let small = self.averaged(reduction);
        // Averaging blurs like a box of that many pixels, linear interpolation like two.
        let boxes = 3.0 * (reduction * reduction) as f32 / 12.0;
        let rest = (sigma * sigma - boxes).max(1.0).sqrt() / reduction as f32;
        small
            .convolved(&gaussian(rest))
            .interpolated(reduction, self.width, self.height)
    }

    /// Along rows, then along columns; each sum runs from the first weight to the last.
    fn convolved(&self, kernel: &[f32]) -> Self {
        let radius = kernel.len() / 2;
        let width = self.width.max(1);
        let mut rows = vec![0f32; self.values.len()];
        rows.par_chunks_mut(width)
            .zip(self.values.par_chunks(width))
            .for_each(|(out, row)| {
                let mut padded = Vec::with_capacity(row.len() + 2 * radius);
                let (first, last) = (row.first().copied(), row.last().copied());
                padded.extend(std::iter::repeat_n(first.unwrap_or(0.0), radius));
                padded.extend_from_slice(row);
                padded.extend(std::iter::repeat_n(last.unwrap_or(0.0), radius));
                for (shift, weight) in kernel.iter().enumerate() {
                    add_scaled(out, &padded[shift..], *weight);
                }
            });
        let mut values = vec![0f32; self.values.len()];
        values
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(y, out)| {
                for (shift, weight) in kernel.iter().enumerate() {
                    let from = (y + shift).saturating_sub(radius).min(self.height - 1);
                    add_scaled(out, &rows[from * width..], *weight);
                }
            });
        self.with(values)
    }

    /// Means of squares of `side` pixels; those at the right and lower border may be smaller.
    fn averaged(&self, side: usize) -> Self {
        let (width, height) = (self.width.div_ceil(side), self.height.div_ceil(side));
        let mut values = vec![0f32; width * height];
        values
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(y, out)| {
                let rows = y * side..((y + 1) * side).min(self.height);
                for row in rows.clone() {
                    let row = &self.values[row * self.width..][..self.width];
                    for (sum, square) in out.iter_mut().zip(row.chunks(side)) {
                        *sum += square.iter().sum::<f32>() / (square.len() * rows.len()) as f32;
                    }
                }
            });
        Self {
            width,
            height,
            values,
        }
    }

    /// A plane of [`Self::averaged`] at its former size, linear between the middles of the squares.
    fn interpolated(&self, side: usize, width: usize, height: usize) -> Self {
        let taps = |position: usize, length: usize| {
            let place = (position as f32 + 0.5) / side as f32 - 0.5;
            let near = place.max(0.0) as usize;
            let share = (place - near as f32).clamp(0.0, 1.0);
            (near.min(length - 1), (near + 1).min(length - 1), share)
        };
        let columns: Vec<_> = (0..width).map(|x| taps(x, self.width)).collect();
        let mut values = vec![0f32; width * height];
        values
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(y, out)| {
                let (upper, lower, down) = taps(y, self.height);
                let [upper, lower] =
                    [upper, lower].map(|row| &self.values[row * self.width..][..self.width]);
                for (out, &(left, right, across)) in out.iter_mut().zip(&columns) {
                    let mix = |row: &[f32]| row[left] + across * (row[right] - row[left]);
                    let (above, below) = (mix(upper), mix(lower));
                    *out = above + down * (below - above);
                }
            });
        Self {
            width,
            height,
            values,
        }
    }

    fn with(&self, values: Vec<f32>) -> Self {
        Self {
            width: self.width,
            height: self.height,
            values,
        }
    }
}

/// Adds the weighted values to the sums, as many as there are sums.
fn add_scaled(sums: &mut [f32], values: &[f32], weight: f32) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value * weight;
    }
}

/// Weights of a Gaussian up to three deviations, summing to 1.
fn gaussian(sigma: f32) -> Vec<f32> {
    let sigma = sigma.max(0.3);
    let radius = (3.0 * sigma).ceil() as i32;
    let weights: Vec<f32> = (-radius..=radius)
        .map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp())
        .collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(width: usize, height: usize, value: impl Fn(usize, usize) -> u8) -> RgbImage {
        let mut photo = RgbImage::filled(width, height, [0; 3]);
        for y in 0..height {
            for x in 0..width {
                photo.pixels[(y * width + x) * 3..][..3].fill(value(x, y));
            }
        }
        photo
    }

    /// Blur by the definition: each pixel's sum along its row, then along its column.
    fn blurred_by_definition(plane: &Plane, sigma: f32) -> Vec<f32> {
        let kernel = gaussian(sigma);
        let radius = (kernel.len() / 2) as isize;
        let pass = |values: &[f32], across: bool| -> Vec<f32> {
            let (width, height) = (plane.width as isize, plane.height as isize);
            let at = |x: isize, y: isize, shift: isize| {
                let (x, y) = if across {
                    (x + shift, y)
                } else {
                    (x, y + shift)
                };
                values[(y.clamp(0, height - 1) * width + x.clamp(0, width - 1)) as usize]
            };
            let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            let sum = |(x, y)| {
                let weighted = (-radius..)
                    .zip(&kernel)
                    .map(|(shift, w)| at(x, y, shift) * w);
                weighted.sum()
            };
            places.map(sum).collect()
        };
        pass(&pass(&plane.values, true), false)
    }

    fn plane(width: usize, height: usize) -> Plane {
        let value = |i: usize| ((i * 7919) % 251) as f32 / 250.0;
        let values = (0..width * height).map(value).collect();
        Plane {
            width,
            height,
            values,
        }
    }

    #[test]
    fn narrow_gaussians_are_computed_to_the_last_bit() {
        for (width, height, sigma) in [(1, 1, 2.0), (37, 5, 1.2), (20, 61, 7.7), (90, 70, 48.0)] {
            let plane = plane(width, height);
            let expected = blurred_by_definition(&plane, sigma);
            assert_eq!(
                plane.blurred(sigma).values,
                expected,
                "{width} x {height}, {sigma}"
            );
        }
    }

    #[test]
    fn wide_gaussians_are_close_to_the_definition() {
        for sigma in [49.0, 97.0, 143.0] {
            // A step: what a blur does to it is seen best. Little noise: the border's pixels count
            // many times over, and one by one they are not what their average is.
            let mut plane = plane(211, 150);
            for (i, value) in plane.values.iter_mut().enumerate() {
                *value = 0.02 * *value + if i % 211 < 90 { 0.0 } else { 0.9 };
            }
            let expected = blurred_by_definition(&plane, sigma);
            for (got, wanted) in plane.blurred(sigma).values.iter().zip(&expected) {
                assert!((got - wanted).abs() < 0.004, "{sigma}: {got} for {wanted}");
            }
        }
    }

    #[test]
    fn a_flat_photo_is_white_paper() {
        let drawn = sketch(&photo(40, 30, |_, _| 120));
        assert!(
            drawn.pixels.iter().all(|v| *v == 255),
            "ink on a flat photo"
        );
    }

    #[test]
    fn an_edge_becomes_a_line_on_its_dark_side() {
        let drawn = sketch(&photo(256, 256, |x, _| if x < 128 { 90 } else { 200 }));
        let at = |x: usize| drawn.pixels[128 * 256 + x];
        assert!(at(127) < 128, "no line at the edge: {}", at(127));
        assert!(at(40) > 200 && at(220) > 200, "ink far from the edge");
        let mean = drawn.pixels.iter().map(|v| f64::from(*v)).sum::<f64>() / 65536.0;
        assert!(mean > 240.0, "mostly paper, not {mean}");
    }

    #[test]
    fn each_value_of_the_style_does_what_it_says() {
        let busy = photo(96, 96, |x, y| {
            (100 + (x / 12 + y / 16) % 2 * 25 + x / 3) as u8
        });
        let ink = |style: Style| -> u64 {
            let drawn = sketch_with(&busy, style);
            drawn.pixels.iter().map(|v| u64::from(255 - v)).sum()
        };
        let usual = Style::default();
        assert_eq!(sketch_with(&busy, usual), sketch(&busy));
        let more = ink(usual);
        assert!(more > 0);
        assert!(
            ink(Style {
                detail: 0.2,
                ..usual
            }) < more,
            "fewer faint lines"
        );
        assert!(ink(Style { ink: 0.4, ..usual }) < more, "paler lines");
        assert!(
            ink(Style {
                width: 2.0,
                ..usual
            }) > more,
            "wider lines"
        );
        let broken = Style {
            width: f32::NAN,
            detail: 0.0,
            ink: 9.0,
            wash: -1.0,
        };
        assert_eq!(sketch_with(&busy, broken).pixels.len(), 96 * 96);
    }

    #[test]
    fn the_size_stays_also_when_tiny() {
        for (width, height) in [(1, 1), (3, 2), (17, 64)] {
            let drawn = sketch(&photo(width, height, |x, y| (x * 31 + y * 17) as u8));
            assert_eq!((drawn.width, drawn.height), (width, height));
            assert_eq!(drawn.pixels.len(), width * height);
        }
    }
}
