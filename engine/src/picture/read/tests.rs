//! Pictures as strangers make them.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::picture::{Pixels, write};

fn png_of(
    color: png::ColorType,
    depth: png::BitDepth,
    width: u32,
    height: u32,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(vec![255, 0, 0, 0, 255, 0, 0, 0, 255]);
        encoder.set_trns(vec![255, 0]);
    }
    let mut writer = encoder.write_header().expect("header");
    writer.write_image_data(data).expect("data");
    writer.finish().expect("end");
    bytes
}

fn decoded(bytes: &[u8]) -> Result<Raster> {
    decode(bytes, Path::new("picture.png"))
}

fn message(bytes: &[u8]) -> String {
    decoded(bytes).expect_err("must be refused").to_string()
}

/// A PNG that is nothing but a header.
fn header_only(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0]);
    let check = crc32fast::hash(&bytes[12..]);
    bytes.extend(check.to_be_bytes());
    bytes
}

fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels: Vec<u8> = (0..64 * 64 * 3).map(|i| (i * 7 % 256) as u8).collect();
    image::codecs::jpeg::JpegEncoder::new(&mut bytes)
        .encode(&pixels, 64, 64, image::ExtendedColorType::Rgb8)
        .expect("jpeg");
    bytes
}

#[test]
fn every_depth_keeps_raw_numbers() {
    use png::{BitDepth, ColorType};
    let grey = |depth, data: &[u8]| match decoded(&png_of(ColorType::Grayscale, depth, 4, 1, data))
    {
        Ok(Raster {
            pixels: Pixels::Gray { values, max, .. },
            ..
        }) => (values, max),
        other => panic!("not grey: {other:?}"),
    };
    assert_eq!(grey(BitDepth::One, &[0b1010_0000]), (vec![1, 0, 1, 0], 1));
    assert_eq!(grey(BitDepth::Two, &[0b0001_1011]), (vec![0, 1, 2, 3], 3));
    assert_eq!(grey(BitDepth::Four, &[0x18, 0xf0]), (vec![1, 8, 15, 0], 15));
    assert_eq!(
        grey(BitDepth::Eight, &[1, 2, 18, 255]),
        (vec![1, 2, 18, 255], 255)
    );
    assert_eq!(
        grey(BitDepth::Sixteen, &[0, 1, 0, 18, 1, 0, 255, 255]),
        (vec![1, 18, 256, 65535], 65535)
    );
}

#[test]
fn palettes_alpha_and_sixteen_bit_colour() {
    use png::{BitDepth, ColorType};
    let indexed = decoded(&png_of(
        ColorType::Indexed,
        BitDepth::Two,
        3,
        1,
        &[0b0001_1000],
    ))
    .expect("indexed");
    let Pixels::Indexed { indices, palette } = &indexed.pixels else {
        panic!("not indexed")
    };
    assert_eq!(
        (indices.as_slice(), palette.len()),
        ([0, 1, 2].as_slice(), 3)
    );
    assert_eq!(
        indexed.to_rgb().pixels,
        [255, 0, 0, 255, 255, 255, 0, 0, 255],
        "transparent shows white"
    );
    let wide = png_of(
        ColorType::Rgb,
        BitDepth::Sixteen,
        1,
        1,
        &[200, 9, 100, 9, 50, 9],
    );
    assert_eq!(
        decoded(&wide).expect("wide").pixels,
        Pixels::Rgba(vec![200, 100, 50, 255])
    );
    let half = png_of(ColorType::Rgba, BitDepth::Eight, 1, 1, &[0, 0, 0, 128]);
    assert_eq!(decoded(&half).expect("alpha").to_gray().pixels, [127]);
    let soft = png_of(
        ColorType::GrayscaleAlpha,
        BitDepth::Eight,
        2,
        1,
        &[0, 0, 9, 255],
    );
    assert_eq!(decoded(&soft).expect("alpha").to_gray().pixels, [255, 9]);
}

#[test]
fn interlaced_pictures_come_out_straight() {
    // 5 × 5 grey 8-bit, Adam7, value = 10·y + x, written by another tool.
    let bytes = include_bytes!("interlaced.png");
    let raster = decoded(bytes).expect("interlaced");
    let expected: Vec<u8> = (0..5)
        .flat_map(|y| (0..5).map(move |x| 10 * y + x))
        .collect();
    assert_eq!(raster.to_gray().pixels, expected);
}

#[test]
fn bombs_are_refused_by_their_header() {
    assert!(message(&header_only(60_000, 60_000)).contains("60000 x 60000"));
    assert!(message(&header_only(16_384, 16_384)).contains("at most"));
    assert!(message(&header_only(0, 10)).contains("damaged"));
}

#[test]
fn files_that_are_no_pictures_say_so() {
    assert!(message(b"").contains("the file is empty"));
    assert!(message(b"hello").contains("no picture that is known"));
    assert!(message(b"\x89PNG").contains("damaged or cut off"));
    let whole = write::encode_gray(40, 40, &[7; 1600]).expect("png");
    assert!(message(&whole[..whole.len() / 2]).contains("damaged or cut off"));
    assert!(message(&jpeg()[..300]).contains("cut off"));
    let missing = read(Path::new("no such file.png"))
        .expect_err("missing")
        .to_string();
    assert!(missing.starts_with("cannot read "), "{missing}");
}

#[test]
fn jpegs_are_read_and_marked_lossy() {
    let raster = decoded(&jpeg()).expect("jpeg");
    assert_eq!((raster.width, raster.height, raster.lossy), (64, 64, true));
    let bytes = jpeg();
    assert!(message(&bytes[..bytes.len() - 20]).contains("cut off"));
}

/// A PNG with another chunk behind its header.
fn with_chunk(png: &[u8], kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = kind.to_vec();
    chunk.extend(data);
    let check = crc32fast::hash(&chunk);
    let mut bytes = png[..33].to_vec();
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(chunk);
    bytes.extend(check.to_be_bytes());
    bytes.extend(&png[33..]);
    bytes
}

#[test]
fn transparent_colours_are_compared_by_their_full_depth() {
    use png::{BitDepth, ColorType};
    let opacity = |color, depth, data: &[u8], hidden: &[u8]| {
        let png = png_of(color, depth, 2, 1, data);
        decoded(&with_chunk(&png, b"tRNS", hidden))
            .expect("reads")
            .opacity()
    };
    let (grey, rgb) = (ColorType::Grayscale, ColorType::Rgb);
    // 16 bits: the low byte counts.
    let data = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let hidden = [0, 0, 0, 0, 0, 0];
    assert_eq!(
        opacity(rgb, BitDepth::Sixteen, &data, &hidden),
        Some(vec![255, 0])
    );
    assert_eq!(
        opacity(rgb, BitDepth::Sixteen, &data, &[0, 255, 0, 0, 0, 0]),
        None
    );
    assert_eq!(
        opacity(grey, BitDepth::Sixteen, &[0, 9, 1, 9], &[1, 9]),
        Some(vec![255, 0])
    );
    // Fewer bits: the unused high ones mean nothing.
    assert_eq!(
        opacity(grey, BitDepth::Eight, &[0, 7], &[255, 7]),
        Some(vec![255, 0])
    );
    assert_eq!(
        opacity(grey, BitDepth::Two, &[0b0111_0000], &[255, 0xfd]),
        Some(vec![0, 255])
    );
    let data = [1, 2, 3, 4, 5, 6];
    assert_eq!(
        opacity(rgb, BitDepth::Eight, &data, &[9, 4, 9, 5, 9, 6]),
        Some(vec![255, 0])
    );
}

#[test]
fn sixteen_bit_grey_keeps_its_numbers_in_any_layout() {
    use png::{BitDepth, ColorType};
    type Layout<'a> = (ColorType, &'a [u8], Option<Vec<u8>>);
    let layouts: [Layout; 4] = [
        (ColorType::Grayscale, &[0, 18, 1, 2], None),
        (
            ColorType::GrayscaleAlpha,
            &[0, 18, 0, 0, 1, 2, 255, 255],
            Some(vec![0, 255]),
        ),
        (
            ColorType::Rgb,
            &[0, 18, 0, 18, 0, 18, 1, 2, 1, 2, 1, 2],
            None,
        ),
        (
            ColorType::Rgba,
            &[0, 18, 0, 18, 0, 18, 255, 255, 1, 2, 1, 2, 1, 2, 0, 0],
            Some(vec![255, 0]),
        ),
    ];
    for (color, data, opacity) in layouts {
        let raster = decoded(&png_of(color, BitDepth::Sixteen, 2, 1, data)).expect("reads");
        assert_eq!(raster.opacity(), opacity, "{color:?}");
        let Pixels::Gray { values, max, .. } = raster.pixels else {
            panic!("{color:?} became colour")
        };
        assert_eq!((values, max), (vec![18, 258], u16::MAX), "{color:?}");
    }
}

/// TIFF's frame of an orientation, as Exif and eXIf hold it.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif
}

#[test]
fn a_png_stands_upright_as_a_jpeg_does() {
    let png = write::encode_gray(3, 2, &[1, 2, 3, 4, 5, 6]).expect("png");
    let turned = |orientation| {
        let raster = decoded(&with_chunk(&png, b"eXIf", &exif(orientation))).expect("reads");
        (raster.width, raster.height, raster.to_gray().pixels)
    };
    assert_eq!(turned(1), (3, 2, vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(turned(6), (2, 3, vec![4, 1, 5, 2, 6, 3]));
    assert_eq!(turned(3), (3, 2, vec![6, 5, 4, 3, 2, 1]));
    // Behind the pixels, where some writers put it, with JPEG's prefix.
    let prefixed = [b"Exif\0\0".to_vec(), exif(6)].concat();
    let end = png.len() - 12;
    let chunk = &with_chunk(&png, b"eXIf", &prefixed)[33..33 + 12 + prefixed.len()];
    let late = [&png[..end], chunk, &png[end..]].concat();
    assert_eq!(decoded(&late).expect("reads").height, 3);
}

#[test]
fn what_lies_behind_a_jpeg_is_not_its_own() {
    let whole = decoded(&jpeg()).expect("reads");
    let film = [
        &b"\0\0\0\x18ftypmp42"[..],
        &[0xff, 0xda, 1, 2, 0xff, 0xd9, 7, 0xff, 0xda, 8],
    ]
    .concat();
    for behind in [&film[..], &[0; 600], &jpeg()[..500], b"\xff\xd9\xff\xda"] {
        let raster = decoded(&[&jpeg()[..], behind].concat()).expect("reads");
        assert_eq!(raster, whole);
    }
}

#[test]
fn a_jpeg_without_its_last_bytes_is_read_where_its_rows_are_whole() {
    let whole = jpeg();
    let expected = decoded(&whole).expect("reads");
    for missing in [1, 2] {
        let raster = decoded(&whole[..whole.len() - missing]).expect("its rows are whole");
        assert_eq!(raster.pixels, expected.pixels, "{missing}");
        assert!(raster.notes[0].contains("last bytes"), "{:?}", raster.notes);
    }
    for missing in [8, 40, 200] {
        let text = message(&whole[..whole.len() - missing]);
        assert!(text.contains("cut off"), "{missing}: {text}");
    }
}

#[test]
fn formats_of_phones_and_editors_are_read() {
    let pixels: Vec<u8> = (0..40 * 30 * 3).map(|i| (i / 3 % 200) as u8).collect();
    let picture = image::RgbImage::from_raw(40, 30, pixels.clone()).expect("enough");
    for format in [
        image::ImageFormat::WebP,
        image::ImageFormat::Bmp,
        image::ImageFormat::Tiff,
        image::ImageFormat::Gif,
    ] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::DynamicImage::from(picture.clone())
            .write_to(&mut bytes, format)
            .expect("encodes");
        let bytes = bytes.into_inner();
        let raster = decoded(&bytes).expect("reads");
        assert_eq!((raster.width, raster.height), (40, 30), "{format:?}");
        // GIF has 256 colours; the others are exact.
        let close = raster
            .to_rgb()
            .pixels
            .iter()
            .zip(&pixels)
            .all(|(a, b)| a.abs_diff(*b) < 4);
        assert!(close && !raster.lossy, "{format:?}");
        let cut = message(&bytes[..bytes.len() / 3]);
        assert!(cut.contains("damaged or cut off"), "{format:?}: {cut}");
    }
}

#[test]
fn strangers_are_named() {
    for (start, name) in [
        (&b"\0\0\0 ftypavif\0\0\0\0avifmif1"[..], "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"8BPS\0\x01", "Photoshop"),
        (b"\xff\x0a", "JPEG XL"),
    ] {
        let text = message(&[start, &[0; 64]].concat());
        let (before, after) = text.split_once('(').expect("a path");
        assert!(
            before.contains(name) || name == "Photoshop" && before.contains(name),
            "{text}"
        );
        assert!(after.contains("save the picture as PNG or JPEG"), "{text}");
    }
}

#[test]
fn a_photo_of_sixty_megapixels_is_within_the_limits() {
    // A full-frame camera's; the header alone is looked at.
    assert!(!message(&header_only(9504, 6336)).contains("at most"));
}

/// A small picture in every format that the image crate writes.
fn foreign() -> Vec<Vec<u8>> {
    use image::ImageFormat::{Bmp, Gif, Tiff, WebP};
    let picture =
        image::RgbaImage::from_fn(9, 7, |x, y| image::Rgba([x as u8 * 20, y as u8, 3, 255]));
    let encoded = |format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::DynamicImage::from(picture.clone())
            .write_to(&mut bytes, format)
            .expect("encodes");
        bytes.into_inner()
    };
    [WebP, Bmp, Tiff, Gif].map(encoded).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u8..7) {
        let start: &[u8] = match kind {
            0 => b"",
            1 => b"\x89PNG\r\n\x1a\n",
            2 => &[0xff, 0xd8, 0xff],
            3 => b"RIFF\xff\0\0\0WEBPVP8L",
            4 => b"GIF89a",
            5 => b"II*\0\x08\0\0\0",
            _ => b"BM\xff\0\0\0\0\0\0\0",
        };
        drop(decoded(&[start, &bytes].concat()));
    }

    #[test]
    fn damaged_files_never_panic(
        place in any::<prop::sample::Index>(),
        value in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        kind in 0usize..7,
    ) {
        let mut bytes = match kind {
            3.. => foreign().swap_remove(kind - 3),
            0 => jpeg(),
            1 => include_bytes!("interlaced.png").to_vec(),
            _ => png_of(png::ColorType::Indexed, png::BitDepth::Two, 3, 1, &[0b0001_1000]),
        };
        let place = place.index(bytes.len());
        bytes[place] = value;
        bytes.truncate(cut.index(bytes.len() * 4).max(8).min(bytes.len()));
        if let Ok(raster) = decoded(&bytes) {
            prop_assert_eq!(raster.to_rgb().pixels.len(), 3 * raster.width * raster.height);
        }
    }
}
