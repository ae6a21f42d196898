//! What a tool tells of itself, as plain data: the studio builds strip, options and actions of it.

use super::super::drawing::Layer;
use super::super::gesture::{Begin, Gesture, Press};
use super::super::settings::ToolSettings;
use super::super::tool::Tool;

/// A tool.
#[derive(Clone, Copy)]
pub struct ToolInfo {
    /// The action that takes it, as a key map file names it; never changes: `tools.brush`.
    pub id: &'static str,
    /// Its name, also of the undo step.
    pub title: &'static str,
    /// The title of the action that takes it.
    pub action: &'static str,
    /// The keys that take it when the person has not chosen others.
    pub keys: &'static [&'static str],
    /// A code point of the Material Symbols font.
    pub icon: &'static str,
    /// What it does, for a tooltip.
    pub about: &'static str,
    /// Where it does something. Choosing it elsewhere goes to the first.
    pub layers: &'static [Layer],
    /// On this layer the other tool acts in its place.
    pub counterpart: Option<(Layer, Tool)>,
    /// Its radius, so that a ring at the cursor tells the truth.
    pub size: Option<Size>,
    /// What it can be told besides its size.
    pub options: &'static [ToolOption],
    /// What a double click means.
    pub double_click: DoubleClick,
    /// Whether the view shows in advance what a fill at the pointer would change.
    pub previews_fill: bool,
    /// Whether choosing a class takes the brush instead: the tool paints no class.
    pub class_takes_brush: bool,
    /// A press begins a gesture.
    pub(in crate::paint) begin: Begin,
}

impl std::fmt::Debug for ToolInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolInfo")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl ToolInfo {
    /// What most tools have in common; a tool's file says the rest.
    pub(super) const PLAIN: Self = Self {
        id: "",
        title: "",
        action: "",
        keys: &[],
        icon: "",
        about: "",
        layers: &[Layer::Mask, Layer::Sketch],
        counterpart: None,
        size: None,
        options: &[],
        double_click: DoubleClick::Nothing,
        previews_fill: false,
        class_takes_brush: false,
        begin: nothing,
    };
}

fn nothing(_: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    Ok(None)
}

/// A radius in canvas pixels; every tool remembers its own.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Reads it.
    pub get: fn(&ToolSettings) -> f32,
    /// Changes it.
    pub set: fn(&mut ToolSettings, f32),
}

/// A widget of the bar above the canvas.
#[derive(Clone, Copy, Debug)]
pub enum ToolOption {
    /// A slider of whole canvas pixels, `0..=max`.
    Pixels {
        /// In front of it.
        name: &'static str,
        /// Its tooltip.
        about: &'static str,
        /// Upper end.
        max: u8,
        /// Reads the value.
        get: fn(&ToolSettings) -> u8,
        /// Changes it.
        set: fn(&mut ToolSettings, u8),
    },
    /// A field of per cent, for a value of 0..=1.
    Percent {
        /// In front of it.
        name: &'static str,
        /// Its tooltip.
        about: &'static str,
        /// Reads the value.
        get: fn(&ToolSettings) -> f32,
        /// Changes it.
        set: fn(&mut ToolSettings, f32),
    },
    /// A checkbox.
    Switch {
        /// Beside it.
        name: &'static str,
        /// Its tooltip.
        about: &'static str,
        /// Reads the value.
        get: fn(&ToolSettings) -> bool,
        /// Changes it.
        set: fn(&mut ToolSettings, bool),
    },
    /// One of several.
    Choice {
        /// What is chosen, for screen readers.
        name: &'static str,
        /// The texts, in order.
        choices: &'static [&'static str],
        /// The number of the chosen one.
        get: fn(&ToolSettings) -> usize,
        /// Chooses one by its number.
        set: fn(&mut ToolSettings, usize),
    },
    /// The menu of smoothing and pressure, which all strokes share.
    Stroke,
    /// A short text of how the tool is used.
    Hint(&'static str),
}

/// What a double click means to a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubleClick {
    /// No more than two clicks.
    Nothing,
    /// It accepts what waits.
    Confirm,
    /// It fills the contour around the place, if there is one.
    FillContour,
}
