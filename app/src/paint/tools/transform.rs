//! Moving a region of one class.

use super::super::drawing::Layer;
use super::super::gesture::{Gesture, Press};
use super::super::settings::Beneath;
use super::super::transform::Transform;
use super::{ToolInfo, ToolOption};

pub(super) const TOOL: ToolInfo = ToolInfo {
    id: "tools.transform",
    title: "Transform",
    action: "Move a region",
    keys: &["T"],
    icon: "\u{e428}",
    about: "Moves, scales and turns a region of one class; Enter puts it down.",
    layers: &[Layer::Mask],
    options: &[
        ToolOption::Switch {
            name: "Whole class",
            about: "All regions of the class, not only the one that is clicked",
            get: |settings| settings.transform_whole_class,
            set: |settings, on| settings.transform_whole_class = on,
        },
        ToolOption::Choice {
            name: "What the region leaves behind",
            choices: &["Leave the neighbour", "Leave background"],
            get: |settings| match settings.beneath {
                Beneath::Neighbour => 0,
                Beneath::Background => 1,
            },
            set: |settings, choice| {
                settings.beneath = if choice == 0 {
                    Beneath::Neighbour
                } else {
                    Beneath::Background
                };
            },
        },
    ],
    begin,
    ..ToolInfo::PLAIN
};

fn begin(press: Press<'_>) -> Result<Option<Box<dyn Gesture>>, String> {
    let transform = Transform::begin(press.settings, press.at.point(), press.drawing)?;
    Ok(Some(Box::new(transform)))
}
