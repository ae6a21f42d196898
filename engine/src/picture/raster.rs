//! A picture as its file has it: class masks need the raw numbers, sketches the transparency.

use image::metadata::Orientation;

use super::{GrayImage, RgbImage, convert};

/// A picture as its file has it: class masks need the raw numbers, not their colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Raster {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The pixels, row-major.
    pub pixels: Pixels,
    /// From a lossy format: colours are only roughly what was meant.
    pub lossy: bool,
    /// What a person should know about the file, as sentences without a full stop.
    pub notes: Vec<String>,
}

/// Pixels of a [`Raster`].
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// Raw grey values 0..=max (1, 3, 15, 255 or 65535).
    Gray {
        /// One value a pixel.
        values: Vec<u16>,
        /// The value that means white.
        max: u16,
        /// Opacity of each pixel, 255 = opaque; `None` where the file has none.
        alpha: Option<Vec<u8>>,
    },
    /// Palette positions. The palette may be shorter than the largest position in a broken file.
    Indexed {
        /// One position a pixel.
        indices: Vec<u8>,
        /// RGBA of each position.
        palette: Vec<[u8; 4]>,
    },
    /// Four bytes a pixel, alpha not premultiplied.
    Rgba(Vec<u8>),
}

impl Raster {
    /// A picture from a lossless source without anything to say about it.
    pub fn new(width: usize, height: usize, pixels: Pixels) -> Self {
        Self {
            width,
            height,
            pixels,
            lossy: false,
            notes: Vec::new(),
        }
    }

    /// In colour; what is transparent shows white.
    pub fn to_rgb(&self) -> RgbImage {
        let pixels = match &self.pixels {
            Pixels::Gray { .. } => {
                let gray = self.to_gray();
                gray.pixels.iter().flat_map(|&value| [value; 3]).collect()
            }
            Pixels::Indexed { indices, palette } => {
                let colours: Vec<[u8; 3]> =
                    palette.iter().map(|&colour| over_white(colour)).collect();
                indices
                    .iter()
                    .flat_map(|&i| colours.get(usize::from(i)).copied().unwrap_or([0; 3]))
                    .collect()
            }
            Pixels::Rgba(values) => values
                .chunks_exact(4)
                .flat_map(|p| over_white([p[0], p[1], p[2], p[3]]))
                .collect(),
        };
        RgbImage {
            width: self.width,
            height: self.height,
            pixels,
        }
    }

    /// In grey as PIL computes it; what is transparent shows white.
    pub fn to_gray(&self) -> GrayImage {
        match &self.pixels {
            Pixels::Gray { values, max, alpha } => {
                let mut pixels: Vec<u8> =
                    values.iter().map(|&value| to_byte(value, *max)).collect();
                for (value, &alpha) in pixels.iter_mut().zip(alpha.iter().flatten()) {
                    *value = mixed(*value, 255, alpha);
                }
                GrayImage {
                    width: self.width,
                    height: self.height,
                    pixels,
                }
            }
            _ => convert::to_gray(&self.to_rgb()),
        }
    }

    /// The colours as they are stored, without regard to transparency.
    pub fn to_opaque_rgb(&self) -> RgbImage {
        let mut opaque = self.clone();
        match &mut opaque.pixels {
            Pixels::Gray { alpha, .. } => *alpha = None,
            Pixels::Indexed { palette, .. } => {
                palette.iter_mut().for_each(|colour| colour[3] = 255)
            }
            Pixels::Rgba(values) => values.chunks_exact_mut(4).for_each(|p| p[3] = 255),
        }
        opaque.to_rgb()
    }

    /// Opacity of each pixel, 255 = opaque; `None` where everything is opaque.
    pub fn opacity(&self) -> Option<Vec<u8>> {
        let opacity: Vec<u8> = match &self.pixels {
            Pixels::Gray { alpha, .. } => alpha.clone()?,
            Pixels::Indexed { indices, palette } => {
                if palette.iter().all(|colour| colour[3] == 255) {
                    return None;
                }
                let alpha = |&i: &u8| palette.get(usize::from(i)).map_or(255, |colour| colour[3]);
                indices.iter().map(alpha).collect()
            }
            Pixels::Rgba(values) => values.chunks_exact(4).map(|p| p[3]).collect(),
        };
        opacity.iter().any(|&alpha| alpha < 255).then_some(opacity)
    }

    /// Turned and mirrored as the file asks for.
    pub fn oriented(mut self, orientation: Orientation) -> Self {
        if orientation == Orientation::NoTransforms {
            return self;
        }
        let turn = Turn {
            orientation,
            width: self.width,
            height: self.height,
        };
        self.pixels = match self.pixels {
            Pixels::Gray { values, max, alpha } => Pixels::Gray {
                values: turn.apply(&values, 1),
                max,
                alpha: alpha.map(|alpha| turn.apply(&alpha, 1)),
            },
            Pixels::Indexed { indices, palette } => Pixels::Indexed {
                indices: turn.apply(&indices, 1),
                palette,
            },
            Pixels::Rgba(values) => Pixels::Rgba(turn.apply(&values, 4)),
        };
        (self.width, self.height) = turn.size();
        self
    }
}

/// How a picture is turned.
struct Turn {
    orientation: Orientation,
    width: usize,
    height: usize,
}

impl Turn {
    fn lies_down(&self) -> bool {
        matches!(
            self.orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        )
    }

    /// Size afterwards.
    fn size(&self) -> (usize, usize) {
        if self.lies_down() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }

    /// Where the pixel at a place of the turned picture comes from.
    fn source(&self, x: usize, y: usize) -> (usize, usize) {
        let (right, bottom) = (self.width - 1, self.height - 1);
        match self.orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (right - x, y),
            Orientation::Rotate180 => (right - x, bottom - y),
            Orientation::FlipVertical => (x, bottom - y),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate90 => (y, bottom - x),
            Orientation::Rotate270FlipH => (right - y, bottom - x),
            Orientation::Rotate270 => (right - y, x),
        }
    }

    fn apply<T: Copy>(&self, values: &[T], channels: usize) -> Vec<T> {
        let (width, height) = self.size();
        let mut turned = Vec::with_capacity(values.len());
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = self.source(x, y);
                let place = channels * (from_y * self.width + from_x);
                turned.extend_from_slice(&values[place..place + channels]);
            }
        }
        turned
    }
}

/// A grey value in 0..=255.
pub(crate) fn to_byte(value: u16, max: u16) -> u8 {
    match max {
        255 => value.min(255) as u8,
        65535 => (value >> 8) as u8,
        _ => (u32::from(value) * 255 / u32::from(max.max(1))).min(255) as u8,
    }
}

/// A value over another one, by its opacity.
pub(crate) fn mixed(value: u8, below: u8, alpha: u8) -> u8 {
    let (alpha, value, below) = (u32::from(alpha), u32::from(value), u32::from(below));
    ((value * alpha + below * (255 - alpha) + 127) / 255) as u8
}

fn over_white([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    [red, green, blue].map(|value| mixed(value, 255, alpha))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_orientation_is_that_of_the_image_crate() {
        let (width, height) = (5u32, 3u32);
        let values: Vec<u8> = (0..4 * width * height).map(|i| i as u8).collect();
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).expect("1 to 8 exist");
            let mut expected = image::DynamicImage::ImageRgba8(
                image::RgbaImage::from_raw(width, height, values.clone()).expect("enough values"),
            );
            expected.apply_orientation(orientation);
            let raster = Raster::new(5, 3, Pixels::Rgba(values.clone())).oriented(orientation);
            assert_eq!(
                (raster.width as u32, raster.height as u32),
                (expected.width(), expected.height())
            );
            assert_eq!(
                raster.pixels,
                Pixels::Rgba(expected.into_rgba8().into_raw()),
                "{exif}"
            );
        }
    }

    #[test]
    fn opacity_is_told_for_every_kind_of_pixels() {
        let gray = |alpha| Pixels::Gray {
            values: vec![0, 5],
            max: 255,
            alpha,
        };
        let raster = |pixels| Raster::new(2, 1, pixels);
        assert_eq!(raster(gray(None)).opacity(), None);
        assert_eq!(raster(gray(Some(vec![255, 255]))).opacity(), None);
        assert_eq!(
            raster(gray(Some(vec![0, 255]))).opacity(),
            Some(vec![0, 255])
        );
        assert_eq!(raster(gray(Some(vec![0, 255]))).to_gray().pixels, [255, 5]);
        let indexed = Pixels::Indexed {
            indices: vec![1, 9],
            palette: vec![[1, 2, 3, 255], [4, 5, 6, 7]],
        };
        assert_eq!(raster(indexed).opacity(), Some(vec![7, 255]));
        let rgba = raster(Pixels::Rgba(vec![9, 8, 7, 0, 1, 2, 3, 255]));
        assert_eq!(rgba.opacity(), Some(vec![0, 255]));
        assert_eq!(rgba.to_opaque_rgb().pixels, [9, 8, 7, 1, 2, 3]);
        assert_eq!(rgba.to_rgb().pixels, [255, 255, 255, 1, 2, 3]);
    }
}
