//! The ellipse.

use super::super::figure::Figure;
use super::super::gesture::{Gesture, Press};
use super::{ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.ellipse",
    title: "Ellipse",
    action: "Ellipse",
    keys: &["O"],
    icon: "\u{ef4a}",
    about: "Fills an ellipse; Shift makes a circle, Alt grows it from its middle.",
    options: &[ToolOption::Hint("Shift: circle, Alt: from its middle")],
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    let pen = super::pencil::figure_pen(&press);
    Ok(Some(Box::new(Figure::ellipse(pen, &press))))
}
