//! The settings window: what computes, what is kept, which keys.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::path::Path;
use std::time::Duration;

use common::{click, settle, studio, studio_with, told, wait_for};
use egui::{Event, Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::studio::command::GenerateCommand;
use mmface::studio::command::SettingsCommand;
use mmface::studio::document::Request;
use mmface::studio::settings::{EngineSettings, Processor};
use mmface::studio::testing::{FakeBackend, options};
use mmface::studio::{StudioApp, Workspace};
use mmface_engine::job::{ConditionKind, Draw};

type Studio = Harness<'static, StudioApp>;

/// A studio with a model and with open settings, high enough to show all of them.
fn open(home: &Path, step: u64) -> Studio {
    let backend = FakeBackend {
        step: Duration::from_millis(step),
        ..FakeBackend::default()
    };
    let mut harness = studio_with(options(home, backend));
    harness.set_size(egui::vec2(1280.0, 1600.0));
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    harness.state_mut().studio.emit_action("settings.show");
    settle(&mut harness);
    harness
}

fn device(app: &StudioApp) -> Option<&str> {
    app.studio
        .context
        .facts
        .model
        .ready()
        .map(|model| model.device.as_str())
}

fn choose(harness: &mut Studio, wanted: EngineSettings) {
    harness
        .state_mut()
        .studio
        .emit(SettingsCommand::Engine(wanted));
    harness.step();
    settle(harness);
}

#[test]
fn another_processor_takes_over_and_the_queue_stays() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = open(home.path(), 15);
    harness.get_by_label_contains("At work on nowhere");
    harness.state_mut().studio.context.document.request = Request {
        follow: ConditionKind::None,
        draw: Draw {
            size: 64,
            ..Draw::default()
        },
        ..Request::default()
    };
    for prompt in ["a queen", "a king", "a page"] {
        harness
            .state_mut()
            .studio
            .context
            .document
            .request
            .draw
            .prompt = prompt.into();
        harness.state_mut().studio.emit(GenerateCommand::Start);
        harness.step();
    }
    wait_for(&mut harness, "the first steps", |app| {
        let running = app.studio.generate.running.as_ref();
        running.is_some_and(|running| running.step.0 > 1)
    });
    harness.get_by_label("Computes on").click();
    harness.run_steps(3);
    click(&mut harness, "CPU");
    wait_for(&mut harness, "the other engine", |app| {
        device(app) == Some("cpu")
    });
    assert_eq!(
        harness.state().studio.context.settings.processor,
        Processor::Cpu
    );
    harness.run_steps(2);
    harness.get_by_label_contains("At work on cpu: as chosen");
    wait_for(&mut harness, "all pictures", |app| {
        let state = &app.studio.generate;
        let works = &app.studio.context.document.works;
        state.running.is_none() && works.queue.jobs().is_empty() && state.saver.unsaved() == 0
    });
    settle(&mut harness);
    let entries = &harness.state().studio.results.strip.listing.entries;
    let mut prompts: Vec<&str> = entries
        .iter()
        .map(|e| e.about.draw.prompt.as_str())
        .collect();
    prompts.sort_unstable();
    assert_eq!(prompts, ["a king", "a page", "a queen"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_processor_that_does_not_answer_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = open(home.path(), 1);
    harness.get_by_label_contains("built without CUDA");
    let now = EngineSettings::of(&harness.state().studio.context.settings);
    choose(
        &mut harness,
        EngineSettings {
            processor: Processor::Cuda(1),
            ..now
        },
    );
    assert!(told(&harness, "built without it"));
    assert!(told(&harness, "nothing was changed"));
    let studio = &harness.state().studio;
    assert_eq!(EngineSettings::of(&studio.context.settings), now);
    assert_eq!(device(harness.state()), Some("nowhere"));
}

#[test]
fn a_chosen_card_that_is_gone_leaves_a_model_on_the_cpu() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("config")).unwrap();
    let file = home.path().join("config/settings.ron");
    std::fs::write(&file, "(notice_read: true, processor: Cuda(0))").unwrap();
    let backend = FakeBackend {
        no_card: true,
        ..FakeBackend::default()
    };
    let mut harness = studio_with(options(home.path(), backend));
    harness.set_size(egui::vec2(1280.0, 1600.0));
    wait_for(&mut harness, "the model on the CPU", |app| {
        device(app) == Some("cpu")
    });
    assert!(told(
        &harness,
        "no card; the CPU computes instead, CUDA card 0 is tried again at the next start"
    ));
    harness.state_mut().studio.emit_action("settings.show");
    settle(&mut harness);
    harness.get_by_label_contains("At work on cpu, because no card; CUDA card 0 is tried again");
    // Another number of threads asks no card, and the choice stays.
    let now = EngineSettings::of(&harness.state().studio.context.settings);
    choose(&mut harness, EngineSettings { threads: 1, ..now });
    wait_for(&mut harness, "the model again", |app| {
        device(app) == Some("cpu")
    });
    assert_eq!(
        harness.state().studio.context.settings.processor,
        Processor::Cuda(0)
    );
    let warnings = |harness: &Studio| {
        let log = &harness.state().studio.context.toasts.log;
        log.iter()
            .filter(|toast| toast.text().contains("computes instead"))
            .count()
    };
    assert_eq!(warnings(&harness), 1);
    click(&mut harness, "Try CUDA card 0 again");
    wait_for(&mut harness, "the CPU after a second try", |app| {
        device(app) == Some("cpu")
    });
    assert_eq!(warnings(&harness), 2, "it is asked and told again");
    let studio = &mut harness.state_mut().studio;
    mmface::studio::settings_window::save(&mut studio.settings_window, &mut studio.context);
    settle(&mut harness);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("processor: Cuda(0)"), "{kept}");
}

#[test]
fn kept_steps_have_a_size_a_limit_and_an_end() {
    let home = tempfile::tempdir().unwrap();
    let trails = home.path().join("cache/trails");
    std::fs::create_dir_all(&trails).unwrap();
    for name in ["a", "b"] {
        std::fs::write(trails.join(format!("{name}.trail")), vec![0; 3_000_000]).unwrap();
    }
    std::fs::create_dir_all(home.path().join("results")).unwrap();
    std::fs::write(home.path().join("results/x.png"), vec![0; 2_000_000]).unwrap();
    let mut harness = open(home.path(), 1);
    harness.get_by_label_contains("1 finished pictures take 2.0 MB");
    harness.get_by_label_contains("About 3.0 MB a picture; room for 170 pictures");
    harness.get_by_label_contains("Now 6.0 MB, of 2 pictures");
    let limit = "At most 512.0 MB";
    assert_eq!(harness.query_all_by_value(limit).count().max(1), 1);
    click(&mut harness, "Keep steps of each new picture");
    assert_eq!(harness.state().studio.context.settings.trail_steps, 0);
    click(&mut harness, "Keep steps of each new picture");
    assert_eq!(harness.state().studio.context.settings.trail_steps, 8);
    harness
        .state_mut()
        .studio
        .emit(SettingsCommand::KeepMegabytes(4));
    harness.step();
    settle(&mut harness);
    assert_eq!(
        std::fs::read_dir(&trails).unwrap().count(),
        1,
        "the oldest made room"
    );
    click(&mut harness, "Forget them");
    settle(&mut harness);
    assert_eq!(std::fs::read_dir(&trails).unwrap().count(), 0);
    assert!(home.path().join("results/x.png").exists(), "pictures stay");
}

#[test]
fn a_key_of_two_actions_is_told_and_shown_and_reset() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = open(home.path(), 1);
    let keys = |keys: &[&str]| Some(keys.iter().map(|key| key.to_string()).collect());
    harness
        .state_mut()
        .studio
        .emit(SettingsCommand::Bind("tools.flip", keys(&["B"])));
    harness.run_steps(3);
    assert!(told(&harness, "B is also the key of “Brush”"));
    harness.get_by_label_contains("B is the key of: Brush, Flip the drawing");
    // Without any key there is no conflict.
    harness
        .state_mut()
        .studio
        .emit(SettingsCommand::Bind("tools.flip", keys(&[])));
    harness.run_steps(3);
    assert!(harness.query_by_label_contains("B is the key of").is_none());
    assert!(
        harness
            .state()
            .studio
            .context
            .keymap
            .keys("tools.flip")
            .is_empty()
    );
    click(&mut harness, "Reset all keys");
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .keymap
            .hint("tools.flip")
            .as_deref(),
        Some("Shift+F")
    );
}

/// A key as a layout writes it and where it lies: Z and Y change places in Germany.
fn press(harness: &mut Studio, key: Key, place: Key, modifiers: Modifiers) {
    harness.event_modifiers(
        Event::Key {
            key,
            physical_key: Some(place),
            pressed: true,
            repeat: false,
            modifiers,
        },
        modifiers,
    );
    harness.run_steps(3);
}

#[test]
fn letters_follow_the_layout_or_their_place() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = open(home.path(), 1);
    let paint = |harness: &mut Studio| {
        harness
            .state_mut()
            .studio
            .context
            .document
            .painter
            .edit("Dot", |drawing| {
                drawing.mask.fill_row(3, 3..9, 1);
            });
        harness.run_steps(2);
    };
    paint(&mut harness);
    press(&mut harness, Key::Z, Key::Y, Modifiers::COMMAND);
    assert!(
        !harness.state().studio.context.document.painter.can_undo(),
        "the letter counts"
    );
    click(&mut harness, "Letters follow their place on the keyboard");
    paint(&mut harness);
    press(&mut harness, Key::Y, Key::Z, Modifiers::COMMAND);
    assert!(
        !harness.state().studio.context.document.painter.can_undo(),
        "the place counts"
    );
}

#[test]
fn keys_work_whenever_no_text_field_has_the_focus() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = studio(home.path());
    settle(&mut harness);
    // Whatever else has the focus: a button, a slider, a check box of any panel.
    for name in ["Undo", "Lock the seed", "Filmstrip", "Canvas"] {
        let Some(node) = harness.query_all_by_label(name).next() else {
            continue;
        };
        node.focus();
        harness.run_steps(2);
        harness.key_press(Key::F6);
        harness.run_steps(2);
        assert!(
            !harness.state().studio.context.settings.show_left,
            "with {name}"
        );
        harness.key_press(Key::F6);
        harness.key_press(Key::E);
        harness.run_steps(2);
        let tool = harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .tool;
        assert_eq!(tool, mmface::paint::Tool::Eraser, "with {name}");
        harness.key_press(Key::B);
        harness.run_steps(2);
    }
    let field = |harness: &Studio| {
        harness
            .get_by_role_and_label(egui::Role::MultilineTextInput, "Prompt")
            .focus();
    };
    field(&harness);
    harness.run_steps(2);
    harness.key_press(Key::E);
    harness.run_steps(2);
    let tool = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .tool;
    assert_eq!(
        tool,
        mmface::paint::Tool::Brush,
        "the letter is the field's"
    );
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Num3);
    harness.run_steps(2);
    assert_eq!(harness.state().studio.context.workspace, Workspace::Models);
}
