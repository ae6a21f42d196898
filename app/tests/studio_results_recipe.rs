//! What a finished picture knows of itself: brought back, gone on from, exported, shown.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;
#[path = "common/library.rs"]
mod library;

use std::fs;
use std::path::Path;

use common::{job, wait_for};
use egui::Key;
use egui_kittest::kittest::Queryable;
use library::{current, emit, keep, library, ready, settle, told};
use mmface::studio::command::GenerateCommand;
use mmface::studio::command::ResultsCommand as Do;
use mmface_engine::job::{Condition, ConditionKind, Draw, Job, Sampler};
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::GrayImage;
use mmface_engine::provenance::{self, Level};
use proptest::prelude::*;

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
            draw: Draw {
                negative: "glasses".into(),
                steps: 11,
                sampler: Sampler::Heun,
                guidance: 3.25,
                ..job("a sailor", 77).draw
            },
            condition: Condition::Mask(mask.clone()),
            ..job("a sailor", 77)
        },
    );
    let mut harness = ready(home.path());
    let before = harness
        .state()
        .studio
        .context
        .document
        .painter
        .drawing()
        .label_image();
    harness.get_by_label("a sailor, seed 77").click();
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.step();
    wait_for(&mut harness, "the recipe", |app| {
        app.studio.context.document.request.draw.prompt == "a sailor"
    });
    let studio = &harness.state().studio;
    let request = &studio.context.document.request;
    assert_eq!(
        (request.draw.seed, request.draw.steps, request.draw.size),
        (77, 11, 64)
    );
    assert_eq!(
        (request.draw.sampler, request.draw.guidance),
        (Sampler::Heun, 3.25)
    );
    assert_eq!(
        (request.draw.negative.as_str(), request.follow),
        ("glasses", ConditionKind::Mask)
    );
    assert_eq!(
        studio.context.document.painter.drawing().label_image(),
        mask
    );
    assert!(
        harness.state_mut().studio.context.document.painter.undo(),
        "one step"
    );
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .painter
            .drawing()
            .label_image(),
        before
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
    assert_ne!(
        harness.state().studio.context.document.request.draw.prompt,
        "a sailor"
    );
    common::drag(
        &mut harness,
        &[from, from - egui::vec2(0.0, 80.0), egui::pos2(600.0, 300.0)],
    );
    settle(&mut harness);
    assert_eq!(
        harness.state().studio.context.document.request.draw.prompt,
        "a sailor"
    );
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
        let job = Job { draw: Draw { steps, guidance, ..job(&prompt, seed).draw }, condition, ..job(&prompt, seed) };
        let file = keep(home.path(), job.clone());
        let mut harness = harness.borrow_mut();
        emit(&mut harness, Do::Rescan);
        emit(&mut harness, Do::Select(file));
        emit(&mut harness, Do::Restore);
        let studio = &harness.state().studio;
        let condition = studio.context.document.condition();
        prop_assert!(studio.context.document.request.job(condition) == job);
    });
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
    let request = &mut harness.state_mut().studio.context.document.request;
    request.draw.prompt = "a man".into();
    request.follow = ConditionKind::None;
    request.draw.size = 64;
    request.draw.steps = 6;
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
    let scrub = harness.state_mut().studio.results.scrub.as_mut().unwrap();
    (scrub.at, scrub.prompt) = (0, "an old man".into());
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
        .find(|entry| entry.about.draw.prompt == "an old man");
    let branch = library(home.path()).recipe(&entry.unwrap().file).unwrap();
    assert_eq!(branch.job.fork.as_ref().map(|fork| fork.step), Some(1));
    assert_eq!(branch.job.fork.unwrap().latent, [1.0; 4]);
    assert_eq!(branch.job.draw.steps, 6);
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
    assert_eq!(harness.state().studio.context.settings.trail_steps, 0);
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
            .all(|entry| entry.about.draw.seed == 4)
    );
}
