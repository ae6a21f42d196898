//! What kind of file something is, told by its content: names lie, and cameras, phones and editors
//! write more kinds than we read.

/// Endings of the pictures that are read, in lower case, for dialogs and for lists of files. What a
/// file really is, its content tells ([`Format::of`]).
pub const EXTENSIONS: [&str; 10] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "tif", "tiff", "gif",
];

/// Whether a path has one of the [`EXTENSIONS`], in any case.
pub fn has_picture_extension(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| {
        EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// A kind of picture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Read, any depth.
    Png,
    /// Read.
    Jpeg,
    /// Read: the first frame.
    WebP,
    /// Read.
    Bmp,
    /// Read: the first page.
    Tiff,
    /// Read: the first frame.
    Gif,
    /// Known, but not read: its name for a person, with an article.
    Other(&'static str),
}

impl Format {
    /// The kind of a file by its first bytes; `None` where they belong to no picture that we know.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let at = |place: usize, pattern: &[u8]| {
            bytes.get(place..).is_some_and(|b| b.starts_with(pattern))
        };
        let known = if at(0, b"\x89PNG") {
            if at(12, b"CgBI") {
                Self::Other("a PNG in Apple's private form (CgBI)")
            } else {
                Self::Png
            }
        } else if at(0, &[0xff, 0xd8]) {
            Self::Jpeg
        } else if at(0, b"RIFF") && at(8, b"WEBP") {
            Self::WebP
        } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
            Self::Gif
        } else if at(0, b"II*\0") || at(0, b"MM\0*") || at(0, b"II+\0") || at(0, b"MM\0+") {
            // Canon's raw files are TIFF with a mark behind the header; what is inside is a thumbnail.
            if at(8, b"CR\x02") {
                Self::Other("a camera's raw file (CR2)")
            } else {
                Self::Tiff
            }
        } else if at(0, b"BM") && bytes.get(6..10) == Some(&[0; 4]) {
            Self::Bmp
        } else if at(0, b"8BPS") {
            Self::Other("a Photoshop document (PSD)")
        } else if at(0, &[0xff, 0x0a]) || at(0, b"\0\0\0\x0cJXL \r\n\x87\n") {
            Self::Other("a JPEG XL picture")
        } else if at(0, b"\0\0\0\x0cjP  ") || at(0, b"\xff\x4f\xff\x51") {
            Self::Other("a JPEG 2000 picture")
        } else if at(4, b"ftyp") {
            Self::of_brands(bytes.get(8..).unwrap_or_default())
        } else if at(0, b"gimp xcf") {
            Self::Other("a GIMP document (XCF)")
        } else if at(0, b"%PDF") {
            Self::Other("a PDF document")
        } else if at(0, b"\0\0\x01\0") {
            Self::Other("an icon (ICO)")
        } else if at(0, b"v/1\x01") {
            Self::Other("an OpenEXR picture")
        } else if at(0, b"qoif") {
            Self::Other("a QOI picture")
        } else if at(0, b"P")
            && matches!(bytes.get(1..3), Some([b'1'..=b'7', b'\n' | b' ' | b'\r']))
        {
            Self::Other("a PNM picture")
        } else if is_svg(bytes) {
            Self::Other("an SVG drawing")
        } else {
            return None;
        };
        Some(known)
    }

    /// The brand of a file in the boxes of ISO 14496-12: films, and pictures that live in the same boxes.
    fn of_brands(brands: &[u8]) -> Self {
        // The major brand, the version, and the first compatible brands.
        let has = |names: &[&[u8; 4]]| {
            brands
                .chunks_exact(4)
                .take(8)
                .any(|brand| names.iter().any(|name| brand == name.as_slice()))
        };
        if has(&[b"avif", b"avis"]) {
            Self::Other("an AVIF picture")
        } else if has(&[
            b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1",
        ]) {
            Self::Other("a HEIC picture")
        } else if has(&[b"crx "]) {
            Self::Other("a camera's raw file (CR3)")
        } else {
            Self::Other("a film")
        }
    }

    /// For a person: `PNG`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Gif => "GIF",
            Self::Other(name) => name,
        }
    }
}

/// Text whose first element is `svg`, after a declaration and comments.
fn is_svg(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(1024)];
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_strangers_are_named() {
        let name = |bytes: &[u8]| Format::of(bytes).map(Format::name);
        let table: [(&[u8], Option<&str>); 16] = [
            (b"\x89PNG\r\n\x1a\n", Some("PNG")),
            (&[0xff, 0xd8, 0xff, 0xe0], Some("JPEG")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("WebP")),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"GIF89a\x01\0", Some("GIF")),
            (b"II*\0\x08\0\0\0", Some("TIFF")),
            (b"MM\0*\0\0\0\x08", Some("TIFF")),
            (b"BM\x46\0\0\0\0\0\0\0\x36", Some("BMP")),
            (b"BMW is a car", None),
            (b"8BPS\0\x01", Some("a Photoshop document (PSD)")),
            (b"\xff\x0a\0\0", Some("a JPEG XL picture")),
            (b"\0\0\0 ftypavif\0\0\0\0avifmif1", Some("an AVIF picture")),
            (
                b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
                Some("a HEIC picture"),
            ),
            // Some phones put the general brand first.
            (
                b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif",
                Some("an AVIF picture"),
            ),
            (b"\0\0\0\x18ftypisom\0\0\x02\0isomavc1", Some("a film")),
            (b"hello", None),
        ];
        for (bytes, expected) in table {
            assert_eq!(name(bytes), expected, "{}", bytes.escape_ascii());
        }
        assert_eq!(name(b"<?xml version='1.0'?><svg/>"), Some("an SVG drawing"));
    }

    #[test]
    fn endings_count_in_any_case() {
        let is = |name: &str| has_picture_extension(std::path::Path::new(name));
        assert!(is("a.PNG") && is("b.Jfif") && is("c.d.WebP") && is("x.TIF"));
        assert!(!is("png") && !is("a.txt") && !is(".png"));
    }
}
