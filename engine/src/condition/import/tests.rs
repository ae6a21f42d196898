//! Masks as other tools write them.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::labels::class;
use crate::picture::{RgbImage, write};

/// A face of rectangles on a 96 × 96 picture: class, left, top, right, bottom.
#[rustfmt::skip]
const PARTS: [(u8, usize, usize, usize, usize); 16] = [
    (class::HAIR, 20, 6, 76, 40), (class::CLOTH, 8, 84, 88, 96), (class::NECK, 38, 70, 58, 86),
    (class::RIGHT_EAR, 20, 40, 26, 54), (class::LEFT_EAR, 70, 40, 76, 54), (class::SKIN, 26, 22, 70, 78),
    (class::RIGHT_BROW, 31, 34, 43, 37), (class::LEFT_BROW, 53, 34, 65, 37), (class::RIGHT_EYE, 33, 40, 42, 44),
    (class::LEFT_EYE, 54, 40, 63, 44), (class::NOSE, 44, 42, 52, 56), (class::UPPER_LIP, 40, 61, 56, 63),
    (class::MOUTH, 40, 63, 56, 65), (class::LOWER_LIP, 40, 65, 56, 69), (class::EARRING, 70, 54, 73, 58),
    (class::NECKLACE, 40, 80, 56, 82),
];

fn face() -> LabelImage {
    let mut mask = LabelImage::filled(96, 96, class::BACKGROUND);
    for (class, left, top, right, bottom) in PARTS {
        for y in top..bottom {
            mask.labels[y * 96 + left..y * 96 + right].fill(class);
        }
    }
    mask
}

fn import(bytes: &[u8]) -> Result<(LabelImage, ImportReport)> {
    let path = Path::new("mask.png");
    mask_from(&read::decode(bytes, path)?, None, path)
}

fn grey_png(numbers: &[u8]) -> Vec<u8> {
    write::encode_gray(96, 96, numbers).expect("png")
}

/// Our class as another numbering has it.
fn renumbered(scheme: MaskScheme) -> Vec<u8> {
    let number = |class: u8| (0..19).find(|&number| scheme.class_of(number) == Some(class));
    face()
        .labels
        .iter()
        .map(|&class| number(class).expect("every class has a number"))
        .collect()
}

#[test]
fn numbers_in_our_order() {
    let (mask, report) = import(&face().to_png().expect("png")).expect("imports");
    assert_eq!(mask, face());
    assert_eq!(
        (report.scheme, report.certain, report.mirrored),
        (MaskScheme::Numbers, true, false)
    );
    assert_eq!(report.warnings, Vec::<String>::new());
    assert_eq!(report.counts[usize::from(class::NOSE)], 8 * 14);
}

#[test]
fn numbers_in_face_parsing_order() {
    let (mask, report) = import(&grey_png(&renumbered(MaskScheme::FaceParsing))).expect("imports");
    assert_eq!(
        (report.scheme, report.certain),
        (MaskScheme::FaceParsing, true)
    );
    assert_eq!(mask, face());
}

#[test]
fn eight_classes_get_their_sides_back() {
    let merged: Vec<u8> = face()
        .labels
        .iter()
        .map(|&label| match label {
            class::SKIN | class::NOSE => label,
            class::LEFT_EYE | class::RIGHT_EYE => 3,
            class::LEFT_BROW | class::RIGHT_BROW => 4,
            class::LEFT_EAR | class::RIGHT_EAR => 5,
            class::MOUTH | class::UPPER_LIP | class::LOWER_LIP => 6,
            class::HAIR => 7,
            _ => 0,
        })
        .collect();
    let (mask, report) = import(&grey_png(&merged)).expect("imports");
    assert_eq!(report.scheme, MaskScheme::Eight);
    for part in [
        class::LEFT_EYE,
        class::RIGHT_EYE,
        class::LEFT_BROW,
        class::RIGHT_EAR,
        class::HAIR,
    ] {
        assert_eq!(
            mask.counts()[usize::from(part)],
            face().counts()[usize::from(part)],
            "class {part}"
        );
    }
    assert!(!report.mirrored);
}

#[test]
fn official_colours_and_exchanged_channels() {
    let picture = face().to_rgb();
    let (mask, report) = import(&write::encode_rgb(&picture).expect("png")).expect("imports");
    assert_eq!(
        (mask, report.scheme, report.warnings),
        (face(), MaskScheme::Colours, vec![])
    );
    let swapped = picture
        .pixels
        .chunks_exact(3)
        .flat_map(|p| [p[2], p[1], p[0]])
        .collect();
    let swapped = RgbImage {
        pixels: swapped,
        ..picture
    };
    let (mask, report) = import(&write::encode_rgb(&swapped).expect("png")).expect("imports");
    assert_eq!((mask, report.scheme), (face(), MaskScheme::SwappedColours));
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("exchanged"))
    );
}

#[test]
fn palette_files_are_read_by_colour_and_else_by_number() {
    let raster = |palette: Vec<[u8; 4]>, indices: Vec<u8>| Raster {
        width: 96,
        height: 96,
        pixels: Pixels::Indexed { indices, palette },
        lossy: false,
    };
    let path = Path::new("mask.png");
    // An optimiser turned the palette round.
    let colours: Vec<[u8; 4]> = (0..19)
        .rev()
        .map(|i| palette().colour(i))
        .map(|[r, g, b]| [r, g, b, 255])
        .collect();
    let turned = face().labels.iter().map(|&label| 18 - label).collect();
    let (mask, report) = mask_from(&raster(colours, turned), None, path).expect("imports");
    assert_eq!((mask, report.scheme), (face(), MaskScheme::Colours));
    // Colours of its own, numbers of ours.
    let colours = (0..19u8).map(|i| [200 - i, 3 * i, 77, 255]).collect();
    let (mask, report) = mask_from(&raster(colours, face().labels), None, path).expect("imports");
    assert_eq!((mask, report.scheme), (face(), MaskScheme::Numbers));
}

#[test]
fn smoothed_borders_are_snapped_and_counted() {
    let big = crate::picture::resize::lanczos_rgb(&face().to_rgb(), 192, 192);
    let (mask, report) = import(&write::encode_rgb(&big).expect("png")).expect("imports");
    assert!(report.snapped_to_neighbours > 500, "{report:?}");
    assert!(
        report.warnings[0].contains("took the nearest"),
        "{report:?}"
    );
    let expected = face().resized(192, 192);
    let wrong = mask
        .labels
        .iter()
        .zip(&expected.labels)
        .filter(|(a, b)| a != b)
        .count();
    // A smoothed border may move by a pixel; whole parts must not change.
    assert!(wrong * 25 < mask.labels.len(), "{wrong} pixels differ");
    for (part, (&got, &wanted)) in mask.counts().iter().zip(&expected.counts()).enumerate() {
        assert!(
            got >= wanted / 2 && got <= wanted * 2,
            "class {part}: {got} pixels instead of {wanted}"
        );
    }
}

#[test]
fn an_unknown_colour_is_snapped_and_named() {
    let mut picture = face().to_rgb();
    for y in 30..60 {
        for x in 2..18 {
            picture.pixels[3 * (y * 96 + x)..][..3].copy_from_slice(&[250, 90, 160]);
        }
    }
    let (mask, report) = import(&write::encode_rgb(&picture).expect("png")).expect("imports");
    assert!(report.snapped_to_colour > 100);
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("taken for hat")),
        "{report:?}"
    );
    assert_eq!(mask.labels[45 * 96 + 10], class::HAT);
}

#[test]
fn mirrored_sides_are_noticed_and_mended() {
    let mut swapped = face();
    swapped.swap_sides();
    let (mut mask, report) = import(&swapped.to_png().expect("png")).expect("imports");
    assert!(
        report.mirrored
            && report
                .warnings
                .iter()
                .any(|warning| warning.contains("wrong sides"))
    );
    mask.swap_sides();
    assert!(!is_mirrored(&mask));
    assert_eq!(mask, face());
}

#[test]
fn photos_and_drawings_are_refused_in_words() {
    let grey: Vec<u8> = (0..96 * 96).map(|i| (i % 251) as u8).collect();
    let error = import(&grey_png(&grey))
        .expect_err("a grey photo")
        .to_string();
    assert!(error.contains("grey picture, not a class mask"), "{error}");
    let photo = RgbImage {
        width: 96,
        height: 96,
        pixels: (0..96 * 96)
            .flat_map(|i| {
                [
                    (180 + i % 60) as u8,
                    (120 + i % 50) as u8,
                    (100 + i % 40) as u8,
                ]
            })
            .collect(),
    };
    let error = import(&write::encode_rgb(&photo).expect("png"))
        .expect_err("a photo")
        .to_string();
    assert!(error.contains("class colours"), "{error}");
    let mut dark = RgbImage::filled(96, 96, [6, 4, 5]);
    dark.pixels[..9000].copy_from_slice(&photo.pixels[..9000]);
    assert!(
        import(&write::encode_rgb(&dark).expect("png")).is_err(),
        "a dark photo"
    );
}

#[test]
fn sixteen_bits_alpha_and_strays() {
    let path = Path::new("mask.png");
    let values: Vec<u16> = face()
        .labels
        .iter()
        .map(|&label| u16::from(label))
        .collect();
    let wide = Raster {
        width: 96,
        height: 96,
        pixels: Pixels::Gray {
            values: values.clone(),
            max: 65535,
        },
        lossy: false,
    };
    assert_eq!(mask_from(&wide, None, path).expect("16 bits").0, face());
    let mut stray = values;
    stray[50 * 96 + 48] = 255;
    let stray = Raster {
        pixels: Pixels::Gray {
            values: stray,
            max: 255,
        },
        ..wide
    };
    let (mask, report) = mask_from(&stray, None, path).expect("a stray pixel");
    assert_eq!((mask, report.snapped_to_neighbours), (face(), 1));
    let rgba = face()
        .to_rgb()
        .pixels
        .chunks_exact(3)
        .flat_map(|p| [p[0], p[1], p[2], 255])
        .collect();
    let rgba = Raster {
        pixels: Pixels::Rgba(rgba),
        ..stray
    };
    assert_eq!(mask_from(&rgba, None, path).expect("alpha").0, face());
}

#[test]
fn a_forced_scheme_is_believed() {
    let raster =
        read::decode(&face().to_png().expect("png"), Path::new("mask.png")).expect("decodes");
    let forced = mask_from(
        &raster,
        Some(MaskScheme::FaceParsing),
        Path::new("mask.png"),
    )
    .expect("imports");
    assert_eq!(forced.1.scheme, MaskScheme::FaceParsing);
    assert_ne!(forced.0, face());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_small_picture_is_imported_or_refused(
        width in 1usize..9,
        height in 1usize..9,
        kind in 0u8..4,
        bytes in prop::collection::vec(any::<u8>(), 256),
        scheme in prop::option::of(prop::sample::select(MaskScheme::ALL.to_vec())),
    ) {
        let area = width * height;
        let pixels = match kind {
            0 => Pixels::Gray { values: bytes[..area].iter().map(|&v| u16::from(v % 24)).collect(), max: 255 },
            1 => Pixels::Indexed {
                indices: bytes[..area].iter().map(|v| v % 20).collect(),
                palette: bytes.chunks_exact(4).take(12).map(|c| [c[0], c[1], c[2], c[3]]).collect(),
            },
            2 => Pixels::Rgba(bytes[..4 * area.min(64)].to_vec()),
            _ => Pixels::Rgba(bytes[..area].iter().flat_map(|v| {
                let [red, green, blue] = palette().colour(v % 19);
                [red, green, blue, 255]
            }).collect()),
        };
        let raster = Raster { width, height, pixels, lossy: kind == 3 };
        if let Ok((mask, report)) = mask_from(&raster, scheme, Path::new("x")) {
            prop_assert!(mask.check().is_ok());
            prop_assert_eq!(report.counts.iter().sum::<usize>(), area);
        }
    }
}
