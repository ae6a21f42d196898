//! Between a project and the features whose values it holds: the one place that knows both.

use std::sync::Arc;

use mmface_engine::picture::RgbImage;

use super::State;
use crate::paint::ToolSettings;
use crate::project::ProjectData;
use crate::project::data::Layers;
use crate::studio::context::Context;
use crate::studio::document::Request;

/// What a project holds, without its pictures and the list of results.
pub fn gather(state: &State, cx: &Context) -> ProjectData {
    // What the view and held keys set is none of a person's settings.
    let plain = ToolSettings::default();
    let tools = ToolSettings {
        reach: plain.reach,
        constrain: plain.constrain,
        from_centre: plain.from_centre,
        ..cx.document.painter.settings.clone()
    };
    // A field that is being typed into may hold anything; a file may not.
    let share = |value: f32| {
        if value.is_finite() {
            value.clamp(0.0, 1.0)
        } else {
            1.0
        }
    };
    let set = &cx.document.opacities;
    let mut request = cx.document.request.clone();
    request.tidy();
    ProjectData {
        draw: request.draw,
        seed_locked: request.seed_locked,
        follow: request.follow,
        side: cx.document.painter.drawing().side(),
        tools,
        template: cx.document.template.clone(),
        onion: cx.document.under.as_ref().map(|_| share(set.onion)),
        layers: Some(Layers {
            mask: share(set.mask),
            other: share(set.other),
            contours: set.contours,
        }),
        copies: state.copies,
        fork_step: cx.document.fork_step,
        ..ProjectData::default()
    }
}

/// Hands a project's values to the features. The drawing is the caller's.
pub fn apply(state: &mut State, cx: &mut Context, data: &ProjectData) {
    let held = &cx.document.painter.settings;
    let tools = ToolSettings {
        reach: held.reach,
        constrain: held.constrain,
        from_centre: held.from_centre,
        ..data.tools.clone()
    };
    cx.document.painter.settings = tools;
    cx.document.take_over(Request {
        follow: data.follow,
        draw: data.draw.clone(),
        seed_locked: data.seed_locked,
    });
    cx.document.fork_step = data.fork_step.min(data.draw.steps.saturating_sub(1));
    if let Some(layers) = data.layers {
        let set = &mut cx.document.opacities;
        set.mask = layers.mask;
        set.other = layers.other;
        set.contours = layers.contours;
    }
    cx.document.template = data.template.clone();
    state.results = data.results.clone();
    state.copies = data.copies;
}

/// Puts a picture under the canvas, or takes it away.
pub fn set_onion(cx: &mut Context, onion: Option<Arc<RgbImage>>, cover: Option<f32>) {
    if let Some(cover) = cover {
        cx.document.opacities.onion = cover;
    }
    cx.document.put_under(onion);
}
