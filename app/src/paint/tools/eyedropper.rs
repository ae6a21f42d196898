//! The eyedropper: takes the class under the pointer, also while it is dragged.

use super::super::drawing::{Drawing, Layer};
use super::super::gesture::{Gesture, Press};
use super::super::sample::Sample;
use super::super::settings::ToolSettings;
use super::{ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.eyedropper",
    title: "Eyedropper",
    action: "Eyedropper",
    keys: &["I"],
    icon: "\u{e3b8}",
    about: "Takes the class under the pointer. Alt-click does so with any tool.",
    layers: &[Layer::Mask],
    options: &[ToolOption::Hint("Click takes the class")],
    class_takes_brush: true,
    begin,
    ..ToolInfo::PLAIN
};

struct Pick;

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    pick(press.at, press.settings, press.drawing);
    Ok(Some(Box::new(Pick)))
}

/// Returns whether the place is on the canvas.
fn pick(at: &Sample, settings: &mut ToolSettings, drawing: &Drawing) -> bool {
    let Some((x, y)) = drawing.pixel(at.x, at.y) else {
        return false;
    };
    settings.class = drawing.mask.get(x, y);
    true
}

impl Gesture for Pick {
    fn draws(&self) -> bool {
        false
    }

    fn drag(
        &mut self,
        at: &Sample,
        settings: &mut ToolSettings,
        _before: &Drawing,
        drawing: &mut Drawing,
    ) -> bool {
        pick(at, settings, drawing)
    }
}
