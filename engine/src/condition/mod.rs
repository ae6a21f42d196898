//! Conditions: from mask and sketch pictures to model input and back.

mod images;
mod input;
mod palette;

pub use images::{GrayImage, LabelImage};
pub use input::{mask_tensor, sketch_tensor};
pub use palette::{CLASS_COUNT, Class, Palette, class, palette};
