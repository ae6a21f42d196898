//! Everything that the image crate decodes, with our limits.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat};

use super::super::Format;
use super::super::raster::{Pixels, Raster};
use super::{MAX_MEMORY, MAX_SIDE, check_size};
use crate::{Error, Result};

/// Decodes WebP, BMP, TIFF or GIF: the first frame or page.
pub(super) fn decode(bytes: &[u8], format: Format, path: &Path) -> Result<Raster> {
    let name = format.name();
    let failed = |error: ImageError| match error {
        ImageError::Limits(_) => Error::content(
            path,
            format!("the {name} needs too much memory"),
            "scale the picture down first",
        ),
        ImageError::Unsupported(_) => Error::content(
            path,
            format!("the {name} is of a kind that is not read here"),
            "save the picture as PNG",
        ),
        error => Error::content(
            path,
            format!("the {name} is damaged or cut off: {error}"),
            "save or copy it again",
        ),
    };
    let known = match format {
        Format::Bmp => ImageFormat::Bmp,
        Format::Tiff => ImageFormat::Tiff,
        Format::Gif => ImageFormat::Gif,
        _ => ImageFormat::WebP,
    };
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) =
        (Some(MAX_SIDE as u32), Some(MAX_SIDE as u32));
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = image::ImageReader::with_format(Cursor::new(bytes), known);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = check_size(width, height, path)?;
    // A picture is upright where its note of the orientation cannot be read.
    let orientation = decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    let mut raster = Raster::new(width, height, pixels_of(picture));
    raster.lossy = format == Format::WebP && is_lossy_webp(bytes);
    Ok(raster.oriented(orientation))
}

/// Whether a WebP holds a picture in the lossy `VP8 ` form, or several frames, which mostly are.
fn is_lossy_webp(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((head, after)) = rest.split_at_checked(8) {
        match &head[..4] {
            b"VP8 " | b"ANMF" => return true,
            b"VP8L" => return false,
            _ => {}
        }
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        // Chunks are padded to an even length.
        rest = after
            .get(length.saturating_add(length % 2)..)
            .unwrap_or_default();
    }
    false
}

/// What the image crate decoded, as raw as it is.
pub(super) fn pixels_of(picture: DynamicImage) -> Pixels {
    let gray = |values: Vec<u16>, max, alpha| Pixels::Gray { values, max, alpha };
    match picture {
        DynamicImage::ImageLuma8(grey) => {
            let values = grey.into_raw().into_iter().map(u16::from).collect();
            gray(values, 255, None)
        }
        DynamicImage::ImageLuma16(grey) => gray(grey.into_raw(), u16::MAX, None),
        DynamicImage::ImageLumaA8(grey) => {
            let pixels = || grey.pixels().map(|pixel| pixel.0);
            let values = pixels().map(|[value, _]| u16::from(value)).collect();
            gray(
                values,
                255,
                Some(pixels().map(|[_, alpha]| alpha).collect()),
            )
        }
        DynamicImage::ImageLumaA16(grey) => {
            let pixels = || grey.pixels().map(|pixel| pixel.0);
            let alpha = pixels().map(|[_, alpha]| (alpha >> 8) as u8).collect();
            gray(
                pixels().map(|[value, _]| value).collect(),
                u16::MAX,
                Some(alpha),
            )
        }
        other => Pixels::Rgba(other.into_rgba8().into_raw()),
    }
}
