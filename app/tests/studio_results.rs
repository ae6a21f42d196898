//! The filmstrip and what follows from a finished picture, with a fake engine.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::fs;
use std::path::Path;

use common::{job, recipe, studio, wait_for};
use egui::{Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::project::{Library, Listing};
use mmface::studio::StudioApp;
use mmface::studio::generate::{Follow, GenerateCommand};
use mmface::studio::results::ResultsCommand as Do;
use mmface::studio::results::compare::{Compare, Mode};
use mmface_engine::condition::{GrayImage, LabelImage};
use mmface_engine::job::{Condition, Job, Sampler};
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::{self, Level, Recipe};
use proptest::prelude::*;

type Studio = Harness<'static, StudioApp>;

fn library(home: &Path) -> Library {
    Library::new(home.join("results"), home.join("cache")).with_own_trash()
}

/// Saves a picture as the engine would have; returns its name.
fn keep(home: &Path, job: Job) -> String {
    let grey = (job.seed % 200) as u8;
    let picture = RgbImage::filled(job.size, job.size, [grey, 90, 120]);
    library(home).save(&picture, &recipe(job)).unwrap().file
}

/// A studio that has read everything.
fn ready(home: &Path) -> Studio {
    let mut harness = studio(home);
    harness.state_mut().studio.results.own_trash = true;
    settle(&mut harness);
    harness
}

fn settle(harness: &mut Studio) {
    wait_for(harness, "model and tasks", |app| {
        app.studio.models.ready().is_some() && app.studio.services.tasks.running().next().is_none()
    });
    harness.run_steps(2);
}

fn emit(harness: &mut Studio, command: Do) {
    harness.state_mut().studio.emit(command);
    harness.step();
    settle(harness);
}

fn shown(harness: &Studio) -> Vec<u64> {
    let strip = &harness.state().studio.results.strip;
    let entries = strip.cells().iter().filter_map(|cell| strip.entry(*cell));
    entries.map(|entry| entry.about.seed).collect()
}

fn current(harness: &Studio) -> Option<u64> {
    let strip = &harness.state().studio.results.strip;
    strip.current().map(|entry| entry.about.seed)
}

/// The comparison on screen.
fn comparison(harness: &Studio) -> &Compare {
    harness.state().studio.results.compare.as_ref().unwrap()
}

fn told(harness: &Studio, part: &str) -> bool {
    let log = &harness.state().studio.toasts.log;
    log.iter().any(|toast| toast.text().contains(part))
}

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
    let request = &mut harness.state_mut().studio.generate.request;
    request.prompt = "a queen".into();
    request.follow = Follow::None;
    request.seed = 9;
    request.seed_locked = true;
    request.size = 64;
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
fn enter_brings_everything_back_as_one_step() {
    let home = tempfile::tempdir().unwrap();
    let mut mask = LabelImage::filled(512, 512, 0);
    for (at, label) in mask.labels.iter_mut().enumerate() {
        *label = ((at * 7 + at / 512) % 19) as u8;
    }
    keep(
        home.path(),
        Job {
            condition: Condition::Mask(mask.clone()),
            negative: "glasses".into(),
            steps: 11,
            sampler: Sampler::Heun,
            guidance: 3.25,
            ..job("a sailor", 77)
        },
    );
    let mut harness = ready(home.path());
    let before = harness.state().studio.painter.drawing().label_image();
    harness.get_by_label("a sailor, seed 77").click();
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.step();
    wait_for(&mut harness, "the recipe", |app| {
        app.studio.generate.request.prompt == "a sailor"
    });
    let studio = &harness.state().studio;
    let request = &studio.generate.request;
    assert_eq!((request.seed, request.steps, request.size), (77, 11, 64));
    assert_eq!((request.sampler, request.guidance), (Sampler::Heun, 3.25));
    assert_eq!(
        (request.negative.as_str(), request.follow),
        ("glasses", Follow::Mask)
    );
    assert_eq!(studio.painter.drawing().label_image(), mask);
    assert!(harness.state_mut().studio.painter.undo(), "one step");
    assert_eq!(
        harness.state().studio.painter.drawing().label_image(),
        before
    );
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
fn a_picture_dragged_onto_the_canvas_brings_its_recipe() {
    let home = tempfile::tempdir().unwrap();
    keep(home.path(), job("a sailor", 77));
    keep(home.path(), job("a smith", 78));
    let mut harness = ready(home.path());
    let from = harness.get_by_label("a sailor, seed 77").rect().center();
    // Within the filmstrip it is no more than a slip of the hand.
    common::drag(&mut harness, &[from, from + egui::vec2(30.0, 0.0)]);
    settle(&mut harness);
    assert_ne!(harness.state().studio.generate.request.prompt, "a sailor");
    common::drag(
        &mut harness,
        &[from, from - egui::vec2(0.0, 80.0), egui::pos2(600.0, 300.0)],
    );
    settle(&mut harness);
    assert_eq!(harness.state().studio.generate.request.prompt, "a sailor");
    assert_eq!(current(&harness), Some(77));
    assert!(harness.state().studio.canvas.has_picture());
}

#[test]
fn any_recipe_comes_back_exactly() {
    let config = ProptestConfig {
        cases: 6,
        ..ProptestConfig::default()
    };
    let home = tempfile::tempdir().unwrap();
    let harness = std::cell::RefCell::new(ready(home.path()));
    proptest!(config, |(
        words in "[a-z,\"\\\\ ]{1,30}", seed in 0u64..u64::MAX - 2000, steps in 1usize..60,
        guidance in 0.0f64..20.0, large: bool, sketch: bool, pattern in 1usize..1000,
    )| {
        let side = if large { 1024 } else { 512 };
        let pixels = |most: usize| -> Vec<u8> {
            (0..side * side).map(|at| ((at * pattern + at / side) % most) as u8).collect()
        };
        let condition = if sketch {
            Condition::Sketch(GrayImage { width: side, height: side, pixels: pixels(256) })
        } else {
            Condition::Mask(LabelImage { width: side, height: side, labels: pixels(19) })
        };
        let prompt = format!("a{words}b");
        let job = Job { condition, steps, guidance, ..job(&prompt, seed) };
        let file = keep(home.path(), job.clone());
        let mut harness = harness.borrow_mut();
        emit(&mut harness, Do::Rescan);
        emit(&mut harness, Do::Select(file));
        emit(&mut harness, Do::Restore);
        let studio = &harness.state().studio;
        let condition = mmface::studio::generate::flow::condition(studio);
        prop_assert!(studio.generate.request.job(condition) == job);
    });
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
    mmface::studio::results::on_exit(&mut harness.state_mut().studio);
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

#[test]
fn exports_tell_as_much_as_was_chosen() {
    let home = tempfile::tempdir().unwrap();
    keep(home.path(), job("a secret", 1));
    let target = home.path().join("shared.png");
    let mut options = mmface::studio::testing::options(home.path(), Default::default());
    options.dialogs = Box::new(mmface::studio::dialogs::Prepared(Some(target.clone())));
    let mut harness = common::studio_with(options);
    settle(&mut harness);
    for (level, label) in [
        (Level::Recipe, "Full recipe"),
        (Level::Mark, "AI mark and program"),
        (Level::Minimum, "AI mark only"),
    ] {
        emit(&mut harness, Do::Step(1, false));
        emit(&mut harness, Do::Export);
        assert!(
            harness
                .query_by_label_contains("social sites remove every mark")
                .is_some()
        );
        harness.get_by_label(label).click();
        harness.run_steps(2);
        harness.get_by_label("Save as …").click();
        harness.step();
        wait_for(&mut harness, "the export", |app| {
            app.studio.results.export.is_none()
        });
        let found = provenance::read(&target).unwrap();
        assert!(found.marked_synthetic, "{level:?}");
        assert_eq!(found.recipe.is_some(), level == Level::Recipe);
        assert_eq!(
            found.texts.is_empty(),
            level == Level::Minimum,
            "{:?}",
            found.texts
        );
        let bytes = fs::read(&target).unwrap();
        let told = String::from_utf8_lossy(&bytes).contains("a secret");
        assert_eq!(told, level == Level::Recipe);
        fs::remove_file(&target).unwrap();
    }
    // A visible label changes pixels, and the recipe knows the new ones.
    emit(&mut harness, Do::Export);
    harness.get_by_label_contains("into the corner").click();
    harness.run_steps(2);
    harness.get_by_label("Save as …").click();
    harness.step();
    wait_for(&mut harness, "the export", |app| {
        app.studio.results.export.is_none()
    });
    let picture = mmface_engine::picture::read::read(&target)
        .unwrap()
        .to_rgb();
    assert_ne!(picture.pixel(0, 63), picture.pixel(0, 0));
    let recipe = provenance::read(&target).unwrap().recipe.unwrap();
    assert_eq!(recipe.made(&picture), Some(true));
}

/// Puts a C2PA manifest before the end of a PNG.
fn sign(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let body = b"caBXmanifest";
    let mut sum = flate2::Crc::new();
    sum.update(body);
    let length = (body.len() as u32 - 4).to_be_bytes();
    let chunk = [&length[..], body, &sum.sum().to_be_bytes()].concat();
    let end = bytes.len() - 12;
    bytes.splice(end..end, chunk);
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_signature_is_never_broken_silently() {
    let home = tempfile::tempdir().unwrap();
    let file = home
        .path()
        .join("results")
        .join(keep(home.path(), job("signed", 1)));
    sign(&file);
    let signed = fs::read(&file).unwrap();
    assert!(provenance::read(&file).unwrap().signed);
    let target = home.path().join("shared.png");
    let mut options = mmface::studio::testing::options(home.path(), Default::default());
    options.dialogs = Box::new(mmface::studio::dialogs::Prepared(Some(target.clone())));
    let mut harness = common::studio_with(options);
    settle(&mut harness);
    emit(&mut harness, Do::Step(1, false));
    emit(&mut harness, Do::Export);
    settle(&mut harness);
    harness.get_by_label_contains("would not be valid for the new one");
    // As if it had been signed since: nothing is written before that was said.
    let export = harness.state_mut().studio.results.export.as_mut().unwrap();
    export.signed = false;
    emit(&mut harness, Do::SaveExport);
    settle(&mut harness);
    assert!(common::told(&harness, "nothing is written yet"));
    assert!(!target.exists());
    harness.get_by_label_contains("would not be valid for the new one");
    harness.get_by_label("Save as …").click();
    harness.step();
    wait_for(&mut harness, "the export", |app| {
        app.studio.results.export.is_none()
    });
    let found = provenance::read(&target).unwrap();
    assert!(!found.signed && found.recipe.is_some(), "{found:?}");
    assert_eq!(fs::read(&file).unwrap(), signed, "the signed file stays");

    keep(home.path(), job("not signed", 2));
    emit(&mut harness, Do::Rescan);
    settle(&mut harness);
    emit(&mut harness, Do::Step(-1, false));
    emit(&mut harness, Do::Export);
    settle(&mut harness);
    assert!(harness.query_by_label_contains("not be valid").is_none());

    common::let_fall(&mut harness, &file);
    settle(&mut harness);
    assert!(common::told(
        &harness,
        "is signed (C2PA): the file keeps its signature"
    ));
}

#[test]
fn a_branch_goes_on_from_a_kept_step_with_other_words() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let request = &mut harness.state_mut().studio.generate.request;
    request.prompt = "a man".into();
    request.follow = Follow::None;
    request.size = 64;
    request.steps = 6;
    harness.state_mut().studio.emit(GenerateCommand::Start);
    harness.step();
    wait_for(&mut harness, "the picture", |app| {
        app.studio.results.strip.listing.entries.len() == 1
    });
    settle(&mut harness);
    emit(&mut harness, Do::Step(-1, false));
    emit(&mut harness, Do::Steps);
    let scrub = harness.state().studio.results.scrub.as_ref().unwrap();
    assert_eq!(scrub.found.as_ref().unwrap().steps(), [1, 5]);
    harness
        .state_mut()
        .studio
        .results
        .scrub
        .as_mut()
        .unwrap()
        .at = 0;
    harness
        .state_mut()
        .studio
        .results
        .scrub
        .as_mut()
        .unwrap()
        .prompt = "an old man".into();
    harness.run_steps(2);
    assert!(harness.query_by_label("Step 1 of 6").is_some());
    harness.get_by_label("Branch from step 1").click();
    harness.step();
    wait_for(&mut harness, "the branch", |app| {
        app.studio.results.strip.listing.entries.len() == 2
    });
    settle(&mut harness);
    let strip = &harness.state().studio.results.strip;
    let entry = strip
        .listing
        .entries
        .iter()
        .find(|entry| entry.about.prompt == "an old man");
    let branch = library(home.path()).recipe(&entry.unwrap().file).unwrap();
    assert_eq!(branch.job.fork.as_ref().map(|fork| fork.step), Some(1));
    assert_eq!(branch.job.fork.unwrap().latent, [1.0; 4]);
    assert_eq!(branch.job.steps, 6);
    // Without kept steps the window says what they are for.
    emit(&mut harness, Do::Steps);
    fs::remove_dir_all(home.path().join("cache/trails")).unwrap();
    emit(&mut harness, Do::Steps);
    assert!(
        harness
            .query_by_label_contains("No steps were kept")
            .is_some()
    );
    harness
        .get_by_label("Keep 8 steps of each new picture")
        .click();
    harness.run_steps(2);
    assert_eq!(harness.state().studio.settings.trail_steps, 0);
}

#[test]
fn the_recipe_is_shown_with_whether_the_loaded_model_made_it() {
    let home = tempfile::tempdir().unwrap();
    keep(home.path(), job("a judge", 4));
    let mut harness = ready(home.path());
    emit(&mut harness, Do::Step(-1, false));
    emit(&mut harness, Do::About);
    assert!(harness.query_by_label("a judge").is_some());
    assert!(harness.query_by_label("yes").is_some(), "the same weights");
    harness.get_by_label("Copy command line").click();
    harness.run_steps(2);
    settle(&mut harness);
    assert!(told(&harness, "the command line is copied"));
    harness.get_by_label("Draw again").click();
    harness.step();
    wait_for(&mut harness, "the picture again", |app| {
        app.studio.results.strip.listing.entries.len() == 2
    });
    settle(&mut harness);
    let strip = &harness.state().studio.results.strip;
    assert!(
        strip
            .listing
            .entries
            .iter()
            .all(|entry| entry.about.seed == 4)
    );
}
