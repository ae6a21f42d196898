//! Any picture as a sketch: grey, dark lines on white.

use std::path::Path;

use crate::Result;
use crate::picture::GrayImage;
use crate::picture::{Raster, read};

/// What was found and changed while a sketch was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SketchReport {
    /// The drawing was light on dark and was inverted.
    pub inverted: bool,
    /// Sentences for a person.
    pub warnings: Vec<String>,
}

/// Reads a sketch from a PNG or JPEG file; what is transparent is white paper.
pub fn read_sketch(path: &Path) -> Result<(GrayImage, SketchReport)> {
    Ok(sketch_from(&read::read(path)?))
}

/// A sketch from a decoded picture.
pub fn sketch_from(raster: &Raster) -> (GrayImage, SketchReport) {
    let mut sketch = raster.to_gray();
    let mut report = SketchReport::default();
    let dark = |sketch: &GrayImage| sketch.pixels.iter().filter(|&&value| value < 128).count();
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
    if dark(&sketch) * 2000 < sketch.pixels.len() {
        report
            .warnings
            .push("the sketch is nearly empty: there are hardly any dark lines".to_owned());
    }
    (sketch, report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Pixels;

    fn raster(values: Vec<u16>) -> Raster {
        Raster {
            width: 10,
            height: 10,
            pixels: Pixels::Gray { values, max: 255 },
            lossy: false,
        }
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
        let pixels = Pixels::Rgba([0, 0, 0, 0].repeat(100));
        let (sketch, report) = sketch_from(&Raster {
            width: 10,
            height: 10,
            pixels,
            lossy: false,
        });
        assert!(sketch.pixels.iter().all(|&value| value == 255));
        assert!(report.warnings[0].contains("nearly empty"));
    }
}
