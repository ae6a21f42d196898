//! Conditions: from mask and sketch pictures to model input and back.

pub mod import;
mod input;
mod sketch;

use std::path::Path;

use candle_core::{Device, Tensor};

pub use import::{ImportReport, MaskScheme, mask_from, read_mask};
pub use input::{mask_tensor, sketch_tensor};
pub use sketch::{SketchReport, read_sketch, sketch_from};

use crate::Result;
use crate::job::{Condition, ConditionKind};

/// Reads a picture as a kind of condition. The sentences say what was guessed or mended.
///
/// # Errors
/// When the file cannot be read as one.
pub fn read(path: &Path, kind: ConditionKind) -> Result<(Condition, Vec<String>)> {
    Ok(match kind {
        ConditionKind::Mask => {
            let (mask, report) = read_mask(path)?;
            (Condition::Mask(mask), report.warnings)
        }
        ConditionKind::Sketch => {
            let (sketch, report) = read_sketch(path)?;
            (Condition::Sketch(sketch), report.warnings)
        }
        ConditionKind::None => (Condition::None, Vec::new()),
    })
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
