//! Reading pictures from strangers: bounded before anything is allocated, never a panic.
//!
//! What a file is, its content tells. PNG is decoded here down to its raw values, because a class
//! mask may hide its numbers in any depth, palette or transparency; JPEG and the rest go through the
//! image crate.

mod foreign;
mod jpeg;
mod raw_png;

use std::io::Read;
use std::path::Path;

use super::{Format, Raster};
use crate::{Error, Result};

/// Longest side that is read.
pub const MAX_SIDE: usize = 16_384;

/// Most pixels that are read.
pub const MAX_PIXELS: usize = 64 << 20;

/// Longest file that is read.
pub const MAX_BYTES: u64 = 512 << 20;

/// Most memory that a decoder may take beside the file, bytes.
const MAX_MEMORY: u64 = 1 << 30;

/// Reads a whole file within [`MAX_BYTES`].
///
/// # Errors
/// When the system refuses or the file is larger.
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

/// Reads a picture file, upright.
///
/// # Errors
/// When it cannot be read, is no picture, is damaged, or is larger than [`MAX_SIDE`] and
/// [`MAX_PIXELS`] allow.
pub fn read(path: &Path) -> Result<Raster> {
    decode(&read_bytes(path)?, path)
}

/// Decodes a picture, upright; `path` is only for messages.
///
/// # Errors
/// When it is no picture, damaged, or too large.
pub fn decode(bytes: &[u8], path: &Path) -> Result<Raster> {
    if bytes.is_empty() {
        return Err(Error::content(
            path,
            "the file is empty",
            "save or copy it again",
        ));
    }
    match Format::of(bytes) {
        Some(Format::Png) => raw_png::decode(bytes, path),
        Some(Format::Jpeg) => jpeg::decode(bytes, path),
        Some(Format::Other(name)) => Err(Error::content(
            path,
            format!("this is {name}, which is not read here"),
            "save the picture as PNG or JPEG",
        )),
        Some(format) => foreign::decode(bytes, format, path),
        None => Err(Error::content(
            path,
            "the file is no picture that is known here",
            "save the picture as PNG",
        )),
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
                "the picture is {width} x {height} pixels; at most {MAX_SIDE} a side and 67 million are read"
            ),
            "scale it down first",
        ));
    }
    Ok((width, height))
}

#[cfg(test)]
mod tests;
