//! Conditions: from mask and sketch pictures to model input and back.

mod fit;
pub mod import;
mod input;
mod sketch;

use std::path::Path;

use candle_core::{Device, Tensor};

pub use fit::FitMode;
pub use import::{ImportReport, MaskScheme, mask_from, read_mask};
pub use input::{mask_tensor, sketch_tensor};
pub use sketch::{SketchReport, read_sketch, sketch_from};

use crate::Result;
use crate::job::{Condition, ConditionKind, MAX_CONDITION_SIDE};

/// Reads a picture as a kind of condition, square by a mode and of a size that a job takes. The
/// sentences say what was guessed, mended, or done to it.
///
/// # Errors
/// When the file cannot be read as one.
pub fn read(path: &Path, kind: ConditionKind, fit: FitMode) -> Result<(Condition, Vec<String>)> {
    let (condition, mut warnings, (width, height)) = match kind {
        ConditionKind::Mask => {
            let (mask, report) = read_mask(path)?;
            let size = (mask.width, mask.height);
            let mask = mask.within(MAX_CONDITION_SIDE).fitted(fit);
            (Condition::Mask(mask), report.warnings, size)
        }
        ConditionKind::Sketch => {
            let (sketch, report) = read_sketch(path)?;
            let size = (sketch.width, sketch.height);
            let sketch = sketch.within(MAX_CONDITION_SIDE).fitted(fit);
            (Condition::Sketch(sketch), report.warnings, size)
        }
        ConditionKind::None => return Ok((Condition::None, Vec::new())),
    };
    if width.max(height) > MAX_CONDITION_SIDE {
        warnings.push(format!(
            "the picture is {width} x {height}: it was scaled down to {MAX_CONDITION_SIDE} on its longest side"
        ));
    }
    warnings.extend(fit.describe(width, height));
    Ok((condition, warnings))
}

/// A condition as the autoencoder takes it; `None` for nothing to follow.
///
/// # Shapes
/// - result: `[1, 3, size, size]`, f32 in -1..=1
///
/// # Errors
/// When its picture is damaged, or the side makes no sense.
pub fn tensor(condition: &Condition, size: usize, device: &Device) -> Result<Option<Tensor>> {
    match condition {
        Condition::Mask(mask) => mask_tensor(mask, size, device).map(Some),
        Condition::Sketch(sketch) => sketch_tensor(sketch, size, device).map(Some),
        Condition::None => Ok(None),
    }
}
