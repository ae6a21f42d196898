//! JPEG from cameras and phones: lying on its side, with a film behind it, or without its last bytes.

use std::io::Cursor;
use std::path::Path;

use image::ImageDecoder;

use super::super::raster::Raster;
use super::check_size;
use super::foreign::pixels_of;
use crate::{Error, Result};

const END: [u8; 2] = [0xff, 0xd9];

pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Raster> {
    match end_of(bytes) {
        // Behind its end a phone keeps a film, an editor rubbish: neither is the decoder's.
        Some(end) => decode_whole(&bytes[..end], path),
        None => decode_without_end(bytes, path),
    }
}

fn decode_whole(bytes: &[u8], path: &Path) -> Result<Raster> {
    let broken = |error: image::ImageError| {
        Error::content(
            path,
            format!("the JPEG is damaged or cut off: {error}"),
            "save or copy it again",
        )
    };
    let mut decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(bytes)).map_err(broken)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = check_size(width, height, path)?;
    // Phones store portraits lying on their side and say so.
    let orientation = decoder.orientation().map_err(broken)?;
    let picture = image::DynamicImage::from_decoder(decoder).map_err(broken)?;
    let mut raster = Raster::new(width, height, pixels_of(picture));
    raster.lossy = true;
    Ok(raster.oriented(orientation))
}

/// A JPEG that stops before its end mark. The decoder fills what is missing with grey, so it is
/// decoded twice with different bits in place of the missing ones: where the pictures are equal, no
/// pixel hung on them.
fn decode_without_end(bytes: &[u8], path: &Path) -> Result<Raster> {
    let cut_off = || Error::content(path, "the JPEG is cut off", "save or copy it again");
    let kept = match bytes {
        [kept @ .., 0xff] => kept,
        _ => bytes,
    };
    let ended = |filling: &[u8]| -> Result<Raster> {
        let whole = [kept, filling, &END].concat();
        decode_whole(&whole, path).map_err(|_| cut_off())
    };
    let mut raster = ended(&[])?;
    if raster.pixels != ended(&[0x4d; 64])?.pixels {
        return Err(cut_off());
    }
    raster
        .notes
        .push("the last bytes of the JPEG are missing, but all of its pixels are there".to_owned());
    Ok(raster)
}

/// Place behind the end mark of the first picture in the file; `None` where there is none.
///
/// The marks are walked from the start: a thumbnail inside of a segment or a film behind the picture
/// has marks of its own. Inside of compressed data 0xff is always followed by 0 or a restart marker.
fn end_of(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        at += bytes.get(at..)?.iter().position(|&byte| byte != 0xff)?;
        let marker = bytes[at];
        at += 1;
        match marker {
            0xd9 => return Some(at),
            // A stuffed byte, restart markers, and a start: nothing follows that has a length.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let &[high, low] = bytes.get(at..at + 2)? else {
                    return None;
                };
                at += usize::from(u16::from_be_bytes([high, low])).max(2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_behind_segments_that_hold_marks() {
        let segment = [0xff, 0xe1, 0, 6, 0xff, 0xd9, 0xff, 0xda];
        let scan = [
            0xff, 0xda, 0, 2, 1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xff, 0xd9,
        ];
        let bytes = [&[0xff, 0xd8][..], &segment, &scan].concat();
        assert_eq!(end_of(&bytes), Some(bytes.len()));
        let film = [&bytes[..], &[7, 0xff, 0xda, 9]].concat();
        assert_eq!(end_of(&film), Some(bytes.len()));
        for length in 0..bytes.len() {
            assert_eq!(end_of(&bytes[..length]), None, "{length}");
        }
    }
}
