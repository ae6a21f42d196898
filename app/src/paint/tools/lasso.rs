//! The lasso: an outline that is drawn by hand.

use super::super::gesture::{Gesture, Press};
use super::super::outline::Outline;
use super::{ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.lasso",
    title: "Lasso",
    action: "Lasso",
    keys: &["L"],
    icon: "\u{eb03}",
    about: "Fills a shape drawn by hand.",
    options: &[ToolOption::Hint("Draw around what is to be filled")],
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    Ok(Some(Box::new(Outline::begin(false, &press))))
}
