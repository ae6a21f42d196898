//! A grey picture.

use super::{resize, write};
use crate::{Error, Result};

/// A grey picture, 0 = black, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrayImage {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `width · height` grey values.
    pub pixels: Vec<u8>,
}

impl GrayImage {
    /// Checks the size.
    ///
    /// # Errors
    /// As [`GrayImage::check`].
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self> {
        let image = Self {
            width,
            height,
            pixels,
        };
        image.check()?;
        Ok(image)
    }

    /// One grey everywhere.
    pub fn filled(width: usize, height: usize, value: u8) -> Self {
        Self {
            width,
            height,
            pixels: vec![value; width * height],
        }
    }

    /// The fields are public: what a caller built by hand is checked before it is used.
    ///
    /// # Errors
    /// When the image is empty, or has more or fewer values than pixels.
    pub fn check(&self) -> Result<()> {
        check_size("sketch", self.width, self.height, self.pixels.len())
    }

    /// Mirrored left to right.
    pub fn flipped(&self) -> Self {
        let mut flipped = self.clone();
        for row in flipped.pixels.chunks_exact_mut(self.width.max(1)) {
            row.reverse();
        }
        flipped
    }

    /// Resampled as PIL's Lanczos does.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let pixels = resize::lanczos(&self.pixels, self.width, self.height, 1, width, height);
        Self {
            width,
            height,
            pixels,
        }
    }

    /// As an 8-bit grey PNG.
    ///
    /// # Errors
    /// As [`GrayImage::check`].
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.check()?;
        write::encode_gray(self.width, self.height, &self.pixels)
    }
}

/// Checks that a picture of one byte a pixel has as many values as its sides say.
///
/// # Errors
/// When it is empty or the numbers contradict each other; `what` names it.
pub(crate) fn check_size(what: &str, width: usize, height: usize, values: usize) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::Input(format!(
            "the {what} is empty: {width} x {height} pixels"
        )));
    }
    if width.checked_mul(height) != Some(values) {
        return Err(Error::Input(format!(
            "the {what} is {width} x {height} but has {values} values"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_made_nonsense_is_refused() {
        assert!(GrayImage::new(0, 5, vec![]).is_err());
    }
}
