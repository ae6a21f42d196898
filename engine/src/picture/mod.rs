//! Pictures: telling their formats, reading within bounds, resampling as PIL does, tensors, and writing whole files.

pub mod convert;
pub(crate) mod embedded;
mod format;
#[cfg(test)]
mod fuzz;
pub(crate) mod gray;
pub mod png_header;
mod raster;
pub mod read;
pub mod resize;
pub mod write;
pub mod xdog;

pub use format::{EXTENSIONS, Format, has_picture_extension};
pub use gray::GrayImage;
pub(crate) use raster::mixed;
pub use raster::{Pixels, Raster};

/// Longest side of a photo that is worked on: four times the largest side of the model's condition. A
/// crop of a larger photo is still sharper than any drawing.
pub const WORKING_SIDE: usize = 4096;

/// An RGB picture, three bytes a pixel, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `3 · width · height` values.
    pub pixels: Vec<u8>,
}

impl RgbImage {
    /// One colour everywhere.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self {
            width,
            height,
            pixels: colour.repeat(width * height),
        }
    }

    /// Colour at a place; black outside.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let start = 3 * (y * self.width + x);
        match self.pixels.get(start..start + 3) {
            Some(&[red, green, blue]) if x < self.width => [red, green, blue],
            _ => [0; 3],
        }
    }

    /// The part of a picture.
    ///
    /// Returns `None` where the rectangle leaves the picture.
    pub fn cropped(&self, left: usize, top: usize, width: usize, height: usize) -> Option<Self> {
        let inside =
            left.checked_add(width)? <= self.width && top.checked_add(height)? <= self.height;
        if !inside {
            return None;
        }
        let mut pixels = Vec::with_capacity(3 * width * height);
        for y in top..top + height {
            let start = 3 * (y * self.width + left);
            pixels.extend_from_slice(self.pixels.get(start..start + 3 * width)?);
        }
        Some(Self {
            width,
            height,
            pixels,
        })
    }

    /// Mirrored left to right.
    pub fn flipped(&self) -> Self {
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for row in self.pixels.chunks_exact(3 * self.width.max(1)) {
            pixels.extend(row.chunks_exact(3).rev().flatten());
        }
        Self {
            width: self.width,
            height: self.height,
            pixels,
        }
    }
}
