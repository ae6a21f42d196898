//! The hard eraser of the mask.

use mmface_engine::labels::class;

use super::super::drawing::Layer;
use super::super::gesture::{Gesture, Press};
use super::{Size, Tool, ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.eraser",
    title: "Eraser",
    action: "Eraser",
    keys: &["E"],
    icon: "\u{e6d0}",
    about: "Paints background, or paper on the sketch.",
    counterpart: Some((Layer::Sketch, Tool::SketchEraser)),
    size: Some(Size {
        get: |settings| settings.radii.eraser,
        set: |settings, radius| settings.radii.eraser = radius,
    }),
    options: &[ToolOption::Stroke],
    class_takes_brush: true,
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    let radius = press.settings.radius_of(Tool::Eraser);
    let stroke = super::brush::stroke(class::BACKGROUND, radius, press);
    Ok(Some(stroke))
}
