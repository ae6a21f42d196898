//! Conditions: from mask and sketch pictures to model input and back.

pub mod import;
mod input;
mod sketch;

pub use import::{ImportReport, MaskScheme, mask_from, read_mask};
pub use input::{mask_tensor, sketch_tensor};
pub use sketch::{SketchReport, read_sketch, sketch_from};
