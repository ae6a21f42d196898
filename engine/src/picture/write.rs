//! Writing: PNG encoding, and files that are either whole or not there.

use std::io::Write;
use std::path::Path;

use super::RgbImage;
use crate::{Error, Result};

/// Writes beside the target and renames, so that a crash or a full disk never leaves half a file.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".mmface-")
            .suffix(".part")
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        readable_like_any_new_file(file.as_file())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(Error::file("write", path))
}

/// Temporary files are private to their owner; a picture that somebody saved is not.
#[cfg(unix)]
fn readable_like_any_new_file(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_like_any_new_file(_file: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// An 8-bit grey PNG.
pub fn encode_gray(width: usize, height: usize, pixels: &[u8]) -> Result<Vec<u8>> {
    encode(width, height, pixels, png::ColorType::Grayscale)
}

/// An 8-bit RGB PNG without any text.
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
        u32::try_from(value).map_err(|_| Error::Argument(format!("a side of {value} pixels")))
    };
    let failed =
        |error: png::EncodingError| Error::Argument(format!("cannot encode the picture: {error}"));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(width)?, side(height)?);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_writes_leave_the_old_file_and_no_litter() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("picture.png");
        write_atomic(&path, b"old").expect("first");
        write_atomic(&path, b"new").expect("second");
        assert_eq!(std::fs::read(&path).expect("read"), b"new");
        let nowhere = folder.path().join("missing").join("picture.png");
        let error = write_atomic(&nowhere, b"x").expect_err("no folder");
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert!(
            write_atomic(folder.path(), b"x").is_err(),
            "a folder is not replaced"
        );
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
    }

    #[test]
    fn wrong_lengths_are_errors() {
        assert!(encode_gray(2, 2, &[1, 2, 3]).is_err());
        assert!(encode_gray(0, 2, &[]).is_err());
        assert!(encode_rgb(&RgbImage::filled(2, 2, [1, 2, 3])).is_ok());
    }
}
