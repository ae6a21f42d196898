//! Conditions: from mask and sketch pictures to model input and back.

mod images;
pub mod import;
mod input;
mod palette;
mod sketch;

pub use images::{GrayImage, LabelImage};
pub use import::{ImportReport, MaskScheme, mask_from, read_mask};
pub use input::{mask_tensor, sketch_tensor};
pub use palette::{CLASS_COUNT, Class, Palette, class, palette};
pub use sketch::{SketchReport, read_sketch, sketch_from};
