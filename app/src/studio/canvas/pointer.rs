//! Mouse, pen and fingers on the canvas.
//!
//! Every event of a frame counts, not only the last place of the pointer: a fast hand must not get
//! corners.

use egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, Response, Ui};

use super::State;
use super::{CanvasCommand, Look};
use crate::paint::{Button, DoubleClick, Radii, Sample};
use crate::studio::command::ToolsCommand;
use crate::studio::context::Context;

/// What the pressed pointer does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Gesture {
    #[default]
    None,
    /// The painter's.
    Stroke,
    Pan,
    Turn,
    /// Changes the size of the tool about the place where it began; a click picks a class.
    Resize {
        began: Pos2,
        radius: f32,
        moved: bool,
    },
    /// Moves the line between drawing and picture.
    Split,
    /// Moves the mirror's axis.
    Axis,
    /// Tilts it.
    Tilt,
}

/// The pointer between frames.
#[derive(Debug, Default)]
pub(super) struct Pointer {
    gesture: Gesture,
    button: Option<PointerButton>,
    last: Pos2,
    /// When the gesture and the last frame were, seconds.
    began: f64,
    frame: f64,
    force: Option<f32>,
}

/// How near a press must be to a handle, points.
const REACH: f32 = 9.0;
/// A pointer that moved less was clicked, points.
const CLICK: f32 = 3.0;

impl Pointer {
    pub(super) fn in_gesture(&self) -> bool {
        self.gesture != Gesture::None
    }

    pub(super) fn is_stroke(&self) -> bool {
        self.gesture == Gesture::Stroke
    }

    pub(super) fn is_pan(&self) -> bool {
        self.gesture == Gesture::Pan
    }

    /// The size of the tool before it was changed by the gesture at hand.
    pub(super) fn radius_before(&self) -> Option<f32> {
        match self.gesture {
            Gesture::Resize {
                radius,
                moved: true,
                ..
            } => Some(radius),
            _ => None,
        }
    }

    /// Where the ring stays while the size changes.
    pub(super) fn resizing_at(&self) -> Option<Pos2> {
        match self.gesture {
            Gesture::Resize { began, .. } => Some(began),
            _ => None,
        }
    }
}

/// Keys that are held.
#[derive(Clone, Copy)]
struct Held {
    space: bool,
    turn: bool,
    modifiers: Modifiers,
}

/// Takes in what happened on the canvas since the last frame.
pub(super) fn take(ui: &Ui, response: &Response, rect: Rect, state: &mut State, cx: &mut Context) {
    let ctx = ui.ctx().clone();
    let typing = ctx.text_edit_focused();
    let (events, now, held) = ui.input(|i| {
        let held = Held {
            space: i.key_down(Key::Space) && !typing,
            turn: i.key_down(Key::R) && !typing,
            modifiers: i.modifiers,
        };
        (i.events.clone(), i.time, held)
    });
    let settings = &mut cx.document.painter.settings;
    settings.reach = REACH / state.camera.zoom;
    settings.constrain = held.modifiers.shift;
    settings.from_centre = held.modifiers.alt;
    settings.pressure = cx.settings.pressure;
    keys(ui, typing, state, cx);
    if fingers(ui, response, rect, state, cx) {
        return;
    }
    // A press and its release can come in one frame, with a whole stroke between them: egui then
    // knows of no drag, but nothing may lie over the canvas where the press was.
    let layer = response.layer_id;
    let ended = events
        .iter()
        .any(|event| matches!(event, Event::PointerButton { pressed: false, .. }));
    let held_down = response.is_pointer_button_down_on();
    let ours = |pos: Pos2| held_down || ended && ctx.layer_id_at(pos) == Some(layer);
    let empty = state.empty;
    let moves = events
        .iter()
        .filter(|e| matches!(e, Event::PointerMoved(_)));
    let moves = moves.count().max(1) as f64;
    let since = state.pointer.frame.max(now - 0.1);
    let mut moved = 0.0;
    for event in &events {
        match *event {
            Event::Touch { force, .. } => state.pointer.force = force,
            Event::PointerButton {
                pos,
                button,
                pressed: true,
                modifiers,
            } if rect.contains(pos)
                && (ours(pos) || button == PointerButton::Middle && empty.covers(pos))
                && !state.pointer.in_gesture() =>
            {
                let held = Held { modifiers, ..held };
                press(&ctx, rect, state, cx, pos, button, held, now);
            }
            Event::PointerMoved(pos) => {
                moved += 1.0;
                follow(rect, state, cx, pos, since + (now - since) * moved / moves);
            }
            Event::PointerButton {
                button,
                pressed: false,
                ..
            } if state.pointer.button == Some(button) => release(rect, state, cx),
            Event::PointerGone => release(rect, state, cx),
            _ => {}
        }
    }
    state.pointer.frame = now;
    if response.double_clicked() {
        double_click(response, rect, state, cx);
    }
    if let Some(notice) = cx.document.painter.take_notice() {
        cx.tell(crate::studio::toast::Toast::Info(notice));
    }
    wheel(ui, response, rect, state);
}

/// Closes a polygon; with the brush, fills the contour that is around the place, if there is one.
fn double_click(response: &Response, rect: Rect, state: &mut State, cx: &mut Context) {
    let settings = &cx.document.painter.settings;
    let tool = settings.tool;
    match tool.info().double_click {
        DoubleClick::Confirm => cx.document.painter.confirm(),
        DoubleClick::FillContour if tool.works_on(settings.layer) => {
            if let Some(at) = response.interact_pointer_pos() {
                let place = state.camera.to_canvas(rect, at);
                if !cx.document.painter.fill_contour(place.x, place.y) {
                    // Two quick dabs are no question: nothing is said of it.
                    cx.document.painter.take_notice();
                }
            }
        }
        DoubleClick::FillContour | DoubleClick::Nothing => {}
    }
}

/// Escape and Enter, which act while something is unfinished.
fn keys(ui: &Ui, typing: bool, state: &mut State, cx: &mut Context) {
    let unfinished = cx.document.painter.busy() || state.pointer.in_gesture();
    if typing || !unfinished {
        return;
    }
    let (escape, enter) = ui.input_mut(|i| {
        let mut hit = |key| i.consume_key(Modifiers::NONE, key);
        (hit(Key::Escape), hit(Key::Enter))
    });
    if escape {
        super::handle(state, CanvasCommand::Abort, cx);
    } else if enter {
        super::handle(state, CanvasCommand::Confirm, cx);
    }
}

/// Two fingers zoom, turn and pan; what the first finger began is taken back.
fn fingers(ui: &Ui, response: &Response, rect: Rect, state: &mut State, cx: &mut Context) -> bool {
    let Some(touch) = ui.input(|i| i.multi_touch()) else {
        return false;
    };
    if !response.contains_pointer() && !state.pointer.in_gesture() {
        return false;
    }
    if state.pointer.is_stroke() {
        cx.document.painter.abort();
    }
    state.pointer = Pointer::default();
    let camera = &mut state.camera;
    camera.pan(touch.translation_delta);
    camera.zoom_at(rect, touch.center_pos, touch.zoom_delta);
    camera.rotate_at(rect, touch.center_pos, touch.rotation_delta);
    true
}

fn wheel(ui: &Ui, response: &Response, rect: Rect, state: &mut State) {
    let covered = ui.input(|i| i.pointer.hover_pos());
    let covered = covered.filter(|at| state.empty.covers(*at));
    let Some(at) = response.hover_pos().or(covered) else {
        return;
    };
    let (scroll, pinch) = ui.input(|i| (i.smooth_scroll_delta().y, i.zoom_delta()));
    let factor = (scroll / 200.0).exp() * pinch;
    if factor != 1.0 {
        state.camera.zoom_at(rect, at, factor);
    }
}

fn press(
    ctx: &egui::Context,
    rect: Rect,
    state: &mut State,
    cx: &mut Context,
    at: Pos2,
    button: PointerButton,
    held: Held,
    now: f64,
) {
    // A button that has the keyboard would take Space, Enter and the arrows.
    ctx.memory_mut(|memory| {
        if let Some(focused) = memory.focused() {
            memory.surrender_focus(focused);
        }
    });
    let gesture = match button {
        PointerButton::Middle => Gesture::Pan,
        PointerButton::Primary if held.space => Gesture::Pan,
        PointerButton::Primary if held.turn => Gesture::Turn,
        PointerButton::Primary if held.modifiers.alt && !cx.document.painter.busy() => {
            Gesture::Resize {
                began: at,
                radius: cx.document.painter.settings.radius().unwrap_or(0.0),
                moved: false,
            }
        }
        PointerButton::Primary if !cx.document.painter.busy() => {
            handle(rect, state, cx, at).unwrap_or(Gesture::Stroke)
        }
        PointerButton::Primary | PointerButton::Secondary => Gesture::Stroke,
        _ => return,
    };
    let pointer = &mut state.pointer;
    pointer.gesture = gesture;
    pointer.button = Some(button);
    pointer.last = at;
    pointer.began = now;
    if gesture == Gesture::Stroke {
        if cx.document.look == Look::Picture && state.has_picture() {
            // What is painted has to be seen.
            cx.document.look = Look::Overlay;
        }
        let sample = sample(rect, state, at, now);
        let button = match button {
            PointerButton::Secondary => Button::Secondary,
            _ => Button::Primary,
        };
        let before = cx.document.painter.settings.class;
        cx.document.painter.press(sample, button);
        picked(cx, before);
    }
}

/// The handle of the view at a place, if there is one.
fn handle(rect: Rect, state: &State, cx: &Context, at: Pos2) -> Option<Gesture> {
    let canvas = state;
    let side = cx.document.painter.drawing().side() as f32;
    if cx.document.look == Look::Split && canvas.has_picture() {
        let place = canvas.camera.to_canvas(rect, at);
        let away = (place.x - canvas.split * side).abs() * canvas.camera.zoom;
        if away <= REACH && (0.0..=side).contains(&place.y) {
            return Some(Gesture::Split);
        }
    }
    if super::overlay::shows_axis(state, cx) {
        let [top, bottom] = super::overlay::axis_handles(rect, state, cx);
        if top.distance(at) <= REACH + 2.0 {
            return Some(Gesture::Axis);
        }
        if bottom.distance(at) <= REACH + 2.0 {
            return Some(Gesture::Tilt);
        }
    }
    None
}

fn follow(rect: Rect, state: &mut State, cx: &mut Context, at: Pos2, time: f64) {
    let last = state.pointer.last;
    let side = cx.document.painter.drawing().side() as f32;
    let camera = &mut state.camera;
    let place = camera.to_canvas(rect, at);
    match &mut state.pointer.gesture {
        Gesture::None => {
            if cx.document.painter.busy() {
                let sample = sample(rect, state, at, time);
                cx.document.painter.hover(sample);
            }
        }
        Gesture::Stroke => {
            let sample = sample(rect, state, at, time);
            let before = cx.document.painter.settings.class;
            cx.document.painter.drag(sample);
            picked(cx, before);
        }
        Gesture::Pan => camera.pan(at - last),
        Gesture::Turn => {
            let centre = rect.center();
            let by = (at - centre).angle() - (last - centre).angle();
            camera.rotate_at(rect, centre, by);
        }
        Gesture::Resize {
            began,
            radius,
            moved,
        } => {
            *moved |= began.distance(at) > CLICK;
            if *moved {
                let size = *radius + (at.x - began.x) / camera.zoom;
                let size = size.clamp(Radii::MIN, Radii::MAX);
                cx.document.painter.settings.set_radius(size);
            }
        }
        Gesture::Split => state.split = (place.x / side).clamp(0.0, 1.0),
        Gesture::Axis => {
            let mirror = &mut cx.document.painter.settings.mirror;
            // The hand is on the upper end, the position is that at middle height.
            let x = place.x + mirror.tilt.tan() * side / 2.0;
            mirror.x = x.clamp(0.0, side);
        }
        Gesture::Tilt => {
            let mirror = &mut cx.document.painter.settings.mirror;
            let tilt = ((place.x - mirror.x) / (side / 2.0)).atan();
            // Upright is easy to hit.
            mirror.tilt = if tilt.abs() < 0.02 { 0.0 } else { tilt };
        }
    }
    state.pointer.last = at;
}

fn release(rect: Rect, state: &mut State, cx: &mut Context) {
    let pointer = &mut state.pointer;
    let gesture = std::mem::take(&mut pointer.gesture);
    pointer.button = None;
    pointer.force = None;
    match gesture {
        Gesture::Stroke => cx.document.painter.release(),
        Gesture::Resize {
            began,
            moved: false,
            ..
        } => {
            let place = state.camera.to_canvas(rect, began);
            if let Some(class) = cx.document.painter.class_at(place.x, place.y) {
                cx.emit(ToolsCommand::Class(class));
            }
        }
        _ => {}
    }
}

/// Tells the tools of a class that the eyedropper took.
fn picked(cx: &mut Context, before: u8) {
    if cx.document.painter.settings.class != before {
        cx.document.last_class = before;
    }
}

fn sample(rect: Rect, state: &State, at: Pos2, time: f64) -> Sample {
    let place = state.camera.to_canvas(rect, at);
    let seconds = (time - state.pointer.began).max(0.0) as f32;
    match state.pointer.force {
        Some(force) => Sample::pen(place.x, place.y, force, seconds),
        None => Sample::mouse(place.x, place.y, seconds),
    }
}
