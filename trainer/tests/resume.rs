//! A run that is cut and resumed ends with the same bytes as one that was never cut.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use candle_core::Device;
use common::{Recorded, bytes, config, config_by, data, largest_difference, train, write_data};
use mmface_engine::kernels::Route;
use mmface_run_protocol::checkpoint_layout::{
    self, EMA_FILE, OPTIMIZER_FILE, RAW_FILE, STATE_FILE,
};
use mmface_run_protocol::{RunInputs, run_folder};
use mmface_trainer::checkpoint;
use mmface_trainer::config::{Checkpointing, Config, Every, Moments};
use mmface_trainer::report::TrainEvent;
use mmface_trainer::run::{self, Changes, RunContext, Start};

#[test]
fn a_cut_run_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let moments = [Moments::F32, Moments::Bits8];
    let both = |moments| [Route::Fused, Route::Composed].map(|route| (moments, route));
    for (moments, route) in moments.into_iter().flat_map(both) {
        let config = config_by(route, moments);
        let data = data(&config, folder.path());
        let whole = folder.path().join(format!("whole-{moments:?}-{route:?}"));
        let (end, events) = train(Start::Fresh(config.clone()), &data, &whole, None);
        let expected = bytes(&end);
        assert!(
            matches!(events.last(), Some(TrainEvent::Finished { step: 12, .. })),
            "{events:?}"
        );
        // Cuts before, at, and after the border between two epochs of five samples in batches of four.
        for cut in [1, 5, 7, 10] {
            let out = folder
                .path()
                .join(format!("cut-{moments:?}-{route:?}-{cut}"));
            let (stopped, _) = train(Start::Fresh(config.clone()), &data, &out, Some(cut));
            assert_eq!(checkpoint::find(&out).unwrap(), stopped);
            let (end, _) = train(Start::Checkpoint(stopped), &data, &out, None);
            assert!(
                bytes(&end) == expected,
                "{moments:?}, {route:?}: a run cut after {cut} updates differs"
            );
            let metrics = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
            assert_eq!(metrics.matches("held_out").count(), 3, "{metrics}");
        }
    }
}

#[test]
fn accumulation_and_checkpointing_do_not_change_the_run() {
    for route in [Route::Fused, Route::Composed] {
        accumulation_and_checkpointing_change_nothing(route);
    }
}

fn accumulation_and_checkpointing_change_nothing(route: Route) {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let plain = Config {
        accumulation: 1,
        ..config_by(route, Moments::F32)
    };
    let data = data(&plain, folder.path());
    let end = |name: &str, config: Config| {
        train(Start::Fresh(config), &data, &folder.path().join(name), None).0
    };
    let expected = bytes(&end("plain", plain.clone()));
    for checkpointing in [Checkpointing::Selective, Checkpointing::Full] {
        let by_block = bytes(&end(
            &format!("{checkpointing:?}"),
            Config {
                checkpointing,
                ..plain.clone()
            },
        ));
        assert!(
            by_block == expected,
            "{route:?}: {checkpointing:?} checkpointing changed the bytes"
        );
    }
    let split = end(
        "split",
        Config {
            accumulation: 4,
            ..plain.clone()
        },
    );
    let [one, other] = [folder.path().join("plain/checkpoint-12"), split].map(|path| {
        checkpoint::read_weights(&path.join(RAW_FILE), &plain.model.dit(), &Device::Cpu).unwrap()
    });
    for (name, a) in &one {
        let difference = largest_difference(a.as_tensor(), other[name].as_tensor());
        assert!(difference < 2e-3, "{name} differs by {difference}");
    }
}

#[test]
fn both_routes_train_alike_and_go_on_from_each_other_s_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    for moments in [Moments::F32, Moments::Bits8] {
        let run = |route: Route| {
            let config = config_by(route, moments);
            let data = data(&config, folder.path());
            let out = folder.path().join(format!("{moments:?}-{route:?}"));
            train(Start::Fresh(config), &data, &out, None).0
        };
        let ends = [Route::Fused, Route::Composed].map(run);
        let [fused, composed] = ends.each_ref().map(|end| bytes(end));
        assert!(fused != composed, "{moments:?}: one route ran twice");
        assert_eq!(
            fused.map(|file| file.len()),
            composed.map(|file| file.len()),
            "{moments:?}: the checkpoints differ in kind"
        );
        let dit = config(moments).model.dit();
        let [one, other] = ends
            .each_ref()
            .map(|end| checkpoint::read_weights(&end.join(RAW_FILE), &dit, &Device::Cpu).unwrap());
        for (name, a) in &one {
            let difference = largest_difference(a.as_tensor(), other[name].as_tensor());
            assert!(
                difference < 2e-3,
                "{moments:?}: {name} differs by {difference}"
            );
        }
        // What one route wrote, the other one reads and writes again byte for byte.
        for (end, other) in ends.iter().zip([Route::Composed, Route::Fused]) {
            let mut state = checkpoint::read_state(end).unwrap();
            assert_ne!(state.config.route, Some(other));
            state.config.route = Some(other);
            let training = checkpoint::load(end, &state, &Device::Cpu).unwrap();
            assert_eq!(training.route(), other);
            let again = folder.path().join(format!("{moments:?}-again-{other:?}"));
            let written = checkpoint::save(&again, &training, &state).unwrap();
            assert!(
                bytes(&written) == bytes(end),
                "{moments:?}, read by {other:?}"
            );
        }
    }
}

#[test]
fn a_second_stage_starts_from_the_average_with_a_fresh_optimizer() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let config = Config {
        steps: 3,
        ..config(Moments::F32)
    };
    let data = data(&config, folder.path());
    let (first, _) = train(
        Start::Fresh(config.clone()),
        &data,
        &folder.path().join("one"),
        None,
    );
    let state = checkpoint::read_state(&first).unwrap();
    assert_eq!((state.step, state.samples), (3, 12));
    let mut next = Config {
        steps: 1,
        seed: 5,
        ..config.clone()
    };
    // A rate of zero in the first warm-up update leaves the weights alone.
    next.rate.warmup = 10;
    let (second, _) = train(
        Start::Weights(next, first.clone()),
        &data,
        &folder.path().join("two"),
        None,
    );
    assert_eq!(
        std::fs::read(first.join(EMA_FILE)).unwrap().len(),
        std::fs::read(second.join(RAW_FILE)).unwrap().len()
    );
    let [average, raw] = [first.join(EMA_FILE), second.join(RAW_FILE)]
        .map(|path| checkpoint::read_weights(&path, &config.model.dit(), &Device::Cpu).unwrap());
    for (name, tensor) in &average {
        let values =
            |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(tensor), values(&raw[name]), "{name}");
    }
    assert_eq!(checkpoint::read_state(&second).unwrap().earlier, (3, 12));
}

#[test]
fn half_written_checkpoints_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let config = Config {
        steps: 4,
        every: Every {
            checkpoint: 1,
            keep: 2,
            ..config(Moments::F32).every
        },
        ..config(Moments::F32)
    };
    let data = data(&config, folder.path());
    let out = folder.path().join("run");
    std::fs::create_dir_all(out.join(".checkpoint-9.partial")).unwrap();
    train(Start::Fresh(config.clone()), &data, &out, None);
    assert!(!out.join(".checkpoint-9.partial").exists());
    let kept = checkpoint::complete(&out).unwrap();
    assert!(kept.ends_with(&[3, 4]), "{kept:?}");
    assert_eq!(
        std::fs::read_to_string(out.join("latest")).unwrap(),
        "checkpoint-4\n"
    );
    // A checkpoint that was put aside for a newer one of the same update, which never came.
    std::fs::rename(out.join("checkpoint-3"), out.join(".checkpoint-3.old")).unwrap();
    checkpoint::recover(&out).unwrap();
    assert_eq!(checkpoint::complete(&out).unwrap(), kept);
    std::fs::remove_file(out.join("checkpoint-4/complete")).unwrap();
    assert_eq!(checkpoint::find(&out).unwrap(), out.join("checkpoint-3"));
    let mut recorded = Recorded::default();
    let again = run::run(
        Start::Fresh(config),
        Changes::default(),
        RunContext::new(&data, &out, &mut recorded, &mut || false),
    );
    assert!(again.unwrap_err().to_string().contains("resume"));
}

#[test]
fn the_best_of_the_checkpoints_that_exist_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let config = Config {
        steps: 6,
        every: Every {
            checkpoint: 1,
            heldout: 1,
            keep: 10,
            ..config(Moments::F32).every
        },
        ..config(Moments::F32)
    };
    let data = data(&config, folder.path());
    let out = folder.path().join("run");
    train(Start::Fresh(config), &data, &out, None);
    // Whatever the losses were, let the second checkpoint be the best.
    for step in 1..=6u64 {
        let path = checkpoint_layout::folder(&out, step).join(STATE_FILE);
        let mut state = checkpoint::read_state(&checkpoint_layout::folder(&out, step)).unwrap();
        if let Some(report) = &mut state.heldout {
            report.loss = if step == 2 { 0.1 } else { 0.5 };
        }
        let text = ron::ser::to_string_pretty(&state, ron::ser::PrettyConfig::default()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    checkpoint::prune(&out, 2).unwrap();
    assert_eq!(checkpoint::complete(&out).unwrap(), [2, 5, 6]);
}

#[test]
fn a_run_goes_on_without_being_told_where_its_data_lies() {
    let folder = tempfile::tempdir().unwrap();
    let (work, out) = (folder.path().join("work"), folder.path().join("run"));
    std::fs::create_dir(&work).unwrap();
    let path = common::prepare(&work, &config(Moments::F32));
    let trainer = |arguments: &[&str], more: &[(&str, &Path)]| {
        let mut command = common::program();
        command.args(arguments).arg("--out").arg(&out);
        for (option, value) in more {
            command.arg(option).arg(value);
        }
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), told)
    };
    let noted = || -> RunInputs {
        serde_json::from_slice(&std::fs::read(run_folder::inputs(&out)).unwrap()).unwrap()
    };
    let (done, told) = trainer(
        &["train", "--set", "steps=2"],
        &[("--config", &path), ("--work", &work)],
    );
    assert!(done, "{told}");
    let (done, told) = trainer(&["resume", "--steps", "3"], &[]);
    assert!(done, "{told}");
    assert_eq!(checkpoint::complete(&out).unwrap(), [2, 3]);
    assert_eq!(noted().work, work);

    let moved = folder.path().join("moved");
    std::fs::rename(&work, &moved).unwrap();
    let (done, told) = trainer(&["resume", "--steps", "4"], &[]);
    assert!(!done);
    for part in ["work is gone", "--work", "inputs.json"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    let (done, told) = trainer(&["resume", "--steps", "4"], &[("--work", &moved)]);
    assert!(done, "{told}");
    assert_eq!(noted().work, moved);
}

/// Runs `mmface-trainer resume` and says whether it succeeded and what it told.
fn resume(out: &Path, more: &[&str]) -> (bool, String) {
    let mut command = common::program();
    command.arg("resume").args(more).arg("--out").arg(out);
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), told)
}

/// A run of the program itself, with checkpoints after two and after four updates.
fn four_updates(folder: &Path) -> PathBuf {
    let mut config = config(Moments::F32);
    (config.steps, config.every.checkpoint) = (4, 2);
    let path = common::prepare(folder, &config);
    let out = folder.join("run");
    let status = common::program()
        .arg("train")
        .arg("--config")
        .arg(&path)
        .arg("--work")
        .arg(folder)
        .arg("--out")
        .arg(&out)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    out
}

#[test]
fn a_run_that_cannot_continue_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = four_updates(folder.path());
    let metrics = std::fs::read(run_folder::metrics(&out)).unwrap();
    for (arguments, parts) in [
        (
            &["--steps", "3"][..],
            ["done 4 updates already", "name more"],
        ),
        (&["--steps", "4"], ["done 4 updates already", "name more"]),
        (&["--cooldown", "0"], ["--cooldown 0", "at least 1"]),
        (
            &["--set", "rate.base=1e-5"],
            ["stay as they were", "--init-from"],
        ),
    ] {
        let (done, told) = resume(&out, arguments);
        assert!(!done, "{arguments:?}: {told}");
        let last = told.trim_end().lines().last().unwrap();
        for part in parts {
            assert!(last.contains(part), "{arguments:?}: {told}");
        }
    }
    assert_eq!(
        std::fs::read(run_folder::metrics(&out)).unwrap(),
        metrics,
        "nothing was begun"
    );
    // Whoever restarts a run until it is done must not see an error.
    let (done, told) = resume(&out, &[]);
    assert!(done && told.contains("nothing was left to do"), "{told}");
    assert!(told.contains("--steps N"), "{told}");
    let (done, told) = resume(&out, &["--steps", "5"]);
    assert!(done, "{told}");
}

#[test]
fn a_damaged_checkpoint_names_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let out = four_updates(folder.path());
    for file in [RAW_FILE, EMA_FILE, OPTIMIZER_FILE] {
        let path = checkpoint_layout::folder(&out, 4).join(file);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 100]).unwrap();
        let (done, told) = resume(&out, &["--steps", "6"]);
        assert!(!done, "{told}");
        for part in [file, "checkpoint-2", "--out"] {
            assert!(told.contains(part), "{file}: {told}");
        }
        std::fs::write(&path, whole).unwrap();
    }
    let (done, told) = resume(&checkpoint_layout::folder(&out, 2), &["--steps", "6"]);
    assert!(done, "{told}");
}

#[test]
fn what_stops_a_run_is_told_before_data_is_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let out = four_updates(folder.path());
    let config = folder.path().join("tiny.ron");
    let other = folder.path().join("other.safetensors");
    mmface_trainer::tensors::write(&other, &std::collections::BTreeMap::new(), &[]).unwrap();
    let fresh = folder.path().join("fresh");
    for (to, more, part) in [
        (&out, vec![], "already holds checkpoints"),
        (&fresh, vec!["--ranks", "3"], "no multiple of 3 processes"),
        (
            &fresh,
            vec!["--init-from", other.to_str().unwrap()],
            "is missing",
        ),
        (
            &fresh,
            vec!["--rank", "1", "--meet", "127.0.0.1:9"],
            "--ranks",
        ),
        (
            &fresh,
            vec!["--ranks", "2", "--rank", "2", "--meet", "127.0.0.1:9"],
            "from 0 to 1",
        ),
        (
            &fresh,
            vec!["--ranks", "2", "--meet", "127.0.0.1:9"],
            "--rank",
        ),
        (&fresh, vec!["--ranks", "0"], "--ranks 0"),
    ] {
        let output = common::program()
            .arg("train")
            .arg("--config")
            .arg(&config)
            .arg("--work")
            .arg(folder.path())
            .arg("--out")
            .arg(to)
            // Neither data nor frozen networks are there: whoever got as far would say so.
            .args(["--data", "nothing", "--weights", "nothing"])
            .args(&more)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{more:?}");
        assert!(told.contains(part), "{more:?}: {told}");
    }
    assert!(!fresh.exists());
}
