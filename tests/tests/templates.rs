//! The bundled templates are what `templates.ron` and their README promise.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use mmface_engine::labels::{class, palette};
use serde::Deserialize;

const SIDE: u32 = 512;
const LARGEST_FILE: u64 = 32 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Kind {
    Mask,
    Sketch,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    name: String,
    title: String,
    kind: Kind,
    file: String,
    prompt: String,
    #[expect(dead_code, reason = "only its presence and type are checked")]
    seed: u64,
}

/// A decoded PNG, its samples exactly as stored.
struct Stored {
    color: png::ColorType,
    palette: Option<Vec<u8>>,
    samples: Vec<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/templates")
}

fn templates() -> Result<Vec<Template>> {
    let path = folder().join("templates.ron");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(ron::from_str(&text)?)
}

fn of_kind(kind: Kind) -> Result<Vec<(Template, Stored)>> {
    let mut found = Vec::new();
    for template in templates()? {
        if template.kind == kind {
            let stored = read(&template.file).with_context(|| template.file.clone())?;
            found.push((template, stored));
        }
    }
    Ok(found)
}

fn read(file: &str) -> Result<Stored> {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(folder().join(file))?));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info()?;
    let info = reader.info();
    ensure!(
        (info.width, info.height) == (SIDE, SIDE),
        "{} x {} instead of {SIDE} x {SIDE}",
        info.width,
        info.height
    );
    ensure!(
        info.bit_depth == png::BitDepth::Eight,
        "not one byte a pixel"
    );
    let color = info.color_type;
    let palette = info.palette.as_ref().map(|bytes| bytes.to_vec());
    let size = reader.output_buffer_size().context("too large")?;
    let mut samples = vec![0; size];
    reader.next_frame(&mut samples)?;
    Ok(Stored {
        color,
        palette,
        samples,
    })
}

/// Mean column and number of the pixels of one class.
fn mean_column(samples: &[u8], wanted: u8) -> (f64, usize) {
    let columns = samples
        .iter()
        .enumerate()
        .filter(|&(_, &sample)| sample == wanted)
        .map(|(place, _)| place % SIDE as usize);
    let (sum, count) = columns.fold((0, 0), |(sum, count), column| (sum + column, count + 1));
    (sum as f64 / count.max(1) as f64, count)
}

#[test]
fn the_list_and_the_folder_agree() -> Result<()> {
    let templates = templates()?;
    let names: BTreeSet<_> = templates.iter().map(|t| &t.name).collect();
    assert_eq!(names.len(), templates.len(), "two templates share a name");
    for template in &templates {
        let path = folder().join(&template.file);
        let bytes = fs::metadata(&path).with_context(|| template.file.clone())?;
        assert!(bytes.len() <= LARGEST_FILE, "{} is large", template.file);
        assert!(!template.title.is_empty(), "{} has no title", template.name);
        assert!(
            !template.prompt.is_empty(),
            "{} has no prompt",
            template.name
        );
    }
    let listed: BTreeSet<_> = templates.iter().map(|t| t.file.clone()).collect();
    let mut present = BTreeSet::new();
    for entry in fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".png") {
            present.insert(name);
        }
    }
    assert_eq!(listed, present, "pictures and list differ");
    Ok(())
}

#[test]
fn masks_hold_the_nineteen_classes_in_their_colours() -> Result<()> {
    let masks = of_kind(Kind::Mask)?;
    assert!(masks.len() >= 8, "only {} masks", masks.len());
    let colours: Vec<u8> = palette()
        .classes
        .iter()
        .flat_map(|class| class.colour)
        .collect();
    let mut seen = BTreeSet::new();
    for (template, mask) in &masks {
        assert_eq!(mask.color, png::ColorType::Indexed, "{}", template.file);
        assert_eq!(
            mask.palette.as_deref(),
            Some(&colours[..]),
            "{} has other colours than palette.ron",
            template.file
        );
        seen.extend(mask.samples.iter().copied());
    }
    let all: BTreeSet<u8> = (0..palette().classes.len() as u8).collect();
    assert_eq!(seen, all, "together the masks show every class");
    Ok(())
}

#[test]
fn left_is_the_persons_own_left() -> Result<()> {
    for (template, mask) in of_kind(Kind::Mask)? {
        for (left, right) in [
            (class::LEFT_EYE, class::RIGHT_EYE),
            (class::LEFT_BROW, class::RIGHT_BROW),
        ] {
            let (left, left_pixels) = mean_column(&mask.samples, left);
            let (right, right_pixels) = mean_column(&mask.samples, right);
            assert!(
                left_pixels > 100 && right_pixels > 100,
                "{} lacks an eye or a brow",
                template.file
            );
            assert!(left > right + 50.0, "{} is mirrored", template.file);
        }
    }
    Ok(())
}

#[test]
fn sketches_are_dark_lines_on_white() -> Result<()> {
    let sketches = of_kind(Kind::Sketch)?;
    assert!(sketches.len() >= 8, "only {} sketches", sketches.len());
    for (template, sketch) in &sketches {
        assert_eq!(sketch.color, png::ColorType::Grayscale, "{}", template.file);
        let pixels = sketch.samples.len() as f64;
        let mean = sketch.samples.iter().map(|&s| f64::from(s)).sum::<f64>() / pixels;
        let dark = sketch.samples.iter().filter(|&&s| s < 128).count() as f64 / pixels;
        assert!(mean > 180.0, "{} is dark: mean {mean}", template.file);
        assert!(
            (0.005..0.15).contains(&dark),
            "{}: {dark} of it is line",
            template.file
        );
    }
    Ok(())
}
