//! A hand on the canvas of the real studio.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::expect_used, reason = "tests")]

use egui::{Event, Modifiers, PointerButton, Pos2, pos2};
use egui_kittest::Harness;
use mmface::studio::StudioApp;

use super::common::drag;

pub(crate) type Studio = Harness<'static, StudioApp>;

/// Where a canvas pixel is on screen.
pub(crate) fn at(harness: &Studio, x: f32, y: f32) -> Pos2 {
    let canvas = &harness.state().studio.canvas;
    canvas.camera.to_screen(canvas.rect, pos2(x, y))
}

pub(crate) fn class_of(harness: &Studio, x: f32, y: f32) -> u8 {
    let class = harness
        .state()
        .studio
        .context
        .document
        .painter
        .class_at(x, y);
    class.expect("a place on the canvas")
}

/// Drags along canvas points.
pub(crate) fn paint(harness: &mut Studio, points: &[(f32, f32)]) {
    let points: Vec<Pos2> = points.iter().map(|&(x, y)| at(harness, x, y)).collect();
    drag(harness, &points);
}

pub(crate) fn button(
    pos: Pos2,
    button: PointerButton,
    pressed: bool,
    modifiers: Modifiers,
) -> Event {
    Event::PointerButton {
        pos,
        button,
        pressed,
        modifiers,
    }
}

/// Drags another button, or with modifiers.
pub(crate) fn drag_with(
    harness: &mut Studio,
    which: PointerButton,
    modifiers: Modifiers,
    points: &[(f32, f32)],
) {
    let points: Vec<Pos2> = points.iter().map(|&(x, y)| at(harness, x, y)).collect();
    let (first, last) = (points[0], points[points.len() - 1]);
    harness.event(Event::PointerMoved(first));
    harness.step();
    harness.event_modifiers(button(first, which, true, modifiers), modifiers);
    harness.step();
    for &point in &points {
        harness.event_modifiers(Event::PointerMoved(point), modifiers);
        harness.step();
    }
    harness.event_modifiers(button(last, which, false, modifiers), modifiers);
    harness.step();
}
