//! Sweeps: a word becomes alternatives, the cells share everything else, the grid goes into files.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::path::Path;

use common::{studio, studio_with, wait_for};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::project::Library;
use mmface::studio::StudioApp;
use mmface::studio::command::SweepCommand;
use mmface::studio::dialogs::Prepared;
use mmface::studio::sweep::{CellState, MANY};
use mmface::studio::testing::{FakeBackend, options};
use mmface_engine::job::{Condition, Draw, Job};

/// A studio with a loaded model, a painted patch and a prompt.
fn ready(home: &Path, backend: FakeBackend, prompt: &str) -> Harness<'static, StudioApp> {
    let mut options = options(home, backend);
    options.dialogs = Box::new(Prepared(Some(home.join("grid.png"))));
    let mut harness = studio_with(options);
    wait_for(&mut harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
    let studio = &mut harness.state_mut().studio;
    studio.context.document.painter.edit("Patch", |drawing| {
        for y in 100..300 {
            drawing.mask.fill_row(y, 100..300, 13);
        }
    });
    studio.context.document.request.draw.prompt = prompt.into();
    studio.context.document.request.draw.steps = 4;
    studio.context.document.request.draw.size = 64;
    studio.context.document.request.draw.seed = 41;
    harness.step();
    harness
}

fn over(app: &StudioApp) -> bool {
    let run = app.studio.sweep.run.as_ref();
    run.is_some_and(|run| !run.is_busy())
}

/// The jobs of the cells as they were saved, in the sweep's order.
fn saved_jobs(app: &StudioApp) -> Vec<Job> {
    let folders = &app.studio.context.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    let run = app.studio.sweep.run.as_ref().expect("a sweep");
    let job = |cell: &mmface::studio::sweep::run::Cell| {
        let file = &cell.tile().expect("a finished cell").file;
        let name = file.strip_prefix(&folders.results).expect("in the library");
        let recipe = library.recipe(&name.to_string_lossy()).expect("a recipe");
        assert_eq!(
            recipe.template.as_deref(),
            Some(run.sweep.template.as_str())
        );
        recipe.job
    };
    run.cells.iter().map(job).collect()
}

#[test]
fn a_word_is_clicked_given_alternatives_and_swept_with_one_noise() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = ready(home.path(), FakeBackend::default(), "a man with brown hair");
    harness.get_by_label("Word: brown").click();
    harness.run_steps(6);
    harness.get_by_label("Suggest: red").click();
    harness.run_steps(6);
    harness.get_by_label("Suggest: grey").click();
    harness.run_steps(6);
    harness.get_by_label("Put into the prompt").click();
    harness.run_steps(6);
    assert_eq!(
        harness.state().studio.context.document.request.draw.prompt,
        "a man with [brown|red|grey] hair"
    );
    harness.get_by_label_contains("3 pictures");
    harness.get_by_label("Draw the sweep").click();
    harness.step();
    wait_for(&mut harness, "the sweep", over);
    let jobs = saved_jobs(harness.state());
    let prompts: Vec<&str> = jobs.iter().map(|job| job.draw.prompt.as_str()).collect();
    assert_eq!(
        prompts,
        [
            "a man with brown hair",
            "a man with red hair",
            "a man with grey hair"
        ]
    );
    // R32: one seed, so one noise, and one condition; nothing but the words differs.
    for job in &jobs {
        assert_eq!(job.draw.seed, 41);
        assert!(matches!(job.condition, Condition::Mask(_)));
        let same = Job {
            draw: Draw {
                prompt: jobs[0].draw.prompt.clone(),
                ..job.draw.clone()
            },
            ..job.clone()
        };
        assert_eq!(same, jobs[0]);
    }
}

#[test]
fn selected_words_are_varied_as_one() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = ready(
        home.path(),
        FakeBackend::default(),
        "a man with dark brown hair",
    );
    let field = |harness: &Harness<'_, StudioApp>| {
        harness
            .get_by_role_and_label(egui::Role::MultilineTextInput, "Prompt")
            .focus();
    };
    field(&harness);
    harness.run_steps(2);
    harness.key_press(egui::Key::End);
    harness.run_steps(2);
    // "hair" and "brown hair", one word of the keyboard each.
    let word = egui::Modifiers::SHIFT | egui::Modifiers::CTRL;
    for _ in 0..2 {
        harness.key_press_modifiers(word, egui::Key::ArrowLeft);
        harness.run_steps(2);
    }
    harness.get_by_label("Phrase: brown hair").click();
    harness.run_steps(6);
    let editing = harness.state_mut().studio.sweep.editing.as_mut();
    let lines = &mut editing.expect("the phrase is edited").lines;
    assert_eq!(lines, "brown hair");
    lines.push_str("\nand no beard");
    harness.run_steps(3);
    harness.get_by_label("Put into the prompt").click();
    harness.run_steps(6);
    assert_eq!(
        harness.state().studio.context.document.request.draw.prompt,
        "a man with dark [brown hair|and no beard]"
    );
    assert!(harness.query_by_label("Phrase: brown hair").is_none());
}

#[test]
fn two_words_make_a_grid_and_the_grid_goes_into_files() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = ready(
        home.path(),
        FakeBackend::default(),
        "a [young|old] man with [brown|red|grey] hair",
    );
    harness.get_by_label_contains("6 pictures (2 × 3)");
    harness.state_mut().studio.emit(SweepCommand::Start);
    harness.step();
    wait_for(&mut harness, "the sweep", over);
    wait_for(&mut harness, "the small pictures", |app| {
        let run = app.studio.sweep.run.as_ref().expect("a sweep");
        let shown = |cell: &mmface::studio::sweep::run::Cell| {
            matches!(&cell.state, CellState::Done { small: Some(_), .. })
        };
        run.cells.iter().all(shown)
    });
    harness.run_steps(3);
    harness.get_by_label("Cell 5: old, red").click();
    harness.run_steps(2);
    let run = harness.state().studio.sweep.run.as_ref().expect("a sweep");
    assert_eq!(run.selected, Some(4));
    harness.state_mut().studio.sweep.export.tiles = true;
    harness.run_steps(2);
    harness.get_by_label("Export…").click();
    harness.step();
    let index = home.path().join("grid.json");
    wait_for(&mut harness, "the export", |_| index.exists());
    wait_for(&mut harness, "its end", |app| !app.studio.sweep.exporting);
    let text = std::fs::read(&index).expect("the index");
    let index: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!((&index["rows"], &index["columns"]), (&2.into(), &3.into()));
    assert_eq!(
        index["cells"][4]["words"],
        serde_json::json!(["old", "red"])
    );
    assert_eq!(index["seed"], 41);
    for name in ["grid.png", "grid-r1-c1.png", "grid-r2-c3.png"] {
        assert!(home.path().join(name).is_file(), "{name}");
    }
}

#[test]
fn cancelling_in_the_middle_keeps_what_is_finished() {
    let home = tempfile::tempdir().expect("a folder");
    let backend = FakeBackend::default();
    let mut harness = ready(home.path(), backend, "[brown|endless|grey|black] hair");
    harness.state_mut().studio.emit(SweepCommand::Start);
    harness.step();
    wait_for(&mut harness, "the first picture", |app| {
        let run = app.studio.sweep.run.as_ref();
        run.is_some_and(|run| run.finished() >= 1)
    });
    harness.state_mut().studio.emit(SweepCommand::Cancel);
    harness.step();
    wait_for(&mut harness, "the end", over);
    let run = harness.state().studio.sweep.run.as_ref().expect("a sweep");
    assert_eq!(run.finished(), 1);
    assert!(matches!(run.cells[3].state, CellState::Cancelled));
    assert!(run.cells[0].tile().expect("kept").file.is_file());
    assert!(
        harness
            .state()
            .studio
            .context
            .document
            .works
            .queue
            .is_empty()
    );
}

#[test]
fn a_failed_cell_leaves_the_others() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = ready(home.path(), FakeBackend::default(), "[red|fail|grey] hair");
    harness.state_mut().studio.emit(SweepCommand::Start);
    harness.step();
    wait_for(&mut harness, "the end", over);
    let run = harness.state().studio.sweep.run.as_ref().expect("a sweep");
    assert_eq!(run.finished(), 2);
    assert!(matches!(run.cells[1].state, CellState::Failed(_)));
}

#[test]
fn many_pictures_are_asked_about_and_broken_groups_named() {
    let home = tempfile::tempdir().expect("a folder");
    let list: Vec<String> = (0..=MANY).map(|i| format!("w{i}")).collect();
    let prompt = format!("[{}] hair", list.join("|"));
    let mut harness = ready(home.path(), FakeBackend::default(), &prompt);
    harness.get_by_label("Draw the sweep").click();
    harness.run_steps(3);
    assert!(harness.state().studio.sweep.run.is_none(), "not yet");
    harness.get_by_label("Never mind").click();
    harness.run_steps(3);
    assert_eq!(harness.state().studio.sweep.asking, None);
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .prompt = "[a|b] [c|d] [e|f]".into();
    harness.run_steps(2);
    harness.get_by_label_contains("3 groups");
    harness.state_mut().studio.emit(SweepCommand::Start);
    harness.run_steps(2);
    let told = harness
        .state()
        .studio
        .context
        .toasts
        .log
        .last()
        .expect("a message");
    assert!(told.text().contains("3 groups"), "{}", told.text());
    assert!(harness.state().studio.sweep.run.is_none());
}

#[test]
fn alternatives_come_from_a_text_file() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("hair.txt");
    std::fs::write(&path, "platinum\ndark red\n").expect("a file");
    let mut harness = studio(home.path());
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .prompt = "brown hair".into();
    harness.run_steps(2);
    harness.get_by_label("Word: brown").click();
    harness.run_steps(2);
    harness
        .state_mut()
        .studio
        .emit(SweepCommand::ReadList(path));
    harness.step();
    wait_for(&mut harness, "the list", |app| {
        let editing = app.studio.sweep.editing.as_ref();
        editing.is_some_and(|editing| editing.lines.contains("platinum"))
    });
    harness.run_steps(2);
    harness.get_by_label("Put into the prompt").click();
    harness.run_steps(2);
    assert_eq!(
        harness.state().studio.context.document.request.draw.prompt,
        "[platinum|dark red] hair"
    );
}

#[test]
fn with_a_late_fork_the_others_go_on_from_the_first() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = ready(home.path(), FakeBackend::default(), "[red|brown|grey] hair");
    harness.state_mut().studio.context.document.fork_step = 3;
    harness.state_mut().studio.emit(SweepCommand::Start);
    harness.step();
    wait_for(&mut harness, "the sweep", over);
    let jobs = saved_jobs(harness.state());
    assert_eq!(jobs[0].fork, None, "the first is drawn in full");
    let fork = jobs[1].fork.clone().expect("a fork");
    assert_eq!(fork.step, 3);
    assert_eq!(
        jobs[2].fork.as_ref(),
        Some(&fork),
        "all go on from one point"
    );
    assert!(jobs.iter().all(|job| job.draw.seed == 41));
}

#[test]
fn a_cancelled_first_cell_leaves_none_that_waits_for_it() {
    let home = tempfile::tempdir().expect("a folder");
    let backend = FakeBackend::default();
    let mut harness = ready(home.path(), backend, "[endless|brown|grey] hair");
    harness.state_mut().studio.context.document.fork_step = 2;
    harness.state_mut().studio.emit(SweepCommand::Start);
    harness.step();
    harness.state_mut().studio.emit(SweepCommand::Cancel);
    harness.step();
    wait_for(&mut harness, "the end", over);
    let run = harness.state().studio.sweep.run.as_ref().expect("a sweep");
    assert_eq!(run.finished(), 0);
}
