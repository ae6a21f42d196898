//! The filmstrip: pictures of the folder, found, folded, compared, deleted; with a fake engine.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;
#[path = "common/library.rs"]
mod library;

use std::fs;

use common::{job, recipe, wait_for};
use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::Queryable;
use library::{comparison, current, emit, keep, library, ready, settle, shown, told};
use mmface::project::Listing;
use mmface::studio::command::CompareMode as Mode;
use mmface::studio::command::GenerateCommand;
use mmface::studio::command::ResultsCommand as Do;
use mmface_engine::job::ConditionKind;
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::Recipe;

#[test]
fn an_empty_library_says_how_to_begin() {
    let home = tempfile::tempdir().unwrap();
    let harness = ready(home.path());
    assert!(
        harness
            .query_by_label_contains("Press Generate to draw the first one")
            .is_some()
    );
    assert!(
        !told(&harness, "gone"),
        "a folder that never was is not missed"
    );
}

#[test]
fn pictures_of_the_folder_and_new_ones_appear_newest_first() {
    let home = tempfile::tempdir().unwrap();
    keep(home.path(), job("a pirate", 7));
    let mut harness = ready(home.path());
    assert_eq!(shown(&harness), [7]);
    assert!(harness.query_by_label("a pirate, seed 7").is_some());
    let request = &mut harness.state_mut().studio.context.document.request;
    request.draw.prompt = "a queen".into();
    request.follow = ConditionKind::None;
    request.draw.seed = 9;
    request.seed_locked = true;
    request.draw.size = 64;
    harness.state_mut().studio.emit(GenerateCommand::Start);
    harness.step();
    wait_for(&mut harness, "the picture", |app| {
        app.studio.results.strip.listing.entries.len() == 2
    });
    settle(&mut harness);
    assert_eq!(shown(&harness), [9, 7]);
    assert!(harness.query_by_label("a queen, seed 9").is_some());
    assert_eq!(current(&harness), Some(9), "nothing was chosen before");
    // The disk agrees, and the next start knows them.
    assert_eq!(
        library(home.path())
            .scan(&Listing::default())
            .unwrap()
            .entries
            .len(),
        2
    );
}

#[test]
fn searching_typing_and_keys() {
    let home = tempfile::tempdir().unwrap();
    for (prompt, seed) in [
        ("a pirate", 1),
        ("a queen with a hat", 2),
        ("a pirate queen", 3),
    ] {
        keep(home.path(), job(prompt, seed));
    }
    let mut harness = ready(home.path());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::F);
    harness.run_steps(2);
    let field = harness.get_by_role_and_label(Role::TextInput, "Search results");
    field.type_text("queen");
    harness.run_steps(2);
    let mut found = shown(&harness);
    found.sort_unstable();
    assert_eq!(found, [2, 3]);
    harness.state_mut().studio.results.strip.search = "seed:1".into();
    harness.state_mut().studio.results.strip.refresh();
    harness.run_steps(2);
    assert_eq!(shown(&harness), [1]);
    harness.get_by_label("Clear the search").click();
    harness.run_steps(2);
    assert_eq!(shown(&harness).len(), 3);
    // With the focus on the filmstrip, arrows walk and Shift extends.
    let all = shown(&harness);
    emit(&mut harness, Do::Focus);
    harness.run_steps(2);
    harness.key_press(Key::Home);
    harness.step();
    assert_eq!(current(&harness), Some(all[0]));
    harness.key_press(Key::ArrowRight);
    harness.step();
    assert_eq!(current(&harness), Some(all[1]));
    harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    harness.step();
    assert_eq!(harness.state().studio.results.strip.chosen().len(), 2);
    harness.key_press(Key::End);
    harness.step();
    assert_eq!(current(&harness), Some(all[2]));
    assert_eq!(harness.state().studio.results.strip.chosen().len(), 1);
}

#[test]
fn the_cells_of_a_sweep_stand_together_and_fold() {
    let home = tempfile::tempdir().unwrap();
    let picture = RgbImage::filled(64, 64, [9, 9, 9]);
    for (prompt, seed) in [("a young man", 1), ("an old man", 2)] {
        let template = Some("a [young|old] man".to_string());
        let recipe = Recipe {
            template,
            ..recipe(job(prompt, seed))
        };
        library(home.path()).save(&picture, &recipe).unwrap();
    }
    let mut harness = ready(home.path());
    harness
        .get_by_label("Sweep of 2: a [young|old] man")
        .click();
    harness.run_steps(3);
    assert_eq!(shown(&harness).len(), 1);
    harness
        .get_by_label("Sweep of 2: a [young|old] man")
        .click();
    harness.run_steps(3);
    assert_eq!(shown(&harness).len(), 2);
    emit(&mut harness, Do::Step(1, false));
    let name = harness
        .state()
        .studio
        .results
        .strip
        .current()
        .unwrap()
        .about
        .draw
        .prompt
        .clone();
    let seed = current(&harness).unwrap();
    assert!(
        harness
            .query_by_label(&format!("{name}, seed {seed}"))
            .is_some()
    );
}

#[test]
fn deleting_can_be_taken_back_and_ends_in_the_trash() {
    let home = tempfile::tempdir().unwrap();
    let file = keep(home.path(), job("keep me", 1));
    keep(home.path(), job("another", 2));
    let mut harness = ready(home.path());
    harness.get_by_label("keep me, seed 1").click();
    harness.run_steps(2);
    harness.key_press(Key::Delete);
    harness.run_steps(2);
    assert_eq!(shown(&harness), [2]);
    assert!(library(home.path()).path(&file).exists(), "not yet");
    harness.get_by_label("Undo deletion").click();
    harness.run_steps(2);
    assert!(shown(&harness).contains(&1));
    assert_eq!(current(&harness), Some(1));
    emit(&mut harness, Do::Delete);
    // Who ends the program ends the moment, too.
    let studio = &mut harness.state_mut().studio;
    mmface::studio::results::on_exit(&mut studio.results, &studio.context);
    settle(&mut harness);
    assert!(!library(home.path()).path(&file).exists());
    assert_eq!(
        fs::read_dir(home.path().join("results/.trash"))
            .unwrap()
            .count(),
        1
    );
    assert_eq!(shown(&harness), [2]);
}

#[test]
fn what_other_programs_do_to_the_folder_is_seen_and_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let file = keep(home.path(), job("first", 1));
    keep(home.path(), job("second", 2));
    let mut harness = ready(home.path());
    fs::remove_file(library(home.path()).path(&file)).unwrap();
    // Coming back to the window looks at the folder again.
    harness.input_mut().focused = false;
    harness.step();
    harness.input_mut().focused = true;
    harness.step();
    settle(&mut harness);
    assert_eq!(shown(&harness), [2]);
    let (results, aside) = (home.path().join("results"), home.path().join("aside"));
    fs::rename(&results, &aside).unwrap();
    emit(&mut harness, Do::Rescan);
    assert!(told(&harness, "the folder of results is gone"));
    assert!(harness.query_by_label("Look again").is_some());
    assert_eq!(shown(&harness), [2], "what was there is still known");
    fs::rename(&aside, &results).unwrap();
    harness.get_by_label("Look again").click();
    harness.step();
    settle(&mut harness);
    assert!(told(&harness, "the folder of results is back"));
    assert!(harness.state().studio.results.problem.is_none());
}

#[test]
fn two_results_are_compared_in_four_ways() {
    let home = tempfile::tempdir().unwrap();
    keep(home.path(), job("young", 10));
    keep(home.path(), job("old", 60));
    let mut harness = ready(home.path());
    emit(&mut harness, Do::Step(-1, false));
    emit(&mut harness, Do::Compare);
    assert!(harness.query_by_label("Comparison, Slider").is_some());
    assert!(
        harness.query_by_label_contains("Seed: ").is_some(),
        "what differs is said"
    );
    let split = harness.get_by_role_and_label(Role::Slider, "Split");
    split.focus();
    harness.step();
    let before = comparison(&harness).split;
    harness.key_press(Key::ArrowRight);
    harness.run_steps(2);
    assert!(comparison(&harness).split > before);
    harness.get_by_label("Side by side").click();
    harness.run_steps(2);
    assert!(harness.query_by_label("Comparison, Side by side").is_some());
    harness.key_press(Key::Num3);
    harness.run_steps(2);
    assert_eq!(comparison(&harness).mode, Mode::Blink);
    harness.key_down(Key::Space);
    harness.step();
    assert!(comparison(&harness).blinking);
    harness.key_up(Key::Space);
    harness.step();
    assert!(!comparison(&harness).blinking);
    emit(&mut harness, Do::CompareAs(Mode::Difference));
    let compare = comparison(&harness);
    let found = compare.difference().unwrap();
    assert!((found.mean - 50.0 / 3.0).abs() < 0.5, "{}", found.mean);
    let (left, right) = (compare.left.file.clone(), compare.right.file.clone());
    emit(&mut harness, Do::Swap);
    let compare = comparison(&harness);
    assert_eq!((&compare.left.file, &compare.right.file), (&right, &left));
    harness.key_press(Key::Escape);
    harness.run_steps(2);
    assert!(harness.state().studio.results.compare.is_none());
}
