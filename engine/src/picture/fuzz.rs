//! The readers of pictures, masks, sketches and recipes under mutated files, for as long as one likes:
//!
//! `MMFACE_FUZZ_SECONDS=600 cargo test -p mmface-engine --lib -- --ignored fuzz_picture`

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::{Pixels, RgbImage, read, write};
use crate::condition::import::mask_from;
use crate::condition::{MaskScheme, sketch_from};
use crate::contract::ModelSummary;
use crate::job::{Condition, Draw, Job};
use crate::labels::{LabelImage, palette};
use crate::provenance::{self, Level, Recipe};
use crate::weights::fuzz::fuzz;

fn path() -> &'static Path {
    Path::new("picture")
}

fn mask() -> LabelImage {
    let labels = (0..24 * 20).map(|i| (i / 26 % 19) as u8).collect();
    LabelImage::new(24, 20, labels).unwrap()
}

fn drawn() -> Vec<u8> {
    let job = Job {
        draw: Draw {
            prompt: "a man".into(),
            ..Draw::default()
        },
        condition: Condition::Mask(mask()),
        fork: None,
    };
    let recipe = Recipe::new(job, &ModelSummary::default());
    provenance::encode(&mask().to_rgb(), &recipe).unwrap()
}

fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut bytes)
        .encode(
            &mask().to_rgb().pixels,
            24,
            20,
            image::ExtendedColorType::Rgb8,
        )
        .unwrap();
    bytes
}

fn indexed() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 24, 20);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(
        (0..19)
            .flat_map(|class| palette().colour(class))
            .collect::<Vec<u8>>(),
    );
    encoder
        .add_ztxt_chunk("parameters".into(), "a face\nSteps: 20, Seed: 3".into())
        .unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&mask().labels).unwrap();
    writer.finish().unwrap();
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        mask().to_png().unwrap(),
        write::encode_rgb(&mask().to_rgb()).unwrap(),
        include_bytes!("read/interlaced.png").to_vec(),
        indexed(),
        jpeg(),
        drawn(),
    ]
}

/// The same file with check sums that fit: otherwise nearly every mutation ends at the first one.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        let Some(end) = (at + 8)
            .checked_add(length)
            .filter(|end| end + 4 <= bytes.len())
        else {
            break;
        };
        let sum = crc32fast::hash(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
    bytes
}

const WORDS: [&str; 12] = [
    "IHDR",
    "IDAT",
    "PLTE",
    "tRNS",
    "iTXt",
    "zTXt",
    "IEND",
    "acTL",
    "mmface\0",
    "parameters\0",
    "(",
    "Some(",
];

#[test]
#[ignore = "runs as long as one likes"]
fn fuzz_picture_masks() {
    fuzz("masks", &seeds(), &WORDS, |bytes| {
        for bytes in [bytes, &mended(bytes)] {
            let Ok(raster) = read::decode(bytes, path()) else {
                continue;
            };
            let area = raster.width * raster.height;
            if area > 1 << 20 {
                continue;
            }
            let short = matches!(&raster.pixels, Pixels::Rgba(values) if values.len() != 4 * area);
            assert!(!short, "pixels are missing");
            for scheme in [None].into_iter().chain(MaskScheme::ALL.map(Some)) {
                if let Ok((mask, report)) = mask_from(&raster, scheme, path()) {
                    mask.check().unwrap();
                    assert_eq!(report.counts.iter().sum::<usize>(), area);
                }
            }
        }
    });
}

#[test]
#[ignore = "runs as long as one likes"]
fn fuzz_picture_sketches() {
    fuzz("sketches", &seeds(), &WORDS, |bytes| {
        for bytes in [bytes, &mended(bytes)] {
            let Ok(raster) = read::decode(bytes, path()) else {
                continue;
            };
            let (sketch, _) = sketch_from(&raster);
            sketch.check().unwrap();
        }
    });
}

#[test]
#[ignore = "runs as long as one likes"]
fn fuzz_picture_recipes() {
    fuzz("recipes", &[drawn(), indexed()], &WORDS, |bytes| {
        for bytes in [bytes, &mended(bytes)] {
            let found = provenance::read_bytes(bytes, path());
            if let Some(recipe) = found.ok().and_then(|found| found.recipe) {
                recipe.job.validate().unwrap();
                let again = provenance::encode(&RgbImage::filled(1, 1, [0; 3]), &recipe).unwrap();
                assert!(
                    provenance::read_bytes(&again, path())
                        .unwrap()
                        .recipe
                        .is_some()
                );
            }
            for level in [Level::Minimum, Level::Mark, Level::Recipe] {
                if let Ok(labelled) = provenance::relabel(bytes, level, path()) {
                    assert!(
                        provenance::read_bytes(&labelled, path())
                            .unwrap()
                            .marked_synthetic
                    );
                }
            }
        }
    });
}
