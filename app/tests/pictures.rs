//! The pictures of the README, drawn by the real studio with the bundled model:
//! `cargo test -p mmface --test pictures -- --ignored`. With `MMFACE_SCREENS=FOLDER` every screen
//! is drawn there instead, in both looks and three sizes, for a person to look at.

#![allow(clippy::unwrap_used, reason = "a tool in the shape of a test")]

#[path = "common/studio.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui::{Vec2, vec2};
use egui_kittest::Harness;
use mmface::studio::StudioApp;
use mmface::studio::Workspace;
use mmface::studio::command::CanvasCommand;
use mmface::studio::command::Command;
use mmface::studio::command::GenerateCommand;
use mmface::studio::command::PaletteCommand;
use mmface::studio::command::PersistenceCommand;
use mmface::studio::command::ResultsCommand;
use mmface::studio::command::SettingsCommand;
use mmface::studio::command::ShellCommand;
use mmface::studio::command::SweepCommand;
use mmface::studio::command::ToolsCommand;
use mmface::studio::document::Look as View;
use mmface::studio::settings::Look;
use mmface::studio::testing::{FakeBackend, options};

type Studio = Harness<'static, StudioApp>;

/// The real engine and a GPU, or what stands in for one.
fn open(home: &Path, size: Vec2, look: Look) -> Studio {
    let mut options = options(home, FakeBackend::default());
    options.engine = None;
    let mut harness = common::drawn(options, size);
    act(&mut harness, SettingsCommand::Look(look));
    wait(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    harness
}

fn act(harness: &mut Studio, command: impl Into<Command>) {
    harness.state_mut().studio.emit(command.into());
    harness.run_steps(3);
}

fn wait(harness: &mut Studio, what: &str, holds: impl Fn(&StudioApp) -> bool) {
    let end = Instant::now() + Duration::from_secs(300);
    while !holds(harness.state()) {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
    settle(harness);
}

/// Until thumbnails have arrived and everything has faded in.
fn settle(harness: &mut Studio) {
    for _ in 0..40 {
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
}

/// Opens a template with its prompt.
fn template(harness: &mut Studio, name: &str) {
    act(harness, ToolsCommand::Template(name.into()));
    wait(harness, "the template", |app| {
        !app.studio.context.document.request.draw.prompt.is_empty()
    });
}

fn generate(harness: &mut Studio, seed: u64) {
    let studio = &mut harness.state_mut().studio;
    (
        studio.context.document.request.draw.seed,
        studio.context.document.request.seed_locked,
    ) = (seed, true);
    act(harness, GenerateCommand::Start);
    wait(harness, "the picture", |app| {
        app.studio.context.document.works.queue.is_empty()
    });
}

fn save(harness: &mut Studio, path: &Path) {
    settle(harness);
    harness.render().unwrap().save(path).unwrap();
    eprintln!("{}", path.display());
}

#[test]
#[ignore = "writes the pictures of the README"]
fn slow_pictures_of_the_readme() {
    if std::env::var_os("MMFACE_SCREENS").is_some() {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/pictures");
    let home = tempfile::tempdir().unwrap();
    let mut harness = open(home.path(), vec2(1280.0, 800.0), Look::Dark);
    for (name, seed) in [("short-crop", 11), ("bob-fringe", 3), ("long-waves", 7)] {
        template(&mut harness, name);
        generate(&mut harness, seed);
    }
    act(&mut harness, CanvasCommand::Look(View::Split));
    save(&mut harness, &folder.join("studio.png"));

    let prompt = "a [smiling|serious] woman with [blonde|brown|black] hair";
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .prompt = prompt.into();
    act(&mut harness, SweepCommand::Start);
    wait(&mut harness, "the sweep", |app| {
        let run = app.studio.sweep.run.as_ref();
        run.is_some_and(|run| !run.is_busy())
    });
    save(&mut harness, &folder.join("sweep.png"));
}

#[test]
#[ignore = "draws every screen for a person to look at"]
fn slow_every_screen_in_both_looks() {
    let Some(folder) = std::env::var_os("MMFACE_SCREENS").map(PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    for (size, name) in [
        (vec2(1280.0, 720.0), "720"),
        (vec2(1280.0, 800.0), "800"),
        (vec2(1920.0, 1080.0), "1080"),
    ] {
        for (look, look_name) in [(Look::Dark, "dark"), (Look::Light, "light")] {
            let home = tempfile::tempdir().unwrap();
            let mut harness = open(home.path(), size, look);
            let shot = |harness: &mut Studio, screen: &str| {
                save(
                    harness,
                    &folder.join(format!("{screen}-{name}-{look_name}.png")),
                );
            };
            shot(&mut harness, "01-empty");
            act(&mut harness, ToolsCommand::ToggleTemplates);
            shot(&mut harness, "02-templates");
            template(&mut harness, "long-waves");
            act(&mut harness, PaletteCommand::Toggle);
            shot(&mut harness, "03-palette");
            act(&mut harness, PaletteCommand::Toggle);
            for seed in [7, 8] {
                generate(&mut harness, seed);
            }
            act(&mut harness, CanvasCommand::Look(View::Overlay));
            shot(&mut harness, "04-results");
            act(&mut harness, ResultsCommand::Compare);
            shot(&mut harness, "05-compare");
            act(&mut harness, ResultsCommand::Compare);
            act(&mut harness, ResultsCommand::Steps);
            shot(&mut harness, "06-steps");
            act(&mut harness, ResultsCommand::Steps);
            act(&mut harness, ResultsCommand::About);
            shot(&mut harness, "07-about");
            act(&mut harness, ResultsCommand::About);
            act(&mut harness, ResultsCommand::Export);
            shot(&mut harness, "08-export");
            act(&mut harness, ResultsCommand::Export);
            let request = &mut harness.state_mut().studio.context.document.request;
            request.draw.prompt = "a woman with [blonde|black] hair, [smiling|serious]".into();
            act(&mut harness, SweepCommand::Start);
            wait(&mut harness, "the sweep", |app| {
                let run = app.studio.sweep.run.as_ref();
                run.is_some_and(|run| !run.is_busy())
            });
            shot(&mut harness, "09-sweep");
            act(&mut harness, SweepCommand::Show);
            act(&mut harness, SettingsCommand::Toggle);
            shot(&mut harness, "10-settings");
            act(&mut harness, SettingsCommand::Toggle);
            for (workspace, screen) in [
                (Workspace::Models, "11-models"),
                (Workspace::Trainer, "12-trainer"),
            ] {
                act(&mut harness, ShellCommand::Show(workspace));
                shot(&mut harness, screen);
            }
            act(&mut harness, ShellCommand::Show(Workspace::Studio));
            act(&mut harness, PersistenceCommand::New);
            shot(&mut harness, "13-new-asks");
        }
    }
}
