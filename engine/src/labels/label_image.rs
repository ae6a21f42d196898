//! A face mask as class labels.

use serde::{Deserialize, Serialize};

use super::palette::{CLASS_COUNT, palette};
use crate::picture::embedded::Encoded;
use crate::picture::gray::check_size;
use crate::picture::{RgbImage, resize, write};
use crate::{Error, Result};

/// Class of each pixel, 0..=18 in CelebAMask-HQ's order (docs/reference.md section 3), row-major.
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
    ///
    /// # Errors
    /// As [`LabelImage::check`].
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
    ///
    /// # Errors
    /// When the image is empty, has more or fewer labels than pixels, or a class past 18.
    pub fn check(&self) -> Result<()> {
        check_size("mask", self.width, self.height, self.labels.len())?;
        match self
            .labels
            .iter()
            .find(|&&class| usize::from(class) >= CLASS_COUNT)
        {
            Some(class) => Err(Error::Input(format!(
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
        let labels = resize::nearest(&self.labels, self.width, self.height, width, height);
        Self {
            width,
            height,
            labels,
        }
    }

    /// The labels as an 8-bit grey PNG of class numbers.
    ///
    /// # Errors
    /// As [`LabelImage::check`].
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.check()?;
        write::encode_gray(self.width, self.height, &self.labels)
    }

    /// The mask in the model's colours.
    pub fn to_rgb(&self) -> RgbImage {
        let pixels = self
            .labels
            .iter()
            .flat_map(|&class| palette().colour(class))
            .collect();
        RgbImage {
            width: self.width,
            height: self.height,
            pixels,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::class;

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
    }

    #[test]
    fn hand_made_nonsense_is_refused() {
        assert!(LabelImage::new(2, 2, vec![0, 1, 2]).is_err());
        assert!(LabelImage::new(1, 1, vec![19]).is_err());
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
