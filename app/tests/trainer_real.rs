//! The trainer tab with the real `mmface-trainer`: a tiny run on made-up data, from plan to stop.
//!
//! The program is another package's; `cargo test --workspace` builds it beside the tests. Where it
//! is missing the test says so and passes, unless `MMFACE_REQUIRE_TRAINER` is set.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::path::{Path, PathBuf};

use common::{click, studio, wait_for};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use mmface::studio::StudioApp;
use mmface::studio::trainer::Phase;
use mmface_run_protocol::{Holder, lock};
use sha2::{Digest, Sha256};

const CONFIG: &str = "(name: \"tiny\", resolution: 32, variants: 1, batch: 2, steps: 100000,
    model: Custom((hidden: 16, depth: 1, heads: 2, mlp_ratio: 4.0, patch: 2, channels: 8, text_dim: 8, objective: Flow,
        text_rope: Sequential, modality_embedder: true, dual_stream: true, rope: true, learn_sigma: false)),
    every: (log: 5, heldout: 20, checkpoint: 100000, keep: 2))";

fn trainer() -> Option<PathBuf> {
    let name = format!("mmface-trainer{}", std::env::consts::EXE_SUFFIX);
    let test = std::env::current_exe().expect("a program");
    let path = test.parent()?.parent()?.join(name);
    if path.is_file() {
        return Some(path);
    }
    let required = std::env::var_os("MMFACE_REQUIRE_TRAINER").is_some();
    assert!(!required, "{} is not there", path.display());
    eprintln!("skipped: {} is not built", path.display());
    None
}

/// Latents and text features of made-up numbers, as the trainer prepares them.
fn prepare(work: &Path) {
    let folder = work.join("latents-32-1");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut captions = vec![String::new()];
    for (prefix, count) in [("train-", 4), ("heldout-", 2)] {
        let keys = (0..count).map(|index| format!("{prefix}{index}"));
        let keys: Vec<String> = keys.collect();
        let entries: Vec<serde_json::Value> = keys
            .iter()
            .map(|key| serde_json::json!({"key": key, "captions": [key]}))
            .collect();
        captions.extend(keys);
        let samples = serde_json::to_string(&entries).expect("plain data");
        let shape = [count, 1, 4, 4, 4];
        let tensors = ["mask", "photo", "sketch"].map(|kind| (kind, "F16", &shape[..]));
        write(
            &folder.join(format!("{prefix}0.safetensors")),
            &tensors,
            ("samples", samples),
        );
    }
    let list = serde_json::to_string(&captions).expect("plain data");
    let hash = Sha256::digest(list.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(work.join("text-features.captions.json"), list).expect("a file");
    let count = captions.len();
    let tensors = [
        ("pooled", "F32", &[count, 8][..]),
        ("sequence", "F16", &[count, 3, 8][..]),
    ];
    write(
        &work.join("text-features.safetensors"),
        &tensors,
        ("list_sha256", hash),
    );
}

/// Writes a safetensors file whose numbers are halves and wholes by turns.
fn write(path: &Path, tensors: &[(&str, &str, &[usize])], note: (&str, String)) {
    let mut header = serde_json::json!({"__metadata__": {note.0: note.1}});
    let mut body = Vec::new();
    for (name, element, shape) in tensors {
        let start = body.len();
        let count: usize = shape.iter().product();
        for index in 0..count {
            let value = if index % 3 == 0 { -0.5f32 } else { 1.0 };
            match *element {
                "F32" => body.extend(value.to_le_bytes()),
                // -0.5 and 1 as halves.
                _ => body.extend(if index % 3 == 0 { 0xb800u16 } else { 0x3c00 }.to_le_bytes()),
            }
        }
        header[*name] = serde_json::json!({
            "dtype": element,
            "shape": shape,
            "data_offsets": [start, body.len()],
        });
    }
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(body);
    std::fs::write(path, file).expect("a file");
}

#[test]
fn a_tiny_run_from_plan_to_stop_and_on_again() {
    let Some(program) = trainer() else { return };
    let home = tempfile::tempdir().expect("a folder");
    let work = home.path().join("work");
    prepare(&work);
    let config = home.path().join("tiny.ron");
    std::fs::write(&config, CONFIG).expect("a file");
    let mut harness = studio(home.path());
    let form = &mut harness.state_mut().studio.context.settings.trainer;
    form.program = program.display().to_string();
    form.from_file = true;
    form.config = config.display().to_string();
    form.work = work.display().to_string();
    form.out = home.path().join("run").display().to_string();
    form.threads = 1;
    harness.get_by_label("Trainer").click();
    wait_for(&mut harness, "the presets", |app| {
        app.studio
            .trainer
            .presets
            .iter()
            .any(|preset| preset.name == "demo")
    });
    harness.run_steps(2);
    click(&mut harness, "Make the plan");
    wait_for(&mut harness, "the plan with its time", |app| {
        let state = &app.studio.trainer;
        assert_eq!(state.problem, None);
        state
            .plan
            .as_ref()
            .is_some_and(|planned| planned.plan.seconds.is_some())
    });
    let planned = harness.state().studio.trainer.plan.clone().expect("a plan");
    assert_eq!(
        (planned.plan.steps, planned.plan.samples, planned.unprepared),
        (100_000, 4, None)
    );
    assert!(planned.plan.memory_total > 0 && planned.plan.disk_checkpoints > 0);
    assert!(planned.plan.rates.iter().any(|(_, rate)| *rate > 0.0));

    harness.run_steps(2);
    click(&mut harness, "Start training");
    wait_for(&mut harness, "curves", |app| {
        let view = &app.studio.trainer.view;
        view.loss.points().len() > 2 && !view.heldout_loss.points().is_empty()
    });
    harness.run_steps(2);
    click(&mut harness, "Pause or resume training");
    wait_for(&mut harness, "the pause", |app| {
        matches!(app.studio.trainer.view.phase, Phase::Paused(_))
    });
    let paused = harness.state().studio.trainer.view.step();
    harness.run_steps(2);
    click(&mut harness, "Pause or resume training");
    wait_for(&mut harness, "more updates", |app| {
        app.studio.trainer.view.step() > paused
    });
    harness.run_steps(2);
    click(&mut harness, "Stop training after a checkpoint");
    wait_for(&mut harness, "the end", |app| {
        !app.studio.trainer.has_child()
    });
    assert!(matches!(
        harness.state().studio.trainer.view.phase,
        Phase::Stopped(_)
    ));
    wait_for(&mut harness, "the checkpoint", |app| {
        !app.studio.trainer.view.checkpoints.list.is_empty()
    });
    let stopped = harness.state().studio.trainer.view.step();

    harness.run_steps(2);
    click(&mut harness, "Resume");
    wait_for(&mut harness, "the run goes on", |app| {
        app.studio.trainer.view.step() > stopped
    });
    let points = harness.state().studio.trainer.view.loss.points().to_vec();
    assert!(
        points.windows(2).all(|pair| pair[0].x < pair[1].x),
        "one curve"
    );
    if cfg!(unix) {
        left_running(harness, home.path());
    }
}

/// The window goes, the run stays; another window finds it, follows it, pauses it, lets it go on,
/// has it write a checkpoint, and stops it.
fn left_running(harness: Harness<'_, StudioApp>, home: &Path) {
    let out = home.join("run");
    let before = harness.state().studio.trainer.view.step();
    let form = harness.state().studio.context.settings.trainer.clone();
    drop(harness);
    let holder = lock::holder(&out);
    assert!(matches!(holder, Holder::Process(Some(_))), "{holder:?}");
    let mut harness = studio(home);
    harness.state_mut().studio.context.settings.trainer = form;
    harness.get_by_label("Trainer").click();
    wait_for(&mut harness, "the run of the other window", |app| {
        app.studio.trainer.is_foreign()
    });
    wait_for(&mut harness, "its news", |app| {
        app.studio.trainer.view.step() > before + 50
    });
    harness.run_steps(2);
    let wait_until_paused = |harness: &mut Harness<'_, StudioApp>| {
        wait_for(harness, "the pause", |app| {
            matches!(app.studio.trainer.view.phase, Phase::Paused(_))
        });
    };
    click(&mut harness, "Pause or resume training");
    wait_until_paused(&mut harness);
    let paused = harness.state().studio.trainer.view.step();
    // Nobody is left who started it; it waits all the same.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    harness.run_steps(2);
    click(&mut harness, "Pause or resume training");
    wait_for(&mut harness, "more updates", |app| {
        app.studio.trainer.view.step() > paused
    });
    let newest = |app: &StudioApp| {
        let list = &app.studio.trainer.view.checkpoints.list;
        list.iter().map(|one| one.step).max().unwrap_or(0)
    };
    let last = newest(harness.state());
    harness.run_steps(2);
    click(&mut harness, "Write a checkpoint now");
    wait_for(&mut harness, "a checkpoint", |app| newest(app) > last);
    harness.run_steps(2);
    click(&mut harness, "Stop training after a checkpoint");
    wait_for(&mut harness, "its end", |app| {
        !app.studio.trainer.is_foreign()
    });
    let phase = &harness.state().studio.trainer.view.phase;
    assert!(matches!(phase, Phase::Stopped(_)), "{phase:?}");
    assert_eq!(lock::holder(&out), Holder::Nobody);
}
