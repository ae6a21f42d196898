//! Between a project and the features whose values it holds: the one place that knows both.

use std::sync::Arc;

use mmface_engine::picture::RgbImage;

use crate::paint::ToolSettings;
use crate::project::ProjectData;
use crate::project::data::Layers;
use crate::studio::generate::Request;
use crate::studio::photo;
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
    // A field that is being typed into may hold anything; a file may not.
    let share = |value: f32| {
        if value.is_finite() {
            value.clamp(0.0, 1.0)
        } else {
            1.0
        }
    };
    let set = &studio.canvas.opacities;
    let mut request = studio.generate.request.clone();
    request.tidy();
    ProjectData {
        draw: request.draw,
        seed_locked: request.seed_locked,
        follow: request.follow,
        side: studio.painter.drawing().side(),
        tools,
        template: state.template.clone(),
        onion: studio.photo.under.as_ref().map(|_| share(set.onion)),
        layers: Some(Layers {
            mask: share(set.mask),
            other: share(set.other),
            contours: set.contours,
        }),
        copies: state.copies,
        fork_step: studio.sweep.fork_step,
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
    studio.generate.set_request(Request {
        follow: data.follow,
        draw: data.draw.clone(),
        seed_locked: data.seed_locked,
    });
    studio.sweep.fork_step = data.fork_step.min(data.draw.steps.saturating_sub(1));
    if let Some(layers) = data.layers {
        let set = &mut studio.canvas.opacities;
        set.mask = layers.mask;
        set.other = layers.other;
        set.contours = layers.contours;
    }
    let state = &mut studio.keeping;
    state.template = data.template.clone();
    state.results = data.results.clone();
    state.copies = data.copies;
}

/// The picture under the canvas.
pub fn onion(studio: &Studio) -> Option<Arc<RgbImage>> {
    studio.photo.under.clone()
}

/// Puts a picture under the canvas, or takes it away.
pub fn set_onion(studio: &mut Studio, onion: Option<Arc<RgbImage>>, cover: Option<f32>) {
    if let Some(cover) = cover {
        studio.canvas.opacities.onion = cover;
    }
    photo::show_under(studio, onion);
}
