//! The straight stroke.

use super::super::figure::Figure;
use super::super::gesture::{Gesture, Press};
use super::{Size, Tool, ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.line",
    title: "Line",
    action: "Line",
    keys: &["U"],
    icon: "\u{f41e}",
    about: "A straight stroke; Shift keeps to steps of 15°.",
    size: Some(Size {
        get: |settings| settings.radii.line,
        set: |settings, radius| settings.radii.line = radius,
    }),
    options: &[ToolOption::Hint("Shift: steps of 15°")],
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    let radius = press.settings.radius_of(Tool::Line);
    let pen = super::pencil::figure_pen(&press);
    Ok(Some(Box::new(Figure::line(radius, pen, &press))))
}
