//! Files of the program before a drawing's values were one part: written by it, read by this one.
//!
//! `format_1/` was made by commit 1c5e835, its pictures with the model that `common` makes: a recipe
//! of version 1, the grid and the index of a sweep, a project of format 2, a journal and a queue of
//! format 1.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::Home;
use mmface::paint::{Drawing, Target};
use mmface::project::data::{FORMAT, Layers};
use mmface::project::{ProjectData, QueueFile, ResultRef, SweepNote, file, journal};
use mmface_engine::job::{Condition, ConditionKind, Draw, Fork, Guide, Job, Sampler};
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::GrayImage;
use mmface_engine::provenance::{self, RECIPE_VERSION};

fn old(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/format_1")
        .join(name)
}

fn mask() -> LabelImage {
    let mut labels = vec![0u8; 64 * 64];
    labels[640..3000].fill(1);
    labels[640..1200].fill(13);
    LabelImage::new(64, 64, labels).unwrap()
}

#[test]
fn a_picture_is_drawn_again_from_its_old_recipe() {
    let path = old("portrait.png");
    let recipe = provenance::read(&path).unwrap().recipe.unwrap();
    let job = Job {
        draw: Draw {
            prompt: "a man, żółty".into(),
            negative: "hat".into(),
            seed: 5,
            size: 64,
            steps: 3,
            sampler: Sampler::Heun,
            guidance: 2.0,
            interval: (0.0, 0.7),
            guide: Guide::WordsAndDrawing,
            ..Draw::default()
        },
        condition: Condition::Mask(mask()),
        fork: None,
    };
    assert_eq!((recipe.recipe, &recipe.job), (RECIPE_VERSION, &job));

    // The same bytes as what is asked for today, on whatever processor this is.
    let home = Home::new();
    fs::copy(&path, home.path("portrait.png")).unwrap();
    fs::copy(old("mask.png"), home.path("mask.png")).unwrap();
    let replay = ["replay", "portrait.png", "--out", "again.png", "--quiet"];
    home.ok(&replay);
    let values = [
        ["--mask", "mask.png"],
        ["--prompt", "a man, żółty"],
        ["--negative", "hat"],
        ["--seed", "5"],
        ["--steps", "3"],
        ["--guidance", "2"],
        ["--guidance-interval", "0:0.7"],
        ["--sampler", "heun"],
        ["--guide", "all"],
        ["--precision", "exact"],
        ["--out", "now.png"],
    ];
    home.ok(&[&["generate", "--quiet"], values.as_flattened()].concat());
    assert_eq!(home.bytes("again.png"), home.bytes("now.png"));
}

#[test]
fn the_grid_and_the_index_of_a_sweep_tell_it() {
    let values = Draw {
        negative: "hat".into(),
        seed: 7,
        size: 64,
        steps: 2,
        guidance: 2.0,
        ..Draw::default()
    };
    let path = old("sweep.png");
    let texts = provenance::read(&path).unwrap();
    let note = SweepNote::of(&texts, &path).unwrap().unwrap();
    assert_eq!(
        (note.template.as_str(), note.whole),
        ("a [young|old] man", true)
    );
    assert_eq!(note.job.draw.seed, 7);
    assert_eq!(note.job.draw.negative, values.negative);
    assert_eq!(note.job.condition, Condition::None);
    let path = old("sweep.json");
    let note = SweepNote::of_index(&fs::read(&path).unwrap(), &path).unwrap();
    assert_eq!(
        (note.template.as_str(), note.whole),
        ("a [young|old] man", false)
    );
    // The index did not hold the negative prompt.
    let expected = Draw {
        negative: String::new(),
        ..values
    };
    assert_eq!(note.job.draw, expected);
}

fn project() -> ProjectData {
    let mut data = ProjectData {
        format: FORMAT,
        draw: Draw {
            prompt: "a face [old|young]".into(),
            negative: "blurry".into(),
            seed: 77,
            size: 128,
            steps: 31,
            sampler: Sampler::Ddim,
            guidance: 2.25,
            interval: (0.25, 0.75),
            guide: Guide::WordsAndDrawing,
            ..Draw::default()
        },
        seed_locked: true,
        follow: ConditionKind::None,
        side: 512,
        template: Some("long-waves".into()),
        fork_step: 7,
        layers: Some(Layers {
            mask: 0.75,
            other: 0.125,
            contours: false,
        }),
        results: vec![ResultRef {
            file: "a.png".into(),
            recipe: "00ff".into(),
            copy: None,
        }],
        ..ProjectData::default()
    };
    data.draw.count = 3;
    data.tools.target = Target::Class(13);
    data
}

fn drawing() -> Drawing {
    let mut drawing = Drawing::new(512);
    drawing.mask.fill_row(100, 0..512, 13);
    drawing.sketch.fill_row(200, 0..512, 7);
    drawing
}

#[test]
fn a_project_is_opened_and_saved_in_the_format_of_today() {
    let document = file::load(&old("face.mmface-project")).unwrap();
    assert_eq!(document.data, project());
    assert_eq!(document.mask, drawing().label_image());
    assert_eq!(document.sketch, drawing().gray_image());
    let bytes = file::encode(&document, &[]).unwrap();
    assert_eq!(
        file::load_bytes(&bytes, Path::new("new")).unwrap(),
        document
    );
}

#[test]
fn the_journal_of_a_crash_before_the_update_is_recovered() {
    let recovered = journal::read(&old("session")).unwrap();
    assert_eq!(*recovered.frame.data, project());
    assert_eq!(recovered.frame.drawing, drawing());
}

#[test]
fn a_queue_goes_on() {
    let (queue, problems) = QueueFile::load(&old("queue.ron")).unwrap();
    assert!(problems.is_empty() && queue.paused, "{problems:?}");
    let values = Draw {
        prompt: "a\tqueen".into(),
        seed: 9,
        count: 2,
        size: 64,
        steps: 6,
        guidance: 3.5,
        ..Draw::default()
    };
    let cell = Job {
        draw: Draw {
            sampler: Sampler::Heun,
            ..values.clone()
        },
        condition: Condition::Mask(mask()),
        fork: None,
    };
    let branch = Job {
        draw: Draw {
            guide: Guide::WordsAndDrawing,
            ..values
        },
        condition: Condition::Sketch(GrayImage::filled(16, 16, 200)),
        fork: Some(Fork {
            step: 2,
            latent: vec![0.5, -1.25],
        }),
    };
    let jobs: Vec<&Job> = queue.jobs().iter().map(|waiting| &*waiting.job).collect();
    assert_eq!(jobs, [&cell, &branch]);
    let template = queue.jobs()[0].template.as_deref();
    assert_eq!(template, Some("a\t[queen|king]"));
}
