//! The nineteen face classes and masks made of them, as plain data.

mod face;
mod label_image;
mod palette;

pub use label_image::LabelImage;
pub(crate) use palette::squared_distance;
pub use palette::{CLASS_COUNT, Class, Palette, class, palette};
