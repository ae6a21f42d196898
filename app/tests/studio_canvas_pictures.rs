//! What the canvas looks like, drawn by a GPU or what stands in for one.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::sync::Arc;

use common::wait_for;
use egui::{Event, Pos2, pos2, vec2};
use egui_kittest::Harness;
use mmface::studio::StudioApp;
use mmface::studio::command::CanvasCommand;
use mmface::studio::document::Look;
use mmface_engine::picture::RgbImage;

type Studio = Harness<'static, StudioApp>;

/// Where a canvas pixel is on screen.
fn at(harness: &Studio, x: f32, y: f32) -> Pos2 {
    let canvas = &harness.state().studio.canvas;
    canvas.camera.to_screen(canvas.rect, pos2(x, y))
}

/// A studio with a GPU, or what stands in for one.
fn drawn(home: &std::path::Path, size: egui::Vec2) -> Studio {
    common::drawn(
        mmface::studio::testing::options(home, Default::default()),
        size,
    )
}

fn template(name: &str) -> mmface_engine::labels::LabelImage {
    let templates = mmface::assets::Templates::load().expect("templates");
    let template = templates.find(Some(name)).expect("a template");
    mmface_engine::condition::read_mask(&templates.path(template))
        .expect("a mask")
        .0
}

/// Borders of glyphs and lines may differ between renderers.
fn options() -> egui_kittest::SnapshotOptions {
    egui_kittest::SnapshotOptions::new()
        .threshold(1.0)
        .max_failed_pixels(60)
}

#[test]
fn picture_of_a_face_with_the_mirror_on() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = drawn(home.path(), vec2(760.0, 520.0));
    let studio = &mut harness.state_mut().studio;
    studio.context.settings.show_right = false;
    studio.context.settings.show_filmstrip = false;
    studio.context.settings.look = mmface::studio::settings::Look::Dark;
    let mask = template("bob-fringe");
    studio
        .context
        .document
        .painter
        .edit("Template", |drawing| drawing.set_mask(&mask));
    studio.context.document.painter.settings.mirror.on = true;
    studio.emit(mmface::studio::command::SettingsCommand::Look(
        mmface::studio::settings::Look::Dark,
    ));
    harness.run();
    harness.snapshot_options("canvas_mask", &options());
}

#[test]
fn picture_of_names_on_classes() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = drawn(home.path(), vec2(760.0, 520.0));
    let studio = &mut harness.state_mut().studio;
    studio.context.settings.show_left = false;
    studio.context.settings.show_right = false;
    studio.context.settings.show_filmstrip = false;
    studio.context.settings.hatch = true;
    studio.context.settings.class_names = true;
    studio.emit(mmface::studio::command::SettingsCommand::Look(
        mmface::studio::settings::Look::Dark,
    ));
    let mask = template("glasses");
    studio
        .context
        .document
        .painter
        .edit("Template", |drawing| drawing.set_mask(&mask));
    harness.step();
    common::settle(&mut harness);
    harness.run();
    harness.snapshot_options("canvas_names", &options());
}

#[test]
fn picture_of_a_result_under_the_mask() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = drawn(home.path(), vec2(760.0, 520.0));
    let studio = &mut harness.state_mut().studio;
    studio.context.settings.show_right = false;
    studio.context.settings.show_filmstrip = false;
    studio.context.settings.hatch = true;
    studio.emit(mmface::studio::command::SettingsCommand::Look(
        mmface::studio::settings::Look::Light,
    ));
    let mask = template("glasses");
    studio
        .context
        .document
        .painter
        .edit("Template", |drawing| drawing.set_mask(&mask));
    let mut image = RgbImage::filled(256, 256, [0; 3]);
    for (i, pixel) in image.pixels.chunks_exact_mut(3).enumerate() {
        pixel.copy_from_slice(&[(i % 256) as u8, (i / 256) as u8, 120]);
    }
    studio.emit(CanvasCommand::ShowPicture(Arc::new(image.clone())));
    studio.context.document.look = Look::Overlay;
    harness.run();
    harness.snapshot_options("canvas_overlay", &options());
}

/// Milliseconds that this thread has computed.
#[cfg(target_os = "linux")]
fn computed() -> f64 {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says it");
    let nanos: f64 = spent
        .split(' ')
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .expect("a number");
    nanos / 1e6
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "measures; run by hand on a quiet machine"]
fn slow_a_stroke_at_1024_costs_less_than_a_frame_while_a_picture_is_drawn() {
    use std::sync::atomic::{AtomicU64, Ordering};

    let home = tempfile::tempdir().expect("a folder");
    let mut options = mmface::studio::testing::options(home.path(), Default::default());
    options.engine = None;
    let mut harness = common::drawn(options, vec2(1280.0, 800.0));
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    let mask = template("long-waves");
    let studio = &mut harness.state_mut().studio;
    studio.context.document.painter.resize(1024);
    studio
        .context
        .document
        .painter
        .edit("Template", |drawing| drawing.set_mask(&mask));
    studio.context.document.painter.settings.set_radius(24.0);
    studio.context.document.request.draw.steps = 400;
    studio.emit(mmface::studio::command::GenerateCommand::Start);
    wait_for(&mut harness, "the first steps", |app| {
        let running = app.studio.generate.running.as_ref();
        running.is_some_and(|running| running.step.0 > 2)
    });
    harness.render().expect("draws");
    let place = |harness: &Studio, i: usize| {
        let turn = i as f32 * 0.02;
        let radius = 60.0 + i as f32 * 0.35;
        let (sin, cos) = turn.sin_cos();
        at(harness, 512.0 + radius * cos, 512.0 + radius * sin)
    };
    let first = place(&harness, 0);
    harness.hover_at(first);
    harness.step();
    harness.drag_at(first);
    harness.step();
    let cost = harness.state().studio.canvas.cost.clone();
    let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
    let (micros, frames) = (read(&cost.micros), read(&cost.frames));
    let mut logic = Vec::new();
    for frame in 0..120 {
        for i in 0..4 {
            let place = place(&harness, frame * 4 + i);
            harness.event(Event::PointerMoved(place));
        }
        let start = computed();
        harness.step();
        logic.push(computed() - start);
        if frame % 10 == 0 {
            harness.render().expect("draws");
        }
    }
    let running = harness.state().studio.generate.running.is_some();
    logic.sort_by(f64::total_cmp);
    let frames = read(&cost.frames) - frames;
    let prepare = (read(&cost.micros) - micros) as f64 / frames.max(1) as f64 / 1e3;
    let (median, late) = (logic[logic.len() / 2], logic[logic.len() * 95 / 100]);
    eprintln!(
        "1024², radius 24, a picture being drawn: UI logic {median:.2} ms of CPU a frame (95 %: {late:.2}), prepare {prepare:.2} ms by the clock (ten frames' tiles each)"
    );
    assert!(running, "the picture must take longer than the stroke");
    assert!(median + prepare < 8.0);
}
