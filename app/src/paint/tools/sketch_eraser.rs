//! The soft eraser of the sketch.

use super::super::drawing::{Layer, PAPER};
use super::super::gesture::{Gesture, Press};
use super::super::pencil::PressureRule;
use super::{Size, Tool, ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.sketch_eraser",
    title: "Sketch eraser",
    action: "Sketch eraser",
    keys: &["Shift+E"],
    icon: "\u{e6d1}",
    about: "Erases softly on the sketch.",
    layers: &[Layer::Sketch],
    counterpart: Some((Layer::Mask, Tool::Eraser)),
    size: Some(Size {
        get: |settings| settings.radii.sketch_eraser,
        set: |settings, radius| settings.radii.sketch_eraser = radius,
    }),
    options: &[
        ToolOption::Percent {
            name: "Hardness",
            about: "How sharp the edge is",
            get: |settings| settings.eraser_hardness,
            set: |settings, share| settings.eraser_hardness = share,
        },
        ToolOption::Percent {
            name: "Opacity",
            about: "How dark a stroke gets",
            get: |settings| settings.eraser_opacity,
            set: |settings, share| settings.eraser_opacity = share,
        },
        ToolOption::Stroke,
    ],
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    let settings = &*press.settings;
    let radius = settings.radius_of(Tool::SketchEraser);
    let rule = PressureRule::new(settings, radius, settings.eraser_opacity, false);
    let hardness = settings.eraser_hardness;
    let stroke = super::pencil::stroke(rule, PAPER, hardness, press);
    Ok(Some(stroke))
}
