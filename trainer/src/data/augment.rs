//! Augmented variants of a sample: mirrored, cropped, and with another hand for the sketch.
//!
//! A variant is a function of seed, key and index, so that preparation can stop and continue.
//! Variant 0 is the picture itself; odd variants are mirrored.

use mmface_engine::labels::LabelImage;
use mmface_engine::picture::resize::lanczos_rgb;
use mmface_engine::picture::{GrayImage, RgbImage};
use sha2::{Digest, Sha256};

use super::webdataset::Pictures;
use crate::rng::{Purpose, below, stream, uniform};

/// Smallest side of a crop as a share of the picture's side.
const SMALLEST_CROP: f32 = 0.85;

/// How one variant differs from the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Mirrored, with left and right classes exchanged.
    pub flip: bool,
    /// Left border of the crop in pixels.
    pub left: usize,
    /// Upper border of the crop in pixels.
    pub top: usize,
    /// Side of the square crop in pixels.
    pub side: usize,
    /// Changes to the sketch.
    pub sketch: SketchStyle,
}

/// A different hand for the same drawing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SketchStyle {
    /// Factor on the darkness of the lines; 0 leaves it.
    pub strength: f32,
    /// Share of a 3×3 blur that is mixed in.
    pub blur: f32,
    /// Soft discs in which lines fade: centre x, y, radius as shares of the side, and how much.
    pub faded: Vec<[f32; 4]>,
}

/// Whether a variant's picture is mirrored (and its caption's sides exchanged).
pub fn is_mirrored(index: usize) -> bool {
    index % 2 == 1
}

/// The variant of a picture of the given side.
pub fn variant(seed: u64, key: &str, index: usize, side: usize) -> Variant {
    let flip = is_mirrored(index);
    if index < 2 {
        return Variant {
            flip,
            left: 0,
            top: 0,
            side,
            sketch: SketchStyle::default(),
        };
    }
    let digest = Sha256::new()
        .chain_update(key.as_bytes())
        .chain_update((index as u64).to_le_bytes())
        .finalize();
    let mut number = [0u8; 8];
    number.copy_from_slice(&digest[..8]);
    let mut rng = stream(seed, Purpose::Augment, u64::from_le_bytes(number));
    let share = SMALLEST_CROP + (1.0 - SMALLEST_CROP) * uniform(&mut rng);
    let crop = ((side as f32 * share).round() as usize).clamp(1, side);
    let (left, top) = (
        below(&mut rng, side - crop + 1),
        below(&mut rng, side - crop + 1),
    );
    let strength = 0.65 + 0.6 * uniform(&mut rng);
    let blur = if uniform(&mut rng) < 0.5 {
        0.7 * uniform(&mut rng)
    } else {
        0.0
    };
    let discs = if uniform(&mut rng) < 0.5 {
        1 + below(&mut rng, 4)
    } else {
        0
    };
    let faded = (0..discs)
        .map(|_| {
            [
                uniform(&mut rng),
                uniform(&mut rng),
                0.05 + 0.15 * uniform(&mut rng),
                0.4 + 0.6 * uniform(&mut rng),
            ]
        })
        .collect();
    Variant {
        flip,
        left,
        top,
        side: crop,
        sketch: SketchStyle {
            strength,
            blur,
            faded,
        },
    }
}

/// A variant's pictures: photo and sketch at the model's size, the mask still as class indices of
/// the crop, because colours are mixed only by the resampling of the model's input.
#[derive(Clone, Debug)]
pub struct Views {
    /// Photo, `resolution` pixels a side.
    pub photo: RgbImage,
    /// Cropped mask.
    pub mask: LabelImage,
    /// Sketch, `resolution` pixels a side.
    pub sketch: GrayImage,
}

/// Cuts and changes the pictures.
pub fn views(pictures: &Pictures, variant: &Variant, resolution: usize) -> Views {
    let Variant {
        flip,
        left,
        top,
        side,
        sketch: style,
    } = variant;
    let cut = |pixels: &[u8], stride: usize, channels: usize| -> Vec<u8> {
        let mut result = Vec::with_capacity(side * side * channels);
        for row in *top..top + side {
            let line = &pixels[(row * stride + left) * channels..][..side * channels];
            if *flip {
                line.chunks_exact(channels)
                    .rev()
                    .for_each(|pixel| result.extend_from_slice(pixel));
            } else {
                result.extend_from_slice(line);
            }
        }
        result
    };
    let size = *side;
    let photo = RgbImage {
        width: size,
        height: size,
        pixels: cut(&pictures.photo.pixels, pictures.photo.width, 3),
    };
    let mut mask = LabelImage {
        width: size,
        height: size,
        labels: cut(&pictures.mask.labels, pictures.mask.width, 1),
    };
    if *flip {
        mask.swap_sides();
    }
    let drawing = GrayImage {
        width: size,
        height: size,
        pixels: cut(&pictures.sketch.pixels, pictures.sketch.width, 1),
    };
    let mut sketch = drawing.resized(resolution, resolution);
    restyle(&mut sketch, style);
    Views {
        photo: lanczos_rgb(&photo, resolution, resolution),
        mask,
        sketch,
    }
}

fn restyle(sketch: &mut GrayImage, style: &SketchStyle) {
    if *style == SketchStyle::default() {
        return;
    }
    let (width, height) = (sketch.width, sketch.height);
    let mut darkness: Vec<f32> = sketch
        .pixels
        .iter()
        .map(|&value| 255.0 - f32::from(value))
        .collect();
    if style.blur > 0.0 {
        let source = darkness.clone();
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut count) = (0.0, 0.0);
                for row in y.saturating_sub(1)..(y + 2).min(height) {
                    for column in x.saturating_sub(1)..(x + 2).min(width) {
                        sum += source[row * width + column];
                        count += 1.0;
                    }
                }
                let here = y * width + x;
                darkness[here] = (1.0 - style.blur) * source[here] + style.blur * sum / count;
            }
        }
    }
    for [centre_x, centre_y, radius, amount] in &style.faded {
        let scale = width.max(height) as f32;
        for (index, value) in darkness.iter_mut().enumerate() {
            let (x, y) = (
                (index % width) as f32 / scale - centre_x,
                (index / width) as f32 / scale - centre_y,
            );
            let inside = (1.0 - (x * x + y * y).sqrt() / radius).clamp(0.0, 0.5) * 2.0;
            *value *= 1.0 - amount * inside;
        }
    }
    for (pixel, value) in sketch.pixels.iter_mut().zip(&darkness) {
        *pixel = (255.0 - style.strength * value).clamp(0.0, 255.0).round() as u8;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn pictures(side: usize) -> Pictures {
        // The mask's left half is class 5 (r_eye), the right half class 13 (hair).
        let labels = (0..side * side)
            .map(|i| if i % side < side / 2 { 5 } else { 13 })
            .collect();
        let pixels = (0..side * side)
            .flat_map(|i| [(i % side) as u8, (i / side) as u8, 9])
            .collect();
        Pictures {
            photo: RgbImage {
                width: side,
                height: side,
                pixels,
            },
            mask: LabelImage {
                width: side,
                height: side,
                labels,
            },
            sketch: GrayImage {
                width: side,
                height: side,
                pixels: vec![200; side * side],
            },
        }
    }

    #[test]
    fn variants_repeat_and_stay_inside() {
        for index in 0..40 {
            let one = variant(7, "f0001", index, 512);
            assert_eq!(one, variant(7, "f0001", index, 512));
            assert!(one.left + one.side <= 512 && one.top + one.side <= 512);
            assert!(one.side >= 435);
            assert_eq!(one.flip, index % 2 == 1);
        }
        assert_ne!(variant(7, "f0001", 2, 512), variant(7, "f0002", 2, 512));
        assert_ne!(variant(7, "f0001", 2, 512), variant(8, "f0001", 2, 512));
    }

    #[test]
    fn a_mirrored_mask_exchanges_sides() {
        let source = pictures(64);
        let plain = views(&source, &variant(1, "k", 0, 64), 32);
        assert_eq!((plain.mask.labels[0], plain.mask.labels[63]), (5, 13));
        assert_eq!(plain.photo.width, 32);
        let mirrored = views(&source, &variant(1, "k", 1, 64), 32);
        // Hair comes to the left; the right eye becomes the left eye, on the picture's right.
        assert_eq!((mirrored.mask.labels[0], mirrored.mask.labels[63]), (13, 4));
        assert!(mirrored.photo.pixels[0] > mirrored.photo.pixels[3 * 31]);
    }

    #[test]
    fn fading_only_lightens() {
        let mut sketch = GrayImage::filled(16, 16, 100);
        restyle(
            &mut sketch,
            &SketchStyle {
                strength: 1.0,
                blur: 0.5,
                faded: vec![[0.5, 0.5, 0.3, 1.0]],
            },
        );
        assert!(sketch.pixels.iter().all(|&value| value >= 100));
        assert!(sketch.pixels[8 * 16 + 8] > 200);
        assert_eq!(sketch.pixels[0], 100);
    }
}
