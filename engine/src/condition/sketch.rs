//! Any picture as a sketch: grey, dark lines on white.

use std::path::Path;

use crate::Result;
use crate::picture::{GrayImage, Raster, convert, mixed, read};

/// What was found and changed while a sketch was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SketchReport {
    /// The drawing was light on dark and was inverted.
    pub inverted: bool,
    /// Sentences for a person.
    pub warnings: Vec<String>,
}

/// Share of a picture that light ink on nothing covers at most; more is a sheet of paper.
const MOST_INK: f64 = 0.5;

/// Mean grey from which ink is light, 0..=255.
const LIGHT_INK: f64 = 170.0;

/// Reads a sketch from a picture file. What is transparent is white paper, unless the ink is light:
/// then it was drawn for dark paper and is inverted.
///
/// # Errors
/// When the file cannot be read or decoded.
pub fn read_sketch(path: &Path) -> Result<(GrayImage, SketchReport)> {
    Ok(sketch_from(&read::read(path)?))
}

/// A sketch from a decoded picture.
pub fn sketch_from(raster: &Raster) -> (GrayImage, SketchReport) {
    let mut report = SketchReport {
        warnings: raster.notes.clone(),
        ..SketchReport::default()
    };
    if let Some(sketch) = light_ink_on_nothing(raster) {
        report.inverted = true;
        report
            .warnings
            .push("the drawing is light ink on transparent paper and was inverted".to_owned());
        return (sketch, report);
    }
    let mut sketch = raster.to_gray();
    let dark = dark_pixels;
    // Paper covers more than lines: where most is dark, the paper is dark.
    if dark(&sketch) * 10 > sketch.pixels.len() * 6 {
        for value in &mut sketch.pixels {
            *value = 255 - *value;
        }
        report.inverted = true;
        report
            .warnings
            .push("the drawing was light on dark and was inverted".to_owned());
    }
    if is_nearly_empty(&sketch) {
        report
            .warnings
            .push("the sketch is nearly empty: there are hardly any dark lines".to_owned());
    }
    (sketch, report)
}

fn dark_pixels(sketch: &GrayImage) -> usize {
    sketch.pixels.iter().filter(|&&value| value < 128).count()
}

fn is_nearly_empty(sketch: &GrayImage) -> bool {
    dark_pixels(sketch) * 2000 < sketch.pixels.len()
}

/// The drawing with dark lines on white, where it is light lines on transparency: on white paper
/// hardly anything of it would be seen.
fn light_ink_on_nothing(raster: &Raster) -> Option<GrayImage> {
    let opacity = raster.opacity()?;
    let ink = convert::to_gray(&raster.to_opaque_rgb());
    let (mut covered, mut light) = (0u64, 0u64);
    for (&value, &alpha) in ink.pixels.iter().zip(&opacity) {
        covered += u64::from(alpha);
        light += u64::from(value) * u64::from(alpha);
    }
    let area = 255.0 * opacity.len() as f64;
    let is_ink = covered > 0 && covered as f64 <= MOST_INK * area;
    let is_light = light as f64 > LIGHT_INK * covered as f64;
    if !(is_ink && is_light && is_nearly_empty(&raster.to_gray())) {
        return None;
    }
    let pixels = ink.pixels.iter().zip(&opacity);
    Some(GrayImage {
        pixels: pixels
            .map(|(&value, &alpha)| 255 - mixed(value, 0, alpha))
            .collect(),
        ..ink
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Pixels;

    fn raster(values: Vec<u16>) -> Raster {
        let pixels = Pixels::Gray {
            values,
            max: 255,
            alpha: None,
        };
        Raster::new(10, 10, pixels)
    }

    /// Ink of one grey with some opacity on so many of a hundred pixels, the rest transparent.
    fn ink(grey: u8, alpha: u8, pixels: usize) -> Raster {
        let mut values = [grey, grey, grey, alpha].repeat(pixels);
        values.resize(400, 0);
        Raster::new(10, 10, Pixels::Rgba(values))
    }

    #[test]
    fn light_on_dark_is_turned_round() {
        let mut values = vec![10; 100];
        values[40..50].fill(250);
        let (sketch, report) = sketch_from(&raster(values.clone()));
        assert!(report.inverted);
        assert_eq!((sketch.pixels[0], sketch.pixels[45]), (245, 5));
        let upright = values.iter().map(|value| 260 - value).collect();
        let (sketch, report) = sketch_from(&raster(upright));
        assert!(!report.inverted && report.warnings.is_empty());
        assert_eq!((sketch.pixels[0], sketch.pixels[45]), (250, 10));
    }

    #[test]
    fn transparent_paper_is_white_and_empty_paper_is_said() {
        let (sketch, report) = sketch_from(&ink(0, 0, 100));
        assert!(sketch.pixels.iter().all(|&value| value == 255));
        assert!(!report.inverted && report.warnings[0].contains("nearly empty"));
        let (sketch, report) = sketch_from(&ink(20, 255, 10));
        assert!(!report.inverted && report.warnings.is_empty());
        assert_eq!((sketch.pixels[0], sketch.pixels[99]), (20, 255));
    }

    #[test]
    fn light_ink_on_nothing_is_kept_inverted() {
        let (sketch, report) = sketch_from(&ink(255, 255, 10));
        assert!(report.inverted, "{report:?}");
        assert_eq!((sketch.pixels[0], sketch.pixels[99]), (0, 255));
        // The soft edge of a brush stays soft.
        let (sketch, _) = sketch_from(&ink(255, 128, 10));
        assert_eq!(sketch.pixels[0], 127);
        let palette = Pixels::Indexed {
            indices: (0..100).map(|i| u8::from(i >= 90)).collect(),
            palette: vec![[0, 0, 0, 0], [250, 250, 240, 255]],
        };
        let (sketch, report) = sketch_from(&Raster::new(10, 10, palette));
        assert!(report.inverted && sketch.pixels[95] < 10 && sketch.pixels[0] == 255);
    }

    #[test]
    fn a_white_sheet_or_a_filled_figure_is_not_light_ink() {
        // A sheet with a transparent corner.
        let (sketch, report) = sketch_from(&ink(255, 255, 96));
        assert!(!report.inverted && sketch.pixels[0] == 255, "{report:?}");
        // A figure filled with white, with dark lines.
        let mut figure = ink(255, 255, 40);
        let Pixels::Rgba(values) = &mut figure.pixels else {
            panic!("made as RGBA")
        };
        values[..8].copy_from_slice(&[0, 0, 0, 255, 0, 0, 0, 255]);
        let (sketch, report) = sketch_from(&figure);
        assert!(!report.inverted && sketch.pixels[0] == 0 && sketch.pixels[20] == 255);
    }

    #[test]
    fn what_the_reader_noted_is_passed_on() {
        let mut noted = ink(20, 255, 10);
        noted.notes.push("the end is missing".into());
        assert_eq!(sketch_from(&noted).1.warnings, ["the end is missing"]);
    }
}
