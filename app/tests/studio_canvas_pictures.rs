//! What the canvas looks like, drawn by a GPU or what stands in for one.

#[path = "common/studio.rs"]
mod common;

use egui::{Event, Pos2, pos2, vec2};
use egui_kittest::Harness;
use mmface::studio::StudioApp;
use mmface::studio::canvas::Look;
use mmface_engine::picture::RgbImage;

type Studio = Harness<'static, StudioApp>;

/// Where a canvas pixel is on screen.
fn at(harness: &Studio, x: f32, y: f32) -> Pos2 {
    let canvas = &harness.state().studio.canvas;
    canvas.camera.to_screen(canvas.rect, pos2(x, y))
}

/// A studio with a GPU, or what stands in for one.
fn drawn(home: &std::path::Path, size: egui::Vec2) -> Studio {
    let options = mmface::studio::testing::options(home, Default::default());
    let mut harness = Harness::builder()
        .with_size(size)
        .with_pixels_per_point(1.0)
        .with_max_steps(60)
        .wgpu()
        .build_eframe(|cc| StudioApp::new(cc, options));
    harness.step();
    harness
}

fn template(name: &str) -> mmface_engine::condition::LabelImage {
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
    studio.settings.show_right = false;
    studio.settings.show_filmstrip = false;
    studio.settings.look = mmface::studio::settings::Look::Dark;
    let mask = template("bob-fringe");
    studio
        .painter
        .edit("Template", |drawing| drawing.set_mask(&mask));
    studio.painter.settings.mirror.on = true;
    studio.emit(mmface::studio::settings::SettingsCommand::Look(
        mmface::studio::settings::Look::Dark,
    ));
    harness.run();
    harness.snapshot_options("canvas_mask", &options());
}

#[test]
fn picture_of_a_result_under_the_mask() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = drawn(home.path(), vec2(760.0, 520.0));
    let ctx = harness.ctx.clone();
    let studio = &mut harness.state_mut().studio;
    studio.settings.show_right = false;
    studio.settings.show_filmstrip = false;
    studio.settings.hatch = true;
    studio.emit(mmface::studio::settings::SettingsCommand::Look(
        mmface::studio::settings::Look::Light,
    ));
    let mask = template("glasses");
    studio
        .painter
        .edit("Template", |drawing| drawing.set_mask(&mask));
    let mut image = RgbImage::filled(256, 256, [0; 3]);
    for (i, pixel) in image.pixels.chunks_exact_mut(3).enumerate() {
        pixel.copy_from_slice(&[(i % 256) as u8, (i / 256) as u8, 120]);
    }
    studio.canvas.show_picture(&ctx, &image);
    studio.canvas.look = Look::Overlay;
    harness.run();
    harness.snapshot_options("canvas_overlay", &options());
}

#[test]
#[ignore = "measures; run by hand on a quiet machine"]
fn slow_a_stroke_at_1024_costs_less_than_a_frame() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = drawn(home.path(), vec2(1280.0, 800.0));
    let mask = template("long-waves");
    let studio = &mut harness.state_mut().studio;
    studio.painter.resize(1024);
    studio
        .painter
        .edit("Template", |drawing| drawing.set_mask(&mask));
    studio.painter.settings.set_radius(24.0);
    harness.run();
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
    let read =
        |value: &std::sync::atomic::AtomicU64| value.load(std::sync::atomic::Ordering::Relaxed);
    let (micros, frames) = (read(&cost.micros), read(&cost.frames));
    let mut logic = Vec::new();
    for frame in 0..120 {
        for i in 0..4 {
            let place = place(&harness, frame * 4 + i);
            harness.event(Event::PointerMoved(place));
        }
        let start = std::time::Instant::now();
        harness.step();
        logic.push(start.elapsed().as_secs_f64() * 1e3);
        if frame % 10 == 0 {
            harness.render().expect("draws");
        }
    }
    logic.sort_by(f64::total_cmp);
    let frames = read(&cost.frames) - frames;
    let prepare = (read(&cost.micros) - micros) as f64 / frames.max(1) as f64 / 1e3;
    let (median, late) = (logic[logic.len() / 2], logic[logic.len() * 95 / 100]);
    eprintln!(
        "1024², radius 24: UI logic {median:.2} ms a frame (95 %: {late:.2}), prepare {prepare:.2} ms (ten frames' tiles each)"
    );
    assert!(median + prepare < 8.0);
}
