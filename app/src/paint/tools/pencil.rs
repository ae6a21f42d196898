//! The soft pencil of the sketch.

use super::super::drawing::{Layer, PAPER};
use super::super::figure::Pen;
use super::super::gesture::{Gesture, Press};
use super::super::pencil::{PencilStroke, PressureRule, SoftPen};
use super::super::settings::ToolSettings;
use super::{Size, Tool, ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.pencil",
    title: "Pencil",
    action: "Pencil",
    keys: &["N"],
    icon: "\u{f097}",
    about: "Draws softly on the sketch.",
    layers: &[Layer::Sketch],
    counterpart: Some((Layer::Mask, Tool::Brush)),
    size: Some(Size {
        get: |settings| settings.radii.pencil,
        set: |settings, radius| settings.radii.pencil = radius,
    }),
    options: &[
        ToolOption::Percent {
            name: "Hardness",
            about: "How sharp the edge is",
            get: |settings| settings.hardness,
            set: |settings, share| settings.hardness = share,
        },
        ToolOption::Percent {
            name: "Opacity",
            about: "How dark a stroke gets",
            get: |settings| settings.opacity,
            set: |settings, share| settings.opacity = share,
        },
        ToolOption::Stroke,
    ],
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    let rule = rule(press.settings);
    let (ink, hardness) = (ink(&press), press.settings.hardness);
    Ok(Some(stroke(rule, ink, hardness, press)))
}

fn rule(settings: &ToolSettings) -> PressureRule {
    let radius = settings.radius_of(Tool::Pencil);
    let darkens = settings.pressure_opacity;
    PressureRule::new(settings, radius, settings.opacity, darkens)
}

fn ink(press: &Press<'_>) -> u8 {
    if press.erases() { PAPER } else { 0 }
}

/// A soft stroke on the sketch; the eraser's, too.
pub(super) fn stroke(
    rule: PressureRule,
    ink: u8,
    hardness: f32,
    press: Press<'_>,
) -> Box<dyn Gesture> {
    let axis = press.axis();
    let sketch = &mut press.drawing.sketch;
    let pen = SoftPen::new(sketch, ink, hardness, axis);
    let stroke = PencilStroke::begin(pen, rule, press.settings, press.at, sketch);
    Box::new(stroke)
}

/// What draws lines and ellipses: the pencil on the sketch, hard paint on the mask.
pub(super) fn figure_pen(press: &Press<'_>) -> Pen {
    match press.settings.layer {
        Layer::Sketch => Pen::Soft {
            rule: rule(press.settings),
            ink: ink(press),
            hardness: press.settings.hardness,
            axis: press.axis(),
        },
        Layer::Mask => Pen::Hard(Box::new(press.paint(press.value()))),
    }
}
