//! The canvas itself and the line beneath it.

use egui::{Color32, Panel, Rect, Rgba, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::State;
use super::gpu::{Frame, HATCH, NO_CLASS, SMOOTH, View};
use super::{beginning, names, overlay, pointer, status};
use crate::paint::Tiles;
use crate::studio::class_colours as colours;
use crate::studio::context::Context;
use crate::studio::document::{Look, Mix};

/// What other panels say in this frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// A class that others make room for: the pointer is on its row.
    pub lit: Option<u8>,
    /// A window is open in which a drawing begins.
    pub elsewhere: bool,
}

/// Takes in what the pointer did, and draws the panel. The one panel that changes the document
/// itself: samples of a pen that went round by a command would be drawn a frame late.
pub fn show(ui: &mut Ui, state: &mut State, cx: &mut Context, beside: Beside) {
    Panel::bottom("canvas_status")
        .exact_size(28.0)
        .resizable(false)
        .show(ui, |ui| status::show(ui, state, cx));
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Canvas"));
    state.rect = rect;
    let side = cx.document.painter.drawing().side() as f32;
    if state.camera.fitted {
        state.camera.fit(rect, side);
    }
    state.camera.keep_in_sight(side);
    pointer::take(ui, &response, rect, state, cx);
    let hovered = ui.input(|i| i.pointer.latest_pos());
    state.hover = hovered
        .filter(|_| response.hovered() || state.in_gesture())
        .map(|at| state.camera.to_canvas(rect, at));
    super::follow_onion(state, cx);
    let area = marked(state, cx);
    let frame = frame(ui, rect, state, cx, area, beside.lit);
    ui.painter()
        .add(egui_wgpu::Callback::new_paint_callback(rect, frame));
    names::follow(state, cx);
    overlay::show(ui, &response, rect, state, cx);
    progress(ui, rect, cx);
    beginning::show(ui, rect, state, cx, beside.elsewhere);
    super::publish(state, cx);
}

/// What the fill at the pointer would change.
fn marked(state: &State, cx: &mut Context) -> Option<Tiles> {
    if !cx.document.painter.settings.tool.info().previews_fill || state.in_gesture() {
        return None;
    }
    let at = state.hover?;
    let preview = cx.document.painter.fill_preview(at.x, at.y)?;
    Some(preview.area)
}

fn frame(
    ui: &Ui,
    rect: Rect,
    state: &State,
    cx: &Context,
    area: Option<Tiles>,
    lit: Option<u8>,
) -> Frame {
    let canvas = state;
    let drawing = cx.document.painter.drawing();
    let settings = &cx.document.painter.settings;
    let side = drawing.side() as f32;
    let friendly = cx.settings.friendly_colours;
    let mix = Mix::new(
        cx.document.look,
        settings.layer,
        canvas.has_picture(),
        canvas.onion.is_some(),
        &cx.document.opacities,
    );
    let theme = cx.theme.colours(ui);
    let ground = if mix.paper {
        Color32::WHITE
    } else {
        colours::colour(friendly, 0)
    };
    let (origin, right, down) = canvas.camera.frame(rect);
    let hidden = settings
        .hidden
        .iter()
        .fold(0, |set, class| set | 1 << class);
    let split = if cx.document.look == Look::Split && canvas.has_picture() {
        canvas.split * side
    } else {
        2.0 * side
    };
    let view = View {
        origin: origin.into(),
        canvas: [side, side],
        right: right.into(),
        down: down.into(),
        ground: with_alpha(ground, mix.background),
        surround: with_alpha(theme.surround, 1.0),
        edge: with_alpha(theme.line, 1.0),
        mask: mix.mask,
        sketch: mix.sketch,
        onion: mix.onion,
        picture: mix.picture,
        px: 1.0 / (canvas.camera.zoom * ui.ctx().pixels_per_point()),
        contour: mix.contour,
        split,
        area: if area.is_some() { 0.35 } else { 0.0 },
        hidden,
        lit: lit.map_or(NO_CLASS, u32::from),
        flags: SMOOTH | if cx.settings.hatch { HATCH } else { 0 },
        unused: 0,
    };
    Frame {
        mask: drawing.mask.clone(),
        sketch: drawing.sketch.clone(),
        area,
        onion: canvas.onion.as_ref().map(|(_, texels)| texels.clone()),
        picture: canvas.picture.clone(),
        colours: colours::table(friendly),
        view,
        stroke: canvas.pointer.is_stroke(),
        cost: canvas.cost.clone(),
    }
}

/// Gamma-space numbers: the render target takes them as they are.
fn with_alpha(colour: Color32, alpha: f32) -> [f32; 4] {
    let [r, g, b, _] = colour.to_array().map(|v| f32::from(v) / 255.0);
    Rgba::from_rgba_premultiplied(r, g, b, alpha).to_array()
}

/// How far the engine is, in a corner of the canvas: nothing moves when it comes and goes.
fn progress(ui: &mut Ui, rect: Rect, cx: &Context) {
    let Some(progress) = &cx.facts.drawing.progress else {
        return;
    };
    let theme = cx.theme.colours(ui);
    let place = Rect::from_min_size(rect.min + vec2(10.0, 10.0), vec2(214.0, 30.0));
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect(
        place,
        4.0,
        theme.panel.gamma_multiply(0.92),
        egui::Stroke::new(1.0, theme.line),
        egui::StrokeKind::Inside,
    );
    let share = if progress.share.is_finite() {
        progress.share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let bar = Rect::from_min_max(
        pos2(place.min.x + 8.0, place.max.y - 6.0),
        pos2(place.max.x - 8.0, place.max.y - 3.0),
    );
    painter.rect_filled(bar, 1.5, theme.line);
    let mut done = bar;
    done.set_width(bar.width() * share);
    painter.rect_filled(done, 1.5, theme.accent);
    let text = Rect::from_min_max(
        place.min + vec2(8.0, 3.0),
        pos2(place.max.x - 8.0, bar.min.y),
    );
    ui.put(text, egui::Label::new(&progress.text).truncate());
}
