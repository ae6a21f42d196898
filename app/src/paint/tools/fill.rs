//! The fill of the region under the pointer.

use super::super::drawing::Layer;
use super::super::filling::{Filling, LARGE_FILL};
use super::super::gesture::{Gesture, Press};
use super::super::settings::{MAX_FILL_GAP, MAX_FILL_GROW, ToolSettings};
use super::super::target::{Target, title_of};
use super::{ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.fill",
    title: "Fill",
    action: "Fill",
    keys: &["G"],
    icon: "\u{e23a}",
    about: "Fills the region under the pointer; the stripes show what would change.",
    layers: &[Layer::Mask],
    options: &[
        ToolOption::Pixels {
            name: "Gap",
            about: "Gaps up to this width do not let the fill through",
            max: MAX_FILL_GAP,
            get: |settings| settings.fill_gap,
            set: |settings, pixels| settings.fill_gap = pixels,
        },
        ToolOption::Pixels {
            name: "Grow",
            about: "The fill goes this far over its border",
            max: MAX_FILL_GROW,
            get: |settings| settings.fill_grow,
            set: |settings, pixels| settings.fill_grow = pixels,
        },
    ],
    previews_fill: true,
    begin,
    ..ToolInfo::PLAIN
};

/// All was done by the press.
struct Filled;

impl Gesture for Filled {}

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    let Some((x, y)) = press.drawing.pixel(press.at.x, press.at.y) else {
        return Ok(None);
    };
    let value = press.value();
    let mask = &mut press.drawing.mask;
    let over = mask.get(x, y);
    let filling = Filling::kept(press.filling, mask, press.settings, value, x, y);
    let share = filling.preview.share;
    if share == 0.0 {
        if over != value {
            return Err(why_nothing(press.settings, over));
        }
        return Ok(None);
    }
    if share > LARGE_FILL && !filling.warned {
        filling.warned = true;
        return Err(format!(
            "The fill would change {:.0} % of the canvas. Click again to fill all the same, or raise the gap setting if it leaks.",
            share * 100.0
        ));
    }
    *mask = filling.result.clone();
    *press.filling = None;
    Ok(Some(Box::new(Filled)))
}

/// Why nothing was painted over this class.
fn why_nothing(settings: &ToolSettings, over: u8) -> String {
    let class = title_of(over);
    if settings.locked.contains(over) {
        return format!("Nothing changed: {class} is locked.");
    }
    match settings.target {
        Target::Everything => "Nothing changed: all of it is locked.".to_owned(),
        target => format!(
            "Nothing changed on {class}: the target is set to \"{}\".",
            target.title()
        ),
    }
}
