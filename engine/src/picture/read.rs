//! Reading PNG and JPEG from strangers: bounded before anything is allocated, never a panic.

use std::io::{Cursor, Read};
use std::path::Path;

use image::ImageDecoder;

use super::GrayImage;
use super::{RgbImage, convert};
use crate::{Error, Result};

/// Longest side that is read.
pub const MAX_SIDE: usize = 16_384;

/// Most pixels that are read.
pub const MAX_PIXELS: usize = 64 << 20;

/// Longest file that is read.
pub const MAX_BYTES: u64 = 512 << 20;

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
    /// In colour; what is transparent shows white.
    pub fn to_rgb(&self) -> RgbImage {
        let pixels = match &self.pixels {
            Pixels::Gray { values, max } => values
                .iter()
                .flat_map(|&value| [to_byte(value, *max); 3])
                .collect(),
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
            Pixels::Gray { values, max } => {
                let pixels = values.iter().map(|&value| to_byte(value, *max)).collect();
                GrayImage {
                    width: self.width,
                    height: self.height,
                    pixels,
                }
            }
            _ => convert::to_gray(&self.to_rgb()),
        }
    }
}

fn to_byte(value: u16, max: u16) -> u8 {
    match max {
        255 => value.min(255) as u8,
        65535 => (value >> 8) as u8,
        _ => (u32::from(value) * 255 / u32::from(max.max(1))).min(255) as u8,
    }
}

fn over_white([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    let mix = |value: u8| {
        let alpha = u32::from(alpha);
        ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    [mix(red), mix(green), mix(blue)]
}

/// Reads a whole file within [`MAX_BYTES`].
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(Error::file("read", path))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::file("read", path))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::content(
            path,
            "the file is larger than 512 MB",
            "use a smaller picture",
        ));
    }
    Ok(bytes)
}

/// Reads a PNG or JPEG file.
pub fn read(path: &Path) -> Result<Raster> {
    decode(&read_bytes(path)?, path)
}

/// Decodes a PNG or JPEG; `path` is only for messages.
pub fn decode(bytes: &[u8], path: &Path) -> Result<Raster> {
    if bytes.is_empty() {
        return Err(Error::content(
            path,
            "the file is empty",
            "save or copy it again",
        ));
    }
    if bytes.starts_with(b"\x89PNG") {
        decode_png(bytes, path)
    } else if bytes.starts_with(&[0xff, 0xd8]) {
        decode_jpeg(bytes, path)
    } else {
        Err(Error::content(
            path,
            "the file is neither PNG nor JPEG",
            "save the picture as PNG",
        ))
    }
}

fn check_size(width: u32, height: u32, path: &Path) -> Result<(usize, usize)> {
    let (width, height) = (width as usize, height as usize);
    if width == 0 || height == 0 {
        return Err(Error::content(
            path,
            format!("the picture is {width} x {height} pixels"),
            "save it again",
        ));
    }
    if width > MAX_SIDE || height > MAX_SIDE || width.saturating_mul(height) > MAX_PIXELS {
        return Err(Error::content(
            path,
            format!(
                "the picture is {width} x {height} pixels; at most {MAX_SIDE} a side and 64 million are read"
            ),
            "scale it down first",
        ));
    }
    Ok((width, height))
}

fn decode_png(bytes: &[u8], path: &Path) -> Result<Raster> {
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
    let mut decoder =
        png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: 1 << 30 });
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
    let rows = data.chunks_exact(frame.line_size).take(height);
    let info = reader.info();
    let depth = frame.bit_depth as usize;
    // 16-bit samples keep their high byte, except single grey values, which may be class numbers.
    let samples = |row: &[u8], channels: usize| -> Vec<u8> {
        let step = depth.div_ceil(8);
        row.iter()
            .step_by(step)
            .copied()
            .take(width * channels)
            .collect()
    };
    let pixels = match frame.color_type {
        png::ColorType::Grayscale => match transparent_gray(info.trns.as_deref()) {
            Some(hidden) => Pixels::Rgba(
                rows.flat_map(|row| unpack(row, depth, width))
                    .flat_map(|value| {
                        let grey = to_byte(value, max_of(depth));
                        [grey, grey, grey, if value == hidden { 0 } else { 255 }]
                    })
                    .collect(),
            ),
            None => Pixels::Gray {
                values: rows.flat_map(|row| unpack(row, depth, width)).collect(),
                max: max_of(depth),
            },
        },
        png::ColorType::Indexed => {
            let colours = info.palette.as_deref().unwrap_or_default();
            let alphas = info.trns.as_deref().unwrap_or_default();
            let palette = colours
                .chunks_exact(3)
                .enumerate()
                .map(|(i, c)| [c[0], c[1], c[2], alphas.get(i).copied().unwrap_or(255)])
                .collect();
            let indices = rows
                .flat_map(|row| unpack(row, depth, width))
                .map(|value| value as u8)
                .collect();
            Pixels::Indexed { indices, palette }
        }
        png::ColorType::Rgb => {
            let hidden = transparent_rgb(info.trns.as_deref(), depth);
            let rgba = rows.flat_map(|row| {
                let samples = samples(row, 3);
                let pixel = |p: &[u8]| {
                    [
                        p[0],
                        p[1],
                        p[2],
                        if hidden == Some([p[0], p[1], p[2]]) {
                            0
                        } else {
                            255
                        },
                    ]
                };
                samples.chunks_exact(3).flat_map(pixel).collect::<Vec<u8>>()
            });
            Pixels::Rgba(rgba.collect())
        }
        png::ColorType::GrayscaleAlpha => {
            let rgba = rows.flat_map(|row| {
                let samples = samples(row, 2);
                samples
                    .chunks_exact(2)
                    .flat_map(|p| [p[0], p[0], p[0], p[1]])
                    .collect::<Vec<u8>>()
            });
            Pixels::Rgba(rgba.collect())
        }
        png::ColorType::Rgba => Pixels::Rgba(rows.flat_map(|row| samples(row, 4)).collect()),
    };
    Ok(Raster {
        width,
        height,
        pixels,
        lossy: false,
    })
}

fn max_of(depth: usize) -> u16 {
    u16::MAX >> (16 - depth.clamp(1, 16))
}

/// Samples of a row with one channel.
fn unpack(row: &[u8], depth: usize, width: usize) -> Vec<u16> {
    match depth {
        16 => row
            .chunks_exact(2)
            .take(width)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect(),
        8 => row
            .iter()
            .take(width)
            .map(|&value| u16::from(value))
            .collect(),
        _ => {
            let in_byte = 8 / depth;
            let mask = max_of(depth);
            (0..width)
                .map(|x| {
                    let byte = row.get(x / in_byte).copied().unwrap_or(0);
                    (u16::from(byte) >> (8 - depth * (x % in_byte + 1))) & mask
                })
                .collect()
        }
    }
}

fn transparent_gray(chunk: Option<&[u8]>) -> Option<u16> {
    match chunk {
        Some(&[high, low]) => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}

fn transparent_rgb(chunk: Option<&[u8]>, depth: usize) -> Option<[u8; 3]> {
    match chunk {
        Some(&[r0, r1, g0, g1, b0, b1]) => Some(if depth == 16 {
            [r0, g0, b0]
        } else {
            [r1, g1, b1]
        }),
        _ => None,
    }
}

fn decode_jpeg(bytes: &[u8], path: &Path) -> Result<Raster> {
    let damaged = |what: String| Error::content(path, what, "save or copy it again");
    let broken =
        |error: image::ImageError| damaged(format!("the JPEG is damaged or cut off: {error}"));
    if !jpeg_is_complete(bytes) {
        return Err(damaged("the JPEG is cut off".to_owned()));
    }
    let mut decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(bytes)).map_err(broken)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, path)?;
    // Phones store portraits lying on their side and say so.
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = image::DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = match picture {
        image::DynamicImage::ImageLuma8(grey) => Pixels::Gray {
            values: grey.into_raw().into_iter().map(u16::from).collect(),
            max: 255,
        },
        other => Pixels::Rgba(other.into_rgba8().into_raw()),
    };
    Ok(Raster {
        width,
        height,
        pixels,
        lossy: true,
    })
}

/// The decoder fills a missing end with grey; a picture that stops half-way is an error here.
///
/// Inside of compressed data 0xff is always followed by 0 or a restart marker, so an end marker
/// behind the last scan's start is the real one.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    matches!((last(0xda), last(0xd9)), (Some(scan), Some(end)) if end > scan)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
