//! The polygon: an outline whose corners are set one by one.

use super::super::gesture::{Gesture, Press};
use super::super::outline::Outline;
use super::{DoubleClick, ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.polygon",
    title: "Polygon",
    action: "Polygon",
    keys: &["P"],
    icon: "\u{eb50}",
    about: "Fills a shape of corners. Enter, a double click or its first corner closes it, Escape drops it.",
    options: &[ToolOption::Hint("Enter closes, Escape drops")],
    double_click: DoubleClick::Confirm,
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    Ok(Some(Box::new(Outline::begin(true, &press))))
}
