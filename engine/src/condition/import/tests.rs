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
    let raster = |palette: Vec<[u8; 4]>, indices: Vec<u8>| {
        Raster::new(96, 96, Pixels::Indexed { indices, palette })
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
    let grey = |values: &[u16], max| {
        let pixels = Pixels::Gray {
            values: values.to_vec(),
            max,
            alpha: None,
        };
        Raster::new(96, 96, pixels)
    };
    let wide = grey(&values, 65535);
    assert_eq!(mask_from(&wide, None, path).expect("16 bits").0, face());
    let mut stray = values;
    stray[50 * 96 + 48] = 255;
    let stray = grey(&stray, 255);
    let (mask, report) = mask_from(&stray, None, path).expect("a stray pixel");
    assert_eq!((mask, report.snapped_to_neighbours), (face(), 1));
    let rgba = face()
        .to_rgb()
        .pixels
        .chunks_exact(3)
        .flat_map(|p| [p[0], p[1], p[2], 255])
        .collect();
    let rgba = Raster::new(96, 96, Pixels::Rgba(rgba));
    assert_eq!(mask_from(&rgba, None, path).expect("alpha").0, face());
}

/// The face with what `change` makes of each label.
fn pixels_of(change: impl Fn(u8) -> [u8; 4]) -> Raster {
    let labels = face().labels;
    let pixels = labels.into_iter().flat_map(change).collect();
    Raster::new(96, 96, Pixels::Rgba(pixels))
}

fn imported(raster: &Raster) -> (LabelImage, ImportReport) {
    mask_from(raster, None, Path::new("mask.png")).expect("imports")
}

#[test]
fn what_is_transparent_is_background() {
    let clear = |label: u8| label == class::BACKGROUND;
    let colour = |label| palette().colour(label);
    let opaque =
        |[red, green, blue]: [u8; 3], label| [red, green, blue, 255 * u8::from(!clear(label))];
    // A layer whose nothing is stored black, white, or in a class's colour.
    for nothing in [[0; 3], [255; 3], [204, 0, 0]] {
        let layer =
            pixels_of(|label| opaque(if clear(label) { nothing } else { colour(label) }, label));
        let (mask, report) = imported(&layer);
        assert_eq!((mask, report.warnings), (face(), vec![]), "{nothing:?}");
    }
    // The soft edge of a brush has the colour of the brush.
    let soft = pixels_of(|label| {
        let [red, green, blue] = colour(label);
        [red, green, blue, if clear(label) { 100 } else { 140 }]
    });
    assert_eq!(imported(&soft).0, face());
    // Numbers with an alpha channel, in grey and as grey colour.
    let grey = pixels_of(|label| [label, label, label, 255 * u8::from(!clear(label))]);
    assert_eq!(imported(&grey).0, face());
    let alpha: Vec<u8> = face()
        .labels
        .iter()
        .map(|&l| 255 * u8::from(!clear(l)))
        .collect();
    let numbers = Pixels::Gray {
        values: face()
            .labels
            .iter()
            .map(|&l| if clear(l) { 255 } else { l.into() })
            .collect(),
        max: 255,
        alpha: Some(alpha),
    };
    assert_eq!(imported(&Raster::new(96, 96, numbers)).0, face());
    // An alpha channel that hides everything means nothing.
    let empty = pixels_of(|label| {
        let [red, green, blue] = colour(label);
        [red, green, blue, 0]
    });
    assert_eq!(imported(&empty).0, face());
}

#[test]
fn a_palette_has_one_meaning() {
    let labels = face().labels;
    let order: Vec<u8> = (0..19).map(|i| (i * 7 + 3) % 19).collect();
    let position = |label: u8| {
        order
            .iter()
            .position(|&l| l == label)
            .expect("all are there") as u8
    };
    let indices: Vec<u8> = labels.iter().map(|&label| position(label)).collect();
    let raster = |palette: Vec<[u8; 4]>, indices: &[u8]| {
        let indices = indices.to_vec();
        Raster::new(96, 96, Pixels::Indexed { indices, palette })
    };
    // Greys that are class numbers, in any order, with entries that nothing uses.
    let mut greys: Vec<[u8; 4]> = order.iter().map(|&g| [g, g, g, 255]).collect();
    greys.push([250, 10, 10, 255]);
    let (mask, report) = imported(&raster(greys, &indices));
    assert_eq!(
        (mask, report.scheme, report.certain),
        (face(), MaskScheme::Numbers, true)
    );
    // Class colours in any order, as they are, with exchanged channels, and with nothing transparent.
    for (swapped, clear) in [(false, false), (false, true), (true, false), (true, true)] {
        let entry = |&label: &u8| {
            let [red, green, blue] = palette().colour(label);
            let colour = if swapped {
                [blue, green, red]
            } else {
                [red, green, blue]
            };
            let hidden = clear && label == class::BACKGROUND;
            [colour[0], colour[1], colour[2], 255 * u8::from(!hidden)]
        };
        let (mask, report) = imported(&raster(order.iter().map(entry).collect(), &indices));
        let scheme = [MaskScheme::Colours, MaskScheme::SwappedColours][usize::from(swapped)];
        assert_eq!((mask, report.scheme), (face(), scheme), "{swapped} {clear}");
    }
    // A black palette says nothing: the positions are the numbers.
    let (mask, _) = imported(&raster(vec![[0, 0, 0, 255]; 19], &labels));
    assert_eq!(mask, face());
}

#[test]
fn sixteen_bits_hold_numbers_in_several_ways() {
    for factor in [1u16, 256, 257] {
        let mut values: Vec<u16> = face()
            .labels
            .iter()
            .map(|&l| u16::from(l) * factor)
            .collect();
        values[50 * 96 + 48] = u16::MAX;
        let pixels = Pixels::Gray {
            values,
            max: u16::MAX,
            alpha: None,
        };
        let (mask, report) = imported(&Raster::new(96, 96, pixels));
        assert_eq!(mask, face(), "times {factor}");
        assert!(
            report
                .warnings
                .iter()
                .any(|w| w.contains("1 pixels are marked as ignored"))
        );
    }
}

#[test]
fn ignored_pixels_take_the_class_beside_them() {
    // A band of six pixels along every border of the skin, and a block that is ignored throughout.
    let mut numbers = face().labels;
    for y in 40..60 {
        numbers[y * 96..y * 96 + 18].fill(255);
    }
    let hidden = numbers.iter().filter(|&&n| n == 255).count();
    let (mask, report) = import(&grey_png(&numbers)).expect("imports");
    assert_eq!(mask, face());
    assert!(
        report
            .warnings
            .iter()
            .any(|w| w.contains(&format!("{hidden} pixels are marked")))
    );
    // Black lines on white paper are no mask.
    let lines: Vec<u8> = (0..96 * 96)
        .map(|i| if i % 9 == 0 { 3 } else { 255 })
        .collect();
    let error = import(&grey_png(&lines))
        .expect_err("a drawing")
        .to_string();
    assert!(
        error.contains("grey picture") || error.contains("single class"),
        "{error}"
    );
}

/// Numbers or colours as a program leaves them that scales smoothly: linear between pixel centres.
fn smoothed(values: &[u8], channels: usize, factor: usize) -> Vec<u8> {
    let side = 96 * factor;
    let place = |p: usize| {
        let at = ((p as f32 + 0.5) / factor as f32 - 0.5).clamp(0.0, 95.0);
        (at as usize, (at as usize + 1).min(95), at.fract())
    };
    let mut result = Vec::with_capacity(side * side * channels);
    for y in 0..side {
        let (top, bottom, down) = place(y);
        for x in 0..side {
            let (left, right, across) = place(x);
            for channel in 0..channels {
                let at = |x: usize, y: usize| f32::from(values[(y * 96 + x) * channels + channel]);
                let mix = |y| at(left, y) + across * (at(right, y) - at(left, y));
                result.push((mix(top) + down * (mix(bottom) - mix(top))).round() as u8);
            }
        }
    }
    result
}

/// Share of pixels that differ, and false pixels of a class that occurs elsewhere.
fn faults(mask: &LabelImage, expected: &LabelImage, part: u8) -> (f64, usize) {
    let pairs = || mask.labels.iter().zip(&expected.labels);
    let wrong = pairs().filter(|(a, b)| a != b).count();
    let false_ones = pairs().filter(|&(&a, &b)| a == part && b != part).count();
    (wrong as f64 / mask.labels.len() as f64, false_ones)
}

#[test]
fn interpolated_numbers_and_colours_get_their_borders_back() {
    for factor in [2, 4] {
        let side = 96 * factor;
        let expected = face().resized(side, side);
        let numbers = smoothed(&face().labels, 1, factor);
        let bytes = write::encode_gray(side, side, &numbers).expect("png");
        let (mask, report) = import(&bytes).expect("imports");
        assert!(report.mended > 300, "{report:?}");
        assert!(
            report
                .warnings
                .iter()
                .any(|w| w.contains("smoothed borders")),
            "{report:?}"
        );
        let (wrong, lips) = faults(&mask, &expected, class::LOWER_LIP);
        assert!(
            wrong < 0.01 && lips * 10 < expected.counts()[12],
            "{factor}: {wrong}, {lips}"
        );
        // No class but those of the face.
        assert!(
            mask.counts()
                .iter()
                .zip(&expected.counts())
                .all(|(&a, &b)| a == 0 || b > 0)
        );

        let pixels = smoothed(&face().to_rgb().pixels, 3, factor);
        let picture = RgbImage {
            width: side,
            height: side,
            pixels,
        };
        let (mask, report) = import(&write::encode_rgb(&picture).expect("png")).expect("imports");
        let (wrong, lips) = faults(&mask, &expected, class::LOWER_LIP);
        assert!(
            wrong < 0.01 && lips * 10 < expected.counts()[12],
            "{factor}: {wrong}, {lips}"
        );
        assert!(report.warnings[0].contains("had no class"), "{report:?}");
    }
}

#[test]
fn jpeg_masks_have_no_lips_along_the_hair() {
    let large = face().resized(384, 384);
    for quality in [75, 90] {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
            .encode(
                &large.to_rgb().pixels,
                384,
                384,
                image::ExtendedColorType::Rgb8,
            )
            .expect("jpeg");
        let (mask, report) = import(&bytes).expect("imports");
        let (wrong, lips) = faults(&mask, &large, class::LOWER_LIP);
        assert!(wrong < 0.005, "quality {quality}: {wrong}");
        assert!(
            lips * 10 < large.counts()[12],
            "quality {quality}: {lips} false lips"
        );
        assert!(
            mask.counts()
                .iter()
                .zip(&large.counts())
                .all(|(&a, &b)| a == 0 || b > 0)
        );
        assert!(!report.warnings.is_empty());
    }
}

#[test]
fn exact_files_are_never_mended() {
    // Thin parts, speckles and diagonal steps between any classes.
    for seed in 0..20u32 {
        let mut mask = face();
        let mut state = seed + 1;
        for _ in 0..60 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let place = (state >> 8) as usize % mask.labels.len();
            mask.labels[place] = (state % 19) as u8;
        }
        let (again, report) =
            import(&write::encode_rgb(&mask.to_rgb()).expect("png")).expect("imports");
        assert_eq!((again, report.mended), (mask.clone(), 0), "colours {seed}");
        let (again, report) = import(&grey_png(&mask.labels)).expect("imports");
        assert_eq!((again, report.mended), (mask, 0), "numbers {seed}");
    }
}

#[test]
fn the_mask_of_one_class_is_named_however_small() {
    for (white, left) in [(255u8, 30), (255, 94), (1, 30), (200, 93)] {
        let hair: Vec<u8> = (0..96 * 96)
            .map(|i| white * u8::from(i % 96 > left))
            .collect();
        let single = Pixels::Gray {
            values: hair.iter().map(|&v| u16::from(v)).collect(),
            max: if white == 1 { 1 } else { 255 },
            alpha: None,
        };
        let rasters = [
            Raster::new(96, 96, single),
            Raster::new(
                96,
                96,
                Pixels::Rgba(hair.iter().flat_map(|&v| [v, v, v, 255]).collect()),
            ),
            Raster::new(
                96,
                96,
                Pixels::Indexed {
                    indices: hair.iter().map(|&v| v.min(1)).collect(),
                    palette: vec![[0, 0, 0, 255], [255; 4]],
                },
            ),
        ];
        // A single bit is all that tells a mask of one class from one of skin.
        let count = if white == 1 { 1 } else { 3 };
        for raster in &rasters[..count] {
            let error =
                mask_from(raster, None, Path::new("00000_hair.png")).expect_err("one class");
            assert!(
                error.to_string().contains("mask of a single class"),
                "{error}"
            );
        }
    }
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
            0 => Pixels::Gray { values: bytes[..area].iter().map(|&v| u16::from(v % 24)).collect(), max: 255, alpha: None },
            1 => Pixels::Indexed {
                indices: bytes[..area].iter().map(|v| v % 20).collect(),
                palette: bytes.chunks_exact(4).take(12).map(|c| [c[0], c[1], c[2], c[3]]).collect(),
            },
            2 => Pixels::Rgba(bytes[..4 * area].to_vec()),
            _ => Pixels::Rgba(bytes[..area].iter().flat_map(|v| {
                let [red, green, blue] = palette().colour(v % 19);
                [red, green, blue, 255]
            }).collect()),
        };
        let raster = Raster { lossy: kind == 3, ..Raster::new(width, height, pixels) };
        if let Ok((mask, report)) = mask_from(&raster, scheme, Path::new("x")) {
            prop_assert!(mask.check().is_ok());
            prop_assert_eq!(report.counts.iter().sum::<usize>(), area);
        }
    }
}
