//! Between a project and the features whose values it holds: the one place that knows both.

use std::sync::Arc;

use mmface_engine::picture::RgbImage;

use crate::paint::ToolSettings;
use crate::project::ProjectData;
use crate::project::data::Layers;
use crate::studio::dispatcher::Studio;
use crate::studio::document::Request;

/// What a project holds, without its pictures and the list of results.
pub fn gather(studio: &Studio) -> ProjectData {
    let state = &studio.persistence;
    // What the view and held keys set is none of a person's settings.
    let plain = ToolSettings::default();
    let tools = ToolSettings {
        reach: plain.reach,
        constrain: plain.constrain,
        from_centre: plain.from_centre,
        ..studio.context.document.painter.settings.clone()
    };
    // A field that is being typed into may hold anything; a file may not.
    let share = |value: f32| {
        if value.is_finite() {
            value.clamp(0.0, 1.0)
        } else {
            1.0
        }
    };
    let set = &studio.context.document.opacities;
    let mut request = studio.context.document.request.clone();
    request.tidy();
    ProjectData {
        draw: request.draw,
        seed_locked: request.seed_locked,
        follow: request.follow,
        side: studio.context.document.painter.drawing().side(),
        tools,
        template: studio.context.document.template.clone(),
        onion: studio
            .context
            .document
            .under
            .as_ref()
            .map(|_| share(set.onion)),
        layers: Some(Layers {
            mask: share(set.mask),
            other: share(set.other),
            contours: set.contours,
        }),
        copies: state.copies,
        fork_step: studio.context.document.fork_step,
        ..ProjectData::default()
    }
}

/// Hands a project's values to the features. The drawing is the caller's.
pub fn apply(studio: &mut Studio, data: &ProjectData) {
    let held = &studio.context.document.painter.settings;
    let tools = ToolSettings {
        reach: held.reach,
        constrain: held.constrain,
        from_centre: held.from_centre,
        ..data.tools.clone()
    };
    studio.context.document.painter.settings = tools;
    studio.context.document.take_over(Request {
        follow: data.follow,
        draw: data.draw.clone(),
        seed_locked: data.seed_locked,
    });
    studio.context.document.fork_step = data.fork_step.min(data.draw.steps.saturating_sub(1));
    if let Some(layers) = data.layers {
        let set = &mut studio.context.document.opacities;
        set.mask = layers.mask;
        set.other = layers.other;
        set.contours = layers.contours;
    }
    studio.context.document.template = data.template.clone();
    let state = &mut studio.persistence;
    state.results = data.results.clone();
    state.copies = data.copies;
}

/// Puts a picture under the canvas, or takes it away.
pub fn set_onion(studio: &mut Studio, onion: Option<Arc<RgbImage>>, cover: Option<f32>) {
    if let Some(cover) = cover {
        studio.context.document.opacities.onion = cover;
    }
    studio.context.document.put_under(onion);
}
