//! Writing: PNG encoding.

use super::RgbImage;
use crate::{Error, Result};

/// An 8-bit grey PNG.
///
/// # Errors
/// When the size is zero, too large for a PNG, or not that of the pixels.
pub fn encode_gray(width: usize, height: usize, pixels: &[u8]) -> Result<Vec<u8>> {
    encode(width, height, pixels, png::ColorType::Grayscale)
}

/// An 8-bit RGB PNG without any text.
///
/// # Errors
/// As [`encode_gray`].
pub fn encode_rgb(picture: &RgbImage) -> Result<Vec<u8>> {
    encode(
        picture.width,
        picture.height,
        &picture.pixels,
        png::ColorType::Rgb,
    )
}

fn encode(width: usize, height: usize, pixels: &[u8], color: png::ColorType) -> Result<Vec<u8>> {
    let side = |value: usize| {
        u32::try_from(value).map_err(|_| Error::Internal(format!("a side of {value} pixels")))
    };
    let failed = Error::unwritable::<png::EncodingError>("the picture");
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(width)?, side(height)?);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(&failed)?;
    writer.write_image_data(pixels).map_err(&failed)?;
    writer.finish().map_err(&failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_lengths_are_errors() {
        assert!(encode_gray(2, 2, &[1, 2, 3]).is_err());
        assert!(encode_gray(0, 2, &[]).is_err());
        assert!(encode_rgb(&RgbImage::filled(2, 2, [1, 2, 3])).is_ok());
    }
}
