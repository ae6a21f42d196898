//! What is drawn over the canvas: the tool's ring, the mirror's axis, unfinished shapes, the line
//! between drawing and picture.

use egui::{Color32, CursorIcon, Painter, Pos2, Rect, Response, Shape, Stroke, Ui, pos2, vec2};

use super::State;
use super::ink::{DARK, LIGHT};
use super::{Look, names};
use crate::paint::{HandleKind, Layer, Target};
use crate::studio::context::Context;

/// Draws all of it.
pub(super) fn show(ui: &Ui, response: &Response, rect: Rect, state: &State, cx: &Context) {
    let painter = ui.painter().with_clip_rect(rect);
    names::show(&painter, state, cx);
    if cx.document.look == Look::Split && state.has_picture() {
        split(&painter, rect, state, cx);
    }
    if shows_axis(state, cx) {
        axis(&painter, rect, state, cx);
    }
    shapes(&painter, rect, state, cx);
    ring(ui, response, &painter, rect, state, cx);
}

/// The mirror's axis belongs to the drawing: it does not cross a finished picture.
pub(super) fn shows_axis(state: &State, cx: &Context) -> bool {
    let picture_alone = cx.document.look == Look::Picture && state.has_picture();
    cx.document.painter.settings.mirror.on && !picture_alone
}

/// Both ends of the mirror's axis on screen, drawn a little inside of the canvas.
pub(super) fn axis_handles(rect: Rect, state: &State, cx: &Context) -> [Pos2; 2] {
    let side = cx.document.painter.drawing().side();
    let ends = cx.document.painter.settings.mirror.ends(side);
    ends.map(|[x, y]| state.camera.to_screen(rect, pos2(x, y)))
}

/// A line that is seen on every ground.
fn line(painter: &Painter, points: &[Pos2]) {
    painter.add(Shape::line(points.to_vec(), Stroke::new(3.0, DARK)));
    painter.add(Shape::line(points.to_vec(), Stroke::new(1.2, LIGHT)));
}

fn split(painter: &Painter, rect: Rect, state: &State, cx: &Context) {
    let side = cx.document.painter.drawing().side() as f32;
    let x = state.split * side;
    let ends = [pos2(x, 0.0), pos2(x, side)].map(|p| state.camera.to_screen(rect, p));
    line(painter, &ends);
    let middle = ends[0].lerp(ends[1], 0.5);
    painter.circle(middle, 9.0, LIGHT, Stroke::new(1.5, DARK));
    let along = (ends[1] - ends[0]).normalized();
    let across = vec2(along.y, -along.x);
    for way in [across, -across] {
        let tip = middle + way * 6.0;
        let base = middle + way * 2.5;
        painter.add(Shape::convex_polygon(
            vec![tip, base + along * 3.0, base - along * 3.0],
            Color32::from_gray(30),
            Stroke::NONE,
        ));
    }
}

fn axis(painter: &Painter, rect: Rect, state: &State, cx: &Context) {
    let ends = axis_handles(rect, state, cx);
    let dashes = |width, colour, offset| {
        Shape::dashed_line_with_offset(&ends, Stroke::new(width, colour), &[7.0], &[7.0], offset)
    };
    painter.extend(dashes(1.5, DARK, 0.0));
    painter.extend(dashes(1.5, LIGHT, 7.0));
    // The upper one moves the axis, the lower one tilts it.
    painter.rect(
        Rect::from_center_size(ends[0], vec2(12.0, 12.0)),
        2.0,
        LIGHT,
        Stroke::new(1.5, DARK),
        egui::StrokeKind::Middle,
    );
    painter.circle(ends[1], 6.5, LIGHT, Stroke::new(1.5, DARK));
}

fn shapes(painter: &Painter, rect: Rect, state: &State, cx: &Context) {
    let overlay = cx.document.painter.overlay();
    let on_screen = |p: &[f32; 2]| state.camera.to_screen(rect, pos2(p[0], p[1]));
    for part in &overlay.lines {
        let mut points: Vec<Pos2> = part.points.iter().map(on_screen).collect();
        if part.closed
            && let Some(&first) = points.first()
        {
            points.push(first);
        }
        line(painter, &points);
    }
    for handle in &overlay.handles {
        let at = on_screen(&handle.at);
        match handle.kind {
            HandleKind::Scale(..) => {
                painter.rect(
                    Rect::from_center_size(at, vec2(9.0, 9.0)),
                    1.0,
                    LIGHT,
                    Stroke::new(1.5, DARK),
                    egui::StrokeKind::Middle,
                );
            }
            HandleKind::Rotate | HandleKind::Close => {
                painter.circle(at, 5.5, LIGHT, Stroke::new(1.5, DARK));
            }
        }
    }
}

/// The size of the tool, drawn by us so that no driver can lose it.
fn ring(ui: &Ui, response: &Response, painter: &Painter, rect: Rect, state: &State, cx: &Context) {
    let pointer = &state.pointer;
    if !response.hovered() && !pointer.in_gesture() {
        return;
    }
    let latest = ui.input(|i| i.pointer.latest_pos());
    let Some(at) = pointer.resizing_at().or(latest) else {
        return;
    };
    if pointer.is_pan() {
        return ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
    if ui.input(|i| i.key_down(egui::Key::Space)) {
        return ui.ctx().set_cursor_icon(CursorIcon::Grab);
    }
    let Some(radius) = cx.document.painter.settings.radius() else {
        return ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
    };
    ui.ctx().set_cursor_icon(CursorIcon::None);
    let camera = &state.camera;
    let size = (radius * camera.zoom).max(1.0);
    circle(painter, at, size, 1.0);
    target(painter, at + vec2(0.0, size + 4.0), cx);
    if size < 4.0 {
        // Too small to be found: a cross around it.
        for way in [vec2(1.0, 0.0), vec2(0.0, 1.0)] {
            for sign in [-1.0, 1.0] {
                line(painter, &[at + way * sign * 5.0, at + way * sign * 10.0]);
            }
        }
    }
    let settings = &cx.document.painter.settings;
    if settings.mirror.on {
        let side = cx.document.painter.drawing().side();
        let place = camera.to_canvas(rect, at);
        let [x, y] = settings
            .mirror
            .axis(side)
            .reflect([f64::from(place.x), f64::from(place.y)]);
        let twin = camera.to_screen(rect, pos2(x as f32, y as f32));
        circle(painter, twin, size, 0.5);
    }
}

/// What strokes may paint over, beside the ring: a forgotten target looks like a broken brush.
fn target(painter: &Painter, at: Pos2, cx: &Context) {
    let settings = &cx.document.painter.settings;
    if settings.layer != Layer::Mask || settings.target == Target::Everything {
        return;
    }
    let font = egui::FontId::proportional(11.0);
    let galley = painter.layout_no_wrap(settings.target.title(), font, LIGHT);
    let at = at - vec2(galley.size().x / 2.0, 0.0);
    let ground = Rect::from_min_size(at, galley.size()).expand2(vec2(4.0, 1.0));
    painter.rect_filled(ground, 3.0, DARK);
    painter.galley(at, galley, LIGHT);
}

fn circle(painter: &Painter, at: Pos2, radius: f32, strength: f32) {
    painter.circle_stroke(
        at,
        radius + 1.0,
        Stroke::new(1.2, DARK.gamma_multiply(strength)),
    );
    painter.circle_stroke(at, radius, Stroke::new(1.2, LIGHT.gamma_multiply(strength)));
}
