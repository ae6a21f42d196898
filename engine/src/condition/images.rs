//! The two condition pictures: class labels and grey drawings.
//!
//! Both serialise as a small PNG in base64, so that a recipe or a project file carries its
//! condition in a few kilobytes of text.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::palette::{CLASS_COUNT, palette};
use crate::picture::{self, Pixels};
use crate::{Error, Result};

/// Class of each pixel, 0..=18 in CelebAMask-HQ's order (reference.md section 3), row-major.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Encoded", into = "Encoded")]
pub struct LabelImage {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `width · height` classes.
    pub labels: Vec<u8>,
}

impl LabelImage {
    /// Checks sizes and classes.
    pub fn new(width: usize, height: usize, labels: Vec<u8>) -> Result<Self> {
        let image = Self {
            width,
            height,
            labels,
        };
        image.check()?;
        Ok(image)
    }

    /// One class everywhere.
    pub fn filled(width: usize, height: usize, class: u8) -> Self {
        Self {
            width,
            height,
            labels: vec![class; width * height],
        }
    }

    /// The fields are public: what a caller built by hand is checked before it is used.
    pub fn check(&self) -> Result<()> {
        check_size("mask", self.width, self.height, self.labels.len())?;
        match self
            .labels
            .iter()
            .find(|&&class| usize::from(class) >= CLASS_COUNT)
        {
            Some(class) => Err(Error::Argument(format!(
                "the mask has class {class}; the classes are 0 to 18"
            ))),
            None => Ok(()),
        }
    }

    /// Pixels of each class.
    pub fn counts(&self) -> [usize; CLASS_COUNT] {
        let mut counts = [0; CLASS_COUNT];
        for &class in &self.labels {
            if let Some(count) = counts.get_mut(usize::from(class)) {
                *count += 1;
            }
        }
        counts
    }

    /// Exchanges the left and right classes in place; the picture stays where it is.
    pub fn swap_sides(&mut self) {
        for class in &mut self.labels {
            *class = palette().mirror(*class);
        }
    }

    /// The mask of the mirrored photo: flipped left to right, with sides exchanged.
    pub fn flipped(&self) -> Self {
        let mut flipped = self.clone();
        for row in flipped.labels.chunks_exact_mut(self.width.max(1)) {
            row.reverse();
        }
        flipped.swap_sides();
        flipped
    }

    /// Another size without mixing classes.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let labels = picture::resize::nearest(&self.labels, self.width, self.height, width, height);
        Self {
            width,
            height,
            labels,
        }
    }

    /// The labels as an 8-bit grey PNG of class numbers.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.check()?;
        picture::write::encode_gray(self.width, self.height, &self.labels)
    }
}

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
        let pixels =
            picture::resize::lanczos(&self.pixels, self.width, self.height, 1, width, height);
        Self {
            width,
            height,
            pixels,
        }
    }

    /// As an 8-bit grey PNG.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.check()?;
        picture::write::encode_gray(self.width, self.height, &self.pixels)
    }
}

fn check_size(what: &str, width: usize, height: usize, values: usize) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::Argument(format!(
            "the {what} is empty: {width} x {height} pixels"
        )));
    }
    if width.checked_mul(height) != Some(values) {
        return Err(Error::Argument(format!(
            "the {what} is {width} x {height} but has {values} values"
        )));
    }
    Ok(())
}

/// What stands in a recipe. The size is inside the PNG; it is repeated for people who read the text.
#[derive(Clone, Serialize, Deserialize)]
struct Encoded {
    width: usize,
    height: usize,
    png: String,
}

impl Encoded {
    fn new(width: usize, height: usize, values: &[u8]) -> Self {
        // An inconsistent picture has no PNG; it is refused when it is read back, and was never used.
        let png = picture::write::encode_gray(width, height, values).unwrap_or_default();
        Self {
            width,
            height,
            png: base64::encode(png),
        }
    }

    /// Width, height and values; messages without a path: the caller knows the file.
    fn decode(self) -> Result<(usize, usize, Vec<u8>), String> {
        let png = base64::decode(self.png.as_bytes())
            .map_err(|e| format!("the condition picture is damaged: {e}"))?;
        let raster = picture::read::decode(&png, Path::new("embedded condition picture"))
            .map_err(|error| error.to_string())?;
        if (raster.width, raster.height) != (self.width, self.height) {
            return Err("the condition picture has another size than the recipe says".to_owned());
        }
        match raster.pixels {
            Pixels::Gray { values, max: 255 } => Ok((
                raster.width,
                raster.height,
                values.iter().map(|&value| value as u8).collect(),
            )),
            _ => Err("the condition picture is not 8-bit grey".to_owned()),
        }
    }
}

impl From<LabelImage> for Encoded {
    fn from(image: LabelImage) -> Self {
        Self::new(image.width, image.height, &image.labels)
    }
}

impl TryFrom<Encoded> for LabelImage {
    type Error = String;
    fn try_from(encoded: Encoded) -> Result<Self, String> {
        let (width, height, labels) = encoded.decode()?;
        Self::new(width, height, labels).map_err(|error| error.to_string())
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
    use crate::condition::class;

    fn face() -> LabelImage {
        let labels = vec![
            class::RIGHT_EYE,
            class::NOSE,
            class::LEFT_EYE, //
            class::RIGHT_EAR,
            class::SKIN,
            class::LEFT_BROW,
        ];
        LabelImage::new(3, 2, labels).expect("valid")
    }

    #[test]
    fn flip_moves_pixels_and_exchanges_sides() {
        let flipped = face().flipped();
        assert_eq!(
            flipped.labels,
            [
                class::RIGHT_EYE,
                class::NOSE,
                class::LEFT_EYE,
                class::RIGHT_BROW,
                class::SKIN,
                class::LEFT_EAR
            ]
        );
        assert_eq!(flipped.flipped(), face());
    }

    #[test]
    fn text_form_is_small_and_exact() {
        let mut mask = LabelImage::filled(512, 512, class::HAIR);
        mask.labels[7 * 512 + 9] = class::EARRING;
        let text = ron::to_string(&mask).expect("serialises");
        assert!(text.len() < 4000, "{} bytes", text.len());
        assert_eq!(ron::from_str::<LabelImage>(&text).expect("reads"), mask);
        let sketch = GrayImage::new(2, 2, vec![0, 255, 7, 8]).expect("valid");
        let text = ron::to_string(&sketch).expect("serialises");
        assert_eq!(ron::from_str::<GrayImage>(&text).expect("reads"), sketch);
    }

    #[test]
    fn hand_made_nonsense_is_refused() {
        assert!(LabelImage::new(2, 2, vec![0, 1, 2]).is_err());
        assert!(LabelImage::new(1, 1, vec![19]).is_err());
        assert!(GrayImage::new(0, 5, vec![]).is_err());
        assert!(
            LabelImage {
                width: usize::MAX,
                height: 2,
                labels: vec![0; 4]
            }
            .check()
            .is_err()
        );
        let short = LabelImage {
            width: 2,
            height: 2,
            labels: vec![0],
        };
        assert!(ron::from_str::<LabelImage>(&ron::to_string(&short).expect("serialises")).is_err());
    }
}
