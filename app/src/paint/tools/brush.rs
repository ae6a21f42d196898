//! The hard brush of the mask.

use super::super::brush::BrushStroke;
use super::super::drawing::Layer;
use super::super::gesture::{Gesture, Press};
use super::{DoubleClick, Size, Tool, ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.brush",
    title: "Brush",
    action: "Brush",
    keys: &["B"],
    icon: "\u{e3ae}",
    about: "Paints the class at hand. Hard-edged: a mixture of two classes would be a third. Right button erases, Alt-drag changes the size.",
    layers: &[Layer::Mask],
    counterpart: Some((Layer::Sketch, Tool::Pencil)),
    size: Some(Size {
        get: |settings| settings.radii.brush,
        set: |settings, radius| settings.radii.brush = radius,
    }),
    options: &[ToolOption::Stroke],
    double_click: DoubleClick::FillContour,
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    let radius = press.settings.radius_of(Tool::Brush);
    Ok(Some(stroke(press.value(), radius, press)))
}

/// A hard stroke on the mask; the eraser's, too.
pub(super) fn stroke(value: u8, radius: f32, press: Press<'_>) -> Box<dyn Gesture> {
    let paint = press.paint(value);
    let mask = &mut press.drawing.mask;
    let stroke = BrushStroke::begin(paint, radius, press.settings, press.at, mask);
    Box::new(stroke)
}
