//! What a PNG says of itself in its first bytes, without reading its pixels.

/// Width and height from a PNG's header, which must be whole.
pub fn size(png: &[u8]) -> Option<(u32, u32)> {
    let head: &[u8; 24] = png.first_chunk()?;
    let number =
        |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    (head.starts_with(b"\x89PNG\r\n\x1a\n") && &head[12..16] == b"IHDR")
        .then(|| (number(16), number(20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_header_tells() {
        let picture = crate::picture::RgbImage::filled(3, 2, [9; 3]);
        let png = crate::picture::write::encode_rgb(&picture).unwrap_or_default();
        assert_eq!(size(&png), Some((3, 2)));
        for length in 0..24 {
            assert_eq!(size(&png[..length]), None, "{length}");
        }
        assert_eq!(size(&[b'x'; 24]), None);
    }
}
