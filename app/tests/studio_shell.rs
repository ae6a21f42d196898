//! The window's frame: keys, palette, panels, settings.

#[path = "common/studio.rs"]
mod common;

use common::{studio, wait_for};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use mmface::studio::Workspace;

#[test]
fn palette_finds_an_action_and_runs_it() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    harness.run();
    assert!(harness.state().studio.palette.open);
    harness.get_by_label("Search actions").type_text("trainer");
    harness.run();
    harness.get_by_label("Show the trainer").click();
    harness.run();
    assert_eq!(harness.state().studio.context.workspace, Workspace::Trainer);
    assert!(!harness.state().studio.palette.open);
}

#[test]
fn nothing_happens_behind_an_open_question() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = studio(home.path());
    harness.key_press(Key::L);
    harness.run();
    let tool = harness
        .state()
        .studio
        .context
        .document
        .painter
        .settings
        .tool;
    let studio = &mut harness.state_mut().studio;
    studio.context.document.painter.edit("Patch", |drawing| {
        drawing.mask.fill_row(9, 3..30, 1);
    });
    harness.key_press_modifiers(Modifiers::COMMAND, Key::N);
    harness.run();
    harness.get_by_label("Don't save");
    harness.key_press(Key::G);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run();
    let studio = &harness.state().studio;
    assert_eq!(studio.context.document.painter.settings.tool, tool);
    assert!(studio.context.document.painter.can_undo());
    harness.key_press(Key::Escape);
    harness.run();
    assert!(harness.query_by_label("Don't save").is_none());
    harness.key_press(Key::G);
    harness.run();
    assert_ne!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .settings
            .tool,
        tool
    );
}

#[test]
fn a_key_is_bound_used_and_kept() {
    let home = tempfile::tempdir().expect("a folder");
    {
        let mut harness = studio(home.path());
        harness.key_press(Key::F1);
        harness.run();
        harness
            .get_by_label("Search actions")
            .type_text("show the models");
        harness.run();
        harness
            .get_by_label("Change key of Show the models")
            .click();
        harness.run();
        harness.key_press_modifiers(Modifiers::ALT, Key::M);
        harness.run();
        harness.key_press(Key::Escape);
        harness.run();
        harness.key_press_modifiers(Modifiers::ALT, Key::M);
        harness.run();
        assert_eq!(harness.state().studio.context.workspace, Workspace::Models);
        let file = home.path().join("config/keymap.ron");
        wait_for(&mut harness, "the key map to be written", |_| file.exists());
    }
    let mut harness = studio(home.path());
    harness.key_press_modifiers(Modifiers::ALT, Key::M);
    harness.run();
    assert_eq!(harness.state().studio.context.workspace, Workspace::Models);
}

/// Gives an action a key of its own in the palette, and waits until it is on disk.
fn bind(home: &std::path::Path, title: &str, modifiers: Modifiers, key: Key) {
    let file = home.join("config/keymap.ron");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let mut harness = studio(home);
    harness.key_press(Key::F1);
    harness.run();
    harness.get_by_label("Search actions").type_text(title);
    harness.run();
    harness
        .get_by_label(&format!("Change key of {title}"))
        .click();
    harness.run();
    harness.key_press_modifiers(modifiers, key);
    harness.run();
    wait_for(&mut harness, "the key map to be written", |_| {
        std::fs::read_to_string(&file).is_ok_and(|text| text != before)
    });
}

#[test]
fn a_key_bound_later_leaves_those_of_before() {
    let home = tempfile::tempdir().expect("a folder");
    bind(home.path(), "Show the models", Modifiers::ALT, Key::M);
    bind(home.path(), "Show the trainer", Modifiers::ALT, Key::T);
    let mut harness = studio(home.path());
    for (key, workspace) in [(Key::M, Workspace::Models), (Key::T, Workspace::Trainer)] {
        harness.key_press_modifiers(Modifiers::ALT, key);
        harness.run();
        assert_eq!(harness.state().studio.context.workspace, workspace);
    }
}

#[test]
fn a_broken_settings_file_is_told_and_kept() {
    let home = tempfile::tempdir().expect("a folder");
    let config = home.path().join("config");
    std::fs::create_dir_all(&config).expect("a folder");
    std::fs::write(config.join("settings.ron"), "(look: Purple").expect("a file");
    let mut harness = studio(home.path());
    harness.run_steps(2);
    let told = &harness.state().studio.context.toasts.log;
    assert!(
        told.iter()
            .any(|toast| toast.text().contains("settings.ron")),
        "{told:?}"
    );
    let kept = std::fs::read_to_string(config.join("settings.ron.broken")).expect("kept");
    assert_eq!(kept, "(look: Purple");
}
