//! The drawing tools, one file each: name, keys, layers, options, and how a gesture begins.
//!
//! To add one: its file here, and its line in `paint/tool.rs`.

mod brush;
mod ellipse;
mod eraser;
mod eyedropper;
mod fill;
mod info;
mod lasso;
mod line;
mod pencil;
mod polygon;
mod sketch_eraser;
mod transform;

pub use info::{DoubleClick, Size, ToolInfo, ToolOption};

use super::drawing::Layer;
use super::settings::{Radii, ToolSettings, bounded};
use super::tool::{Tool, for_each_tool};

macro_rules! table {
    ($($(#[$meta:meta])* $tool:ident $module:ident,)*) => {
        /// What the tool is: its row of the table.
        pub const fn info(self) -> &'static ToolInfo {
            match self {
                $(Self::$tool => &$module::TOOL,)*
            }
        }
    };
}

impl Tool {
    for_each_tool!(table);

    /// Its name, also of the undo step.
    pub fn title(self) -> &'static str {
        self.info().title
    }

    /// Whether the tool does something on this layer.
    pub fn works_on(self, layer: Layer) -> bool {
        self.info().layers.contains(&layer)
    }
}

impl ToolSettings {
    /// The tool that acts: a brush on the sketch is a pencil and a pencil on the mask a brush.
    pub fn acting_tool(&self) -> Tool {
        match self.tool.info().counterpart {
            Some((layer, tool)) if layer == self.layer => tool,
            _ => self.tool,
        }
    }

    /// Radius of the acting tool in canvas pixels, within its limits; `None` for tools without a
    /// size.
    pub fn radius(&self) -> Option<f32> {
        let tool = self.acting_tool();
        tool.info().size.map(|_| self.radius_of(tool))
    }

    /// Changes the radius of the acting tool.
    pub fn set_radius(&mut self, radius: f32) {
        if let Some(size) = self.acting_tool().info().size {
            (size.set)(self, bounded(radius, Radii::MIN, Radii::MAX));
        }
    }

    /// The next size up or down: steps of about a tenth, at least half a pixel.
    pub fn step_radius(&mut self, up: bool) {
        if let Some(radius) = self.radius() {
            let step = (radius * 0.1).max(0.5);
            self.set_radius(if up { radius + step } else { radius - step });
        }
    }

    pub(super) fn radius_of(&self, tool: Tool) -> f32 {
        let radius = tool.info().size.map_or(Radii::MIN, |size| (size.get)(self));
        bounded(radius, Radii::MIN, Radii::MAX)
    }
}
