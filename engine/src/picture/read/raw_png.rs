//! PNG down to its raw values: any depth, palettes, and transparency by its full depth.

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;

use super::super::raster::{Pixels, Raster};
use super::{MAX_MEMORY, MAX_PIXELS, check_size};
use crate::{Error, Result};

pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Raster> {
    let broken = |error: png::DecodingError| match error {
        png::DecodingError::LimitsExceeded => Error::content(
            path,
            "the PNG needs too much memory",
            "scale the picture down first",
        ),
        error => Error::content(
            path,
            format!("the PNG is damaged or cut off: {error}"),
            "save or copy it again",
        ),
    };
    let limits = png::Limits {
        bytes: MAX_MEMORY as usize,
    };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(png::Transformations::IDENTITY);
    let header = decoder.read_header_info().map_err(broken)?;
    let (width, height) = check_size(header.width, header.height, path)?;
    let mut reader = decoder.read_info().map_err(broken)?;
    let length = reader
        .output_buffer_size()
        .filter(|&length| length <= 8 * MAX_PIXELS);
    let Some(length) = length else {
        return Err(broken(png::DecodingError::LimitsExceeded));
    };
    let mut data = vec![0; length];
    let frame = reader.next_frame(&mut data).map_err(broken)?;
    if (frame.width as usize, frame.height as usize) != (width, height) {
        return Err(Error::content(
            path,
            "the PNG's first frame is not the whole picture",
            "save it as a still PNG",
        ));
    }
    // The orientation may stand behind the pixels; a file that is damaged there has its pixels still.
    reader.finish().ok();
    let info = reader.info();
    let rows = Rows {
        rows: data.chunks_exact(frame.line_size).take(height),
        depth: frame.bit_depth as usize,
        width,
    };
    let hidden = info.trns.as_deref().unwrap_or_default();
    let pixels = match frame.color_type {
        png::ColorType::Indexed => {
            let colours = info.palette.as_deref().unwrap_or_default();
            let palette = colours
                .chunks_exact(3)
                .enumerate()
                .map(|(i, c)| [c[0], c[1], c[2], hidden.get(i).copied().unwrap_or(255)])
                .collect();
            let indices = rows.samples(1).into_iter().map(|value| value as u8);
            Pixels::Indexed {
                indices: indices.collect(),
                palette,
            }
        }
        png::ColorType::Grayscale => {
            let max = rows.max();
            let values = rows.samples(1);
            let hidden = samples_of(hidden, max).filter(|hidden| hidden.len() == 1);
            let alpha = hidden.map(|hidden| opaque_unless(&values, &hidden));
            Pixels::Gray { values, max, alpha }
        }
        png::ColorType::Rgb | png::ColorType::Rgba => {
            let channels = frame.color_type.samples();
            let max = rows.max();
            let hidden =
                samples_of(hidden, max).filter(|hidden| hidden.len() == 3 && channels == 3);
            if max == u16::MAX {
                deep_colour(&rows.samples(channels), channels, hidden.as_deref())
            } else {
                colour(rows, channels, hidden.as_deref())
            }
        }
        png::ColorType::GrayscaleAlpha => {
            let max = rows.max();
            let samples = rows.samples(2);
            Pixels::Gray {
                values: samples.iter().step_by(2).copied().collect(),
                max,
                alpha: Some(alpha_of(&samples, 2, max)),
            }
        }
    };
    let orientation = info.exif_metadata.as_deref().and_then(|exif| {
        // Some writers keep the prefix that JPEG needs.
        Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
    });
    let raster = Raster::new(width, height, pixels);
    Ok(raster.oriented(orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The rows of a decoded picture, still packed.
struct Rows<'a, I: Iterator<Item = &'a [u8]>> {
    rows: I,
    depth: usize,
    width: usize,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Rows<'a, I> {
    fn max(&self) -> u16 {
        u16::MAX >> (16 - self.depth.clamp(1, 16))
    }

    /// All samples by their full depth, with so many channels a pixel.
    fn samples(self, channels: usize) -> Vec<u16> {
        let (max, depth, length) = (self.max(), self.depth, self.width * channels);
        self.rows
            .flat_map(|row| unpack(row, depth, max, length))
            .collect()
    }
}

/// The first samples of a row.
fn unpack(row: &[u8], depth: usize, max: u16, length: usize) -> Vec<u16> {
    match depth {
        16 => row
            .chunks_exact(2)
            .take(length)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect(),
        8 => row.iter().take(length).map(|&v| u16::from(v)).collect(),
        _ => {
            let in_byte = 8 / depth;
            (0..length)
                .map(|x| {
                    let byte = row.get(x / in_byte).copied().unwrap_or(0);
                    (u16::from(byte) >> (8 - depth * (x % in_byte + 1))) & max
                })
                .collect()
        }
    }
}

/// The samples of the colour that a tRNS chunk hides: two bytes each for 16 bits, else the lower one,
/// which is what the png crate leaves of it. Bits that the depth does not use mean nothing (PNG
/// 11.3.2.1).
fn samples_of(chunk: &[u8], max: u16) -> Option<Vec<u16>> {
    let samples: Vec<u16> = if max == u16::MAX {
        let pairs = chunk.chunks_exact(2);
        pairs
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect()
    } else {
        chunk.iter().map(|&byte| u16::from(byte) & max).collect()
    };
    (!samples.is_empty()).then_some(samples)
}

/// Opacity of pixels of which one colour is hidden.
fn opaque_unless(samples: &[u16], hidden: &[u16]) -> Vec<u8> {
    samples
        .chunks_exact(hidden.len())
        .map(|pixel| if pixel == hidden { 0 } else { 255 })
        .collect()
}

/// The last channel, in 8 bits.
fn alpha_of(samples: &[u16], channels: usize, max: u16) -> Vec<u8> {
    samples
        .chunks_exact(channels)
        .map(|pixel| high_byte(pixel[channels - 1], max))
        .collect()
}

fn high_byte(value: u16, max: u16) -> u8 {
    if max == u16::MAX {
        (value >> 8) as u8
    } else {
        value as u8
    }
}

/// Colour of 8 bits a channel.
fn colour<'a>(
    rows: Rows<'a, impl Iterator<Item = &'a [u8]>>,
    channels: usize,
    hidden: Option<&[u16]>,
) -> Pixels {
    let hidden = hidden.map(|hidden| [hidden[0] as u8, hidden[1] as u8, hidden[2] as u8]);
    let mut rgba = Vec::new();
    for row in rows.rows {
        rgba.reserve(4 * rows.width);
        for pixel in row.chunks_exact(channels).take(rows.width) {
            let colour = [pixel[0], pixel[1], pixel[2]];
            let alpha = match pixel.get(3) {
                Some(&alpha) => alpha,
                None if hidden == Some(colour) => 0,
                None => 255,
            };
            rgba.extend_from_slice(&[colour[0], colour[1], colour[2], alpha]);
        }
    }
    Pixels::Rgba(rgba)
}

/// Colour of 16 bits a channel, of which 8 are kept; but values that are the same in all channels may
/// be class numbers in the low byte, so they stay whole as grey.
fn deep_colour(samples: &[u16], channels: usize, hidden: Option<&[u16]>) -> Pixels {
    let pixels = || samples.chunks_exact(channels);
    let alpha = |pixel: &[u16]| match pixel.get(3) {
        Some(&alpha) => high_byte(alpha, u16::MAX),
        None if hidden == Some(pixel) => 0,
        None => 255,
    };
    if pixels().all(|p| p[0] == p[1] && p[1] == p[2]) {
        return Pixels::Gray {
            values: pixels().map(|p| p[0]).collect(),
            max: u16::MAX,
            alpha: Some(pixels().map(alpha).collect()),
        };
    }
    let rgba = pixels().flat_map(|p| {
        let byte = |value| high_byte(value, u16::MAX);
        [byte(p[0]), byte(p[1]), byte(p[2]), alpha(p)]
    });
    Pixels::Rgba(rgba.collect())
}
