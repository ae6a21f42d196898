//! The real studio in a test harness, with a fake engine behind it.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::expect_used, reason = "tests")]

use std::time::{Duration, Instant};

use egui::{Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::studio::testing::{FakeBackend, options};
use mmface::studio::{Options, StudioApp};
use mmface_engine::contract::ModelSummary;
use mmface_engine::job::{Draw, Job};
use mmface_engine::provenance::Recipe;

/// A studio of 1280 × 800 points without a GPU, its folders in `home`.
pub(crate) fn studio(home: &std::path::Path) -> Harness<'static, StudioApp> {
    studio_with(options(home, FakeBackend::default()))
}

/// A studio with other services.
pub(crate) fn studio_with(options: Options) -> Harness<'static, StudioApp> {
    let mut harness = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_pixels_per_point(1.0)
        .with_max_steps(60)
        .build_eframe(|cc| StudioApp::new(cc, options));
    harness.step();
    harness
}

/// A studio with a GPU, or what stands in for one.
pub(crate) fn drawn(options: Options, size: egui::Vec2) -> Harness<'static, StudioApp> {
    let mut harness = Harness::builder()
        .with_size(size)
        .with_pixels_per_point(1.0)
        .with_max_steps(60)
        .wgpu()
        .build_eframe(|cc| StudioApp::new(cc, options));
    harness.step();
    harness
}

/// A job for a small picture.
pub(crate) fn job(prompt: &str, seed: u64) -> Job {
    Job {
        draw: Draw {
            prompt: prompt.into(),
            seed,
            size: 64,
            ..Draw::default()
        },
        ..Job::default()
    }
}

/// The recipe of a picture that the fake engine drew.
pub(crate) fn recipe(job: Job) -> Recipe {
    let model = ModelSummary {
        name: "fake".into(),
        sha256: "0".repeat(64),
        ..ModelSummary::default()
    };
    Recipe::new(job, &model)
}

/// How long a test waits before it fails: a loaded machine with a software driver is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// Steps until the studio is in some state; fails when it does not get there.
pub(crate) fn wait_for(
    harness: &mut Harness<'_, StudioApp>,
    what: &str,
    holds: impl Fn(&StudioApp) -> bool,
) {
    wait_until(harness, what, |harness| holds(harness.state()));
}

/// Steps until something holds that the window shows; fails when it never does.
pub(crate) fn wait_until(
    harness: &mut Harness<'_, StudioApp>,
    what: &str,
    holds: impl Fn(&Harness<'_, StudioApp>) -> bool,
) {
    let end = Instant::now() + PATIENCE;
    while !holds(harness) {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
        harness.step();
    }
}

/// Drags the primary button along points.
pub(crate) fn drag(harness: &mut Harness<'_, StudioApp>, points: &[Pos2]) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return;
    };
    harness.hover_at(*first);
    harness.step();
    harness.drag_at(*first);
    harness.step();
    for point in points {
        harness.hover_at(*point);
        harness.step();
    }
    harness.drop_at(*last);
    harness.step();
}

/// Scrolls to a widget, as a person would, and clicks it.
pub(crate) fn click(harness: &mut Harness<'_, StudioApp>, label: &str) {
    harness
        .get_all_by_label(label)
        .next()
        .expect("a widget of this name")
        .scroll_to_me();
    harness.run_steps(10);
    harness
        .get_all_by_label(label)
        .next()
        .expect("a widget of this name")
        .click();
    harness.run_steps(2);
}

/// A file that falls onto the window.
#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

/// Lets a file fall onto the window.
pub(crate) fn let_fall(harness: &mut Harness<'_, StudioApp>, path: &std::path::Path) {
    let file = std::sync::Arc::new(Dropped(path.into()));
    harness.input_mut().dropped_files.push(file);
    harness.step();
}

/// Steps until no work runs beside the GUI thread.
pub(crate) fn settle(harness: &mut Harness<'_, StudioApp>) {
    wait_for(harness, "background work to end", |app| {
        app.studio.context.services.tasks.running().next().is_none()
    });
    harness.run_steps(3);
}

/// Whether a person was told this.
pub(crate) fn told(harness: &Harness<'_, StudioApp>, part: &str) -> bool {
    let log = &harness.state().studio.context.toasts.log;
    log.iter().any(|toast| toast.text().contains(part))
}
