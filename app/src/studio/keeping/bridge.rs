//! Between a project and the features whose values it holds: the one place that knows both.

use std::sync::Arc;

use mmface_engine::picture::RgbImage;

use crate::paint::ToolSettings;
use crate::project::ProjectData;
use crate::studio::state::Studio;

/// What a project holds, without its pictures and the list of results.
pub fn gather(studio: &Studio) -> ProjectData {
    let state = &studio.keeping;
    // What the view and held keys set is none of a person's settings.
    let plain = ToolSettings::default();
    let tools = ToolSettings {
        reach: plain.reach,
        constrain: plain.constrain,
        from_centre: plain.from_centre,
        ..studio.painter.settings.clone()
    };
    ProjectData {
        side: studio.painter.drawing().side(),
        tools,
        template: state.template.clone(),
        copies: state.copies,
        ..ProjectData::default()
    }
}

/// Hands a project's values to the features. The drawing is the caller's.
pub fn apply(studio: &mut Studio, data: &ProjectData) {
    let held = &studio.painter.settings;
    let tools = ToolSettings {
        reach: held.reach,
        constrain: held.constrain,
        from_centre: held.from_centre,
        ..data.tools.clone()
    };
    studio.painter.settings = tools;
    let state = &mut studio.keeping;
    state.template = data.template.clone();
    state.results = data.results.clone();
    state.copies = data.copies;
}

/// The picture under the canvas.
pub fn onion(_studio: &Studio) -> Option<Arc<RgbImage>> {
    None
}

/// Puts a picture under the canvas, or takes it away.
pub fn set_onion(_studio: &mut Studio, _onion: Option<Arc<RgbImage>>, _cover: Option<f32>) {}
