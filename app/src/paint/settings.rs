//! What the person has set before a gesture begins: tool, class, sizes, switches.

use mmface_engine::labels::{CLASS_COUNT, class};
use serde::{Deserialize, Serialize};

use super::classes::ClassSet;
use super::drawing::Layer;
use super::mirror::Mirror;
use super::target::Target;
use super::tool::Tool;

/// Largest gap that a fill can close, in pixels.
pub const MAX_FILL_GAP: u8 = 12;

/// Most pixels by which a fill can grow.
pub const MAX_FILL_GROW: u8 = 12;

/// Radius of each tool in canvas pixels; every tool remembers its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Radii {
    /// Of the brush.
    pub brush: f32,
    /// Of the eraser.
    pub eraser: f32,
    /// Half the width of a line.
    pub line: f32,
    /// Of the pencil.
    pub pencil: f32,
    /// Of the eraser of the sketch.
    pub sketch_eraser: f32,
}

impl Radii {
    /// Smallest radius: one pixel.
    pub const MIN: f32 = 0.5;
    /// Largest radius.
    pub const MAX: f32 = 256.0;
}

impl Default for Radii {
    fn default() -> Self {
        Self {
            brush: 12.0,
            eraser: 16.0,
            line: 3.0,
            pencil: 2.0,
            sketch_eraser: 10.0,
        }
    }
}

/// How a stroke is smoothed. Both may be on; 0 is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stabiliser {
    /// Strength of the one-euro filter, 0..=1: calms slow strokes, follows fast ones.
    pub smoothing: f32,
    /// Length of the pulled string in canvas pixels: the pen follows only when it is taut.
    pub string: f32,
}

impl Default for Stabiliser {
    fn default() -> Self {
        Self {
            smoothing: 0.35,
            string: 0.0,
        }
    }
}

/// What lies beneath a region that has been moved away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Beneath {
    /// The class that most of the region's border touched: skin beneath an eye.
    #[default]
    Neighbour,
    /// Background.
    Background,
}

/// Everything that a gesture asks before it begins. Plain data: panels edit it in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolSettings {
    /// The layer that is painted on.
    pub layer: Layer,
    /// The tool at hand.
    pub tool: Tool,
    /// The class at hand.
    pub class: u8,
    /// Sizes of the tools.
    pub radii: Radii,
    /// Share of the pencil's radius that is fully covered, 0..=1.
    pub hardness: f32,
    /// Darkness of a pencil stroke, 0..=1.
    pub opacity: f32,
    /// Hardness of the sketch's eraser.
    pub eraser_hardness: f32,
    /// Strength of the sketch's eraser.
    pub eraser_opacity: f32,
    /// What may be painted over.
    pub target: Target,
    /// The mirror.
    pub mirror: Mirror,
    /// Classes that are never painted over.
    pub locked: ClassSet,
    /// Classes that the view leaves out; painting does not care.
    pub hidden: ClassSet,
    /// Smoothing of strokes.
    pub stabiliser: Stabiliser,
    /// Whether strokes follow the pressure of the pen. Without a pen the pencil follows the speed
    /// of the hand, the brush keeps its size.
    pub pressure: bool,
    /// Whether pressure changes the width (the only choice on a mask, which is hard-edged).
    pub pressure_width: bool,
    /// Whether pressure changes the darkness of the pencil.
    pub pressure_opacity: bool,
    /// Gaps up to so many pixels do not let a fill through, 0..=12.
    pub fill_gap: u8,
    /// A fill grows by so many pixels over its border, 0..=12.
    pub fill_grow: u8,
    /// A brush stroke that ends where it began fills what it encloses.
    pub contour_fill: bool,
    /// Transform takes all regions of the class instead of the one under the cursor.
    pub transform_whole_class: bool,
    /// What Transform leaves behind.
    pub beneath: Beneath,
    /// Held Shift: straight lines by 15°, circles, steps of rotation, even scale.
    #[serde(skip)]
    pub constrain: bool,
    /// Held Alt: an ellipse grows from its centre.
    #[serde(skip)]
    pub from_centre: bool,
    /// How near a press must be to a handle or to the first corner of a polygon, in canvas pixels.
    /// The view sets it with its zoom.
    #[serde(skip, default = "default_reach")]
    pub reach: f32,
}

fn default_reach() -> f32 {
    8.0
}

impl Default for ToolSettings {
    fn default() -> Self {
        Self {
            layer: Layer::Mask,
            tool: Tool::Brush,
            class: class::SKIN,
            radii: Radii::default(),
            hardness: 0.6,
            opacity: 0.9,
            eraser_hardness: 0.5,
            eraser_opacity: 1.0,
            target: Target::Everything,
            mirror: Mirror::default(),
            locked: ClassSet::NONE,
            hidden: ClassSet::NONE,
            stabiliser: Stabiliser::default(),
            pressure: true,
            pressure_width: true,
            pressure_opacity: true,
            fill_gap: 3,
            fill_grow: 0,
            contour_fill: false,
            transform_whole_class: false,
            beneath: Beneath::Neighbour,
            constrain: false,
            from_centre: false,
            reach: default_reach(),
        }
    }
}

impl ToolSettings {
    /// The chosen class; a number that is no class counts as background.
    pub(super) fn chosen_class(&self) -> u8 {
        if usize::from(self.class) < CLASS_COUNT {
            self.class
        } else {
            class::BACKGROUND
        }
    }
}

/// Settings come from files and sliders: what is no number becomes the lower end.
pub(super) fn bounded(value: f32, low: f32, high: f32) -> f32 {
    if value.is_nan() {
        low
    } else {
        value.clamp(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_remembers_its_size() {
        let mut settings = ToolSettings::default();
        settings.set_radius(40.0);
        settings.tool = Tool::Eraser;
        settings.set_radius(f32::NAN);
        assert_eq!(settings.radius(), Some(Radii::MIN));
        settings.tool = Tool::Brush;
        assert_eq!(settings.radius(), Some(40.0));
        settings.step_radius(true);
        assert_eq!(settings.radius(), Some(44.0));
        settings.layer = Layer::Sketch;
        assert_eq!(settings.acting_tool(), Tool::Pencil);
        assert_eq!(settings.radius(), Some(2.0));
        settings.tool = Tool::Fill;
        assert_eq!(settings.radius(), None);
    }

    #[test]
    fn settings_survive_a_file_and_old_files_get_defaults() {
        let mut settings = ToolSettings {
            tool: Tool::Lasso,
            target: Target::Class(13),
            ..ToolSettings::default()
        };
        settings.locked.insert(13);
        settings.locked.insert(2);
        let text = ron::to_string(&settings).expect("serialises");
        assert_eq!(
            ron::from_str::<ToolSettings>(&text).expect("reads"),
            settings
        );
        let old: ToolSettings = ron::from_str("(class: 5)").expect("reads");
        assert_eq!(
            old,
            ToolSettings {
                class: 5,
                ..ToolSettings::default()
            }
        );
    }
}
