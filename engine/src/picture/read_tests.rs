//! Pictures as strangers make them.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::picture::write;

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
    bytes.extend(crc32fast::hash(&bytes[12..]).to_be_bytes());
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
            pixels: Pixels::Gray { values, max },
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
    assert!(message(b"hello").contains("neither PNG nor JPEG"));
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u8..3) {
        let start: &[u8] = match kind { 0 => b"", 1 => b"\x89PNG\r\n\x1a\n", _ => &[0xff, 0xd8, 0xff] };
        drop(decoded(&[start, &bytes].concat()));
    }

    #[test]
    fn damaged_files_never_panic(
        place in any::<prop::sample::Index>(),
        value in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        kind in 0u8..3,
    ) {
        let mut bytes = match kind {
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
