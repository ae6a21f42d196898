//! How pictures of one byte a pixel stand in a recipe or a project file: as a small PNG in base64,
//! so that a condition takes a few kilobytes of text.

use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{GrayImage, Pixels, read, write};

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

impl Serialize for GrayImage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Encoded::new(self.width, self.height, &self.pixels).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for GrayImage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (width, height, pixels) = Encoded::deserialize(deserializer)?
            .decode()
            .map_err(D::Error::custom)?;
        Self::new(width, height, pixels).map_err(D::Error::custom)
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
}
