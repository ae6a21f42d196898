//! A grey picture, and how pictures of one byte a pixel stand in a recipe or a project file: as a
//! small PNG in base64, so that a condition takes a few kilobytes of text.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Pixels, read, resize, write};
use crate::{Error, Result};

/// A grey picture, 0 = black, row-major.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Encoded", into = "Encoded")]
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

/// A picture of one byte a pixel as it stands in a recipe. The size is inside the PNG; it is repeated for people who read the text.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Encoded {
    width: usize,
    height: usize,
    png: String,
}

impl Encoded {
    pub(crate) fn new(width: usize, height: usize, values: &[u8]) -> Self {
        // An inconsistent picture has no PNG; it is refused when it is read back, and was never used.
        let png = write::encode_gray(width, height, values).unwrap_or_default();
        Self {
            width,
            height,
            png: base64::encode(png),
        }
    }

    /// Width, height and values; messages without a path: the caller knows the file.
    pub(crate) fn decode(self) -> Result<(usize, usize, Vec<u8>), String> {
        let png = base64::decode(self.png.as_bytes())
            .map_err(|e| format!("the condition picture is damaged: {e}"))?;
        let raster = read::decode(&png, Path::new("embedded condition picture"))
            .map_err(|error| error.to_string())?;
        if (raster.width, raster.height) != (self.width, self.height) {
            return Err("the condition picture has another size than the recipe says".to_owned());
        }
        match raster.pixels {
            Pixels::Gray {
                values,
                max: 255,
                alpha: None,
            } => Ok((
                raster.width,
                raster.height,
                values.iter().map(|&value| value as u8).collect(),
            )),
            _ => Err("the condition picture is not 8-bit grey".to_owned()),
        }
    }
}

impl From<GrayImage> for Encoded {
    fn from(image: GrayImage) -> Self {
        Self::new(image.width, image.height, &image.pixels)
    }
}

impl TryFrom<Encoded> for GrayImage {
    type Error = String;
    fn try_from(encoded: Encoded) -> Result<Self, String> {
        let (width, height, pixels) = encoded.decode()?;
        Self::new(width, height, pixels).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_exact() {
        let sketch = GrayImage::new(2, 2, vec![0, 255, 7, 8]).expect("valid");
        let text = ron::to_string(&sketch).expect("serialises");
        assert_eq!(ron::from_str::<GrayImage>(&text).expect("reads"), sketch);
    }

    #[test]
    fn hand_made_nonsense_is_refused() {
        assert!(GrayImage::new(0, 5, vec![]).is_err());
    }
}
