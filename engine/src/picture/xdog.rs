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
    fn blurred(&self, sigma: f32) -> Self {
        let kernel = gaussian(sigma);
        self.along_rows(&kernel)
            .transposed()
            .along_rows(&kernel)
            .transposed()
    }

    fn along_rows(&self, kernel: &[f32]) -> Self {
        let radius = kernel.len() / 2;
        let mut values = vec![0f32; self.values.len()];
        let rows = values.par_chunks_mut(self.width.max(1));
        rows.zip(self.values.par_chunks(self.width.max(1)))
            .for_each(|(out, row)| {
                let mut padded = Vec::with_capacity(row.len() + 2 * radius);
                let (first, last) = (row.first().copied(), row.last().copied());
                padded.extend(std::iter::repeat_n(first.unwrap_or(0.0), radius));
                padded.extend_from_slice(row);
                padded.extend(std::iter::repeat_n(last.unwrap_or(0.0), radius));
                for (out, window) in out.iter_mut().zip(padded.windows(kernel.len())) {
                    *out = window
                        .iter()
                        .zip(kernel)
                        .map(|(value, weight)| value * weight)
                        .sum();
                }
            });
        self.with(values)
    }

    fn transposed(&self) -> Self {
        let values = (0..self.width)
            .flat_map(|x| (0..self.height).map(move |y| (x, y)))
            .map(|(x, y)| self.values[y * self.width + x])
            .collect();
        Self {
            width: self.height,
            height: self.width,
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
