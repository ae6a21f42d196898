//! The painting model: a class mask and a sketch, the tools that change them, and undo.
//!
//! No window and no tensors here: a [`Painter`] takes pointer samples in canvas pixels and holds a
//! [`Drawing`], whose tiles a view uploads where their pointers differ from those it has.

mod brush;
mod classes;
mod condition;
mod contour;
pub mod doctor;
mod drawing;
mod figure;
mod fill;
mod filling;
mod gesture;
mod history;
mod islands;
mod mirror;
mod outline;
mod overlay;
mod painter;
mod pencil;
mod raster;
mod sample;
mod settings;
mod stabiliser;
mod stamp;
mod target;
mod tiles;
mod tool;
mod tools;
mod transform;

pub use classes::ClassSet;
pub use drawing::{Drawing, Layer, MAX_SIDE, PAPER};
pub use filling::{FillPreview, LARGE_FILL};
pub use history::{DEFAULT_HISTORY_BYTES, History};
pub use mirror::{Axis, MAX_TILT, Mirror};
pub use overlay::{Handle, HandleKind, Overlay, OverlayLine};
pub use painter::Painter;
pub use sample::{Button, Sample};
pub use settings::{Beneath, MAX_FILL_GAP, MAX_FILL_GROW, Radii, Stabiliser, ToolSettings};
pub use target::Target;
pub use tiles::{TILE, Tile, Tiles};
pub use tool::Tool;
pub(crate) use tool::for_each_tool;
pub use tools::{DoubleClick, Size, ToolInfo, ToolOption};

#[cfg(test)]
mod tests;
