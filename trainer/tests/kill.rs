//! Killed with SIGKILL at any moment and resumed, a run ends with the same bytes as one that was
//! never interrupted.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(unix)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{bytes, config_by, prepare, program};
use mmface_engine::kernels::Route;
use mmface_trainer::checkpoint;
use mmface_trainer::config::{Config, Every, Moments};
use mmface_trainer::rng::{Purpose, below, stream};

fn tiny(route: Route) -> Config {
    let config = config_by(route, Moments::F32);
    Config {
        steps: 40,
        every: Every {
            log: 5,
            heldout: 10,
            checkpoint: 3,
            keep: 2,
            sample: None,
        },
        ..config
    }
}

/// Starts or resumes the run.
fn start(folder: &Path, config: &Path, out: &Path) -> std::process::Child {
    let mut command = program();
    let begun = out.is_dir() && checkpoint::find(out).is_ok();
    command.arg(if begun { "resume" } else { "train" });
    if !begun {
        command.arg("--config").arg(config);
    }
    command.arg("--work").arg(folder).arg("--out").arg(out);
    command.spawn().unwrap()
}

fn writing(out: &Path) -> bool {
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .any(|name| name.starts_with(".checkpoint-"))
}

#[test]
fn twenty_kills_change_nothing() {
    kills_change_nothing(Route::Fused, 20, 3);
}

#[test]
fn nor_do_kills_of_the_composed_route() {
    kills_change_nothing(Route::Composed, 6, 1);
}

/// So many kills must hit a living run, so many of them while a checkpoint is being written.
fn kills_change_nothing(route: Route, least_kills: usize, least_in_write: usize) {
    let folder = tempfile::tempdir().unwrap();
    let config = prepare(folder.path(), &tiny(route));
    let whole = folder.path().join("whole");
    let begun = Instant::now();
    assert!(
        start(folder.path(), &config, &whole)
            .wait()
            .unwrap()
            .success()
    );
    let length = begun.elapsed();
    let expected = bytes(&whole.join("checkpoint-40"));

    let mut rng = stream(20, Purpose::Bench, 99);
    let (mut kills, mut in_write, mut rounds) = (0, 0, 0);
    while kills < least_kills || in_write < least_in_write {
        rounds += 1;
        assert!(
            rounds < 200,
            "{kills} kills, {in_write} of them during a write"
        );
        let out = folder.path().join(format!("cut-{rounds}"));
        // A run is killed up to four times before it may end.
        for _ in 0..4 {
            let mut child = start(folder.path(), &config, &out);
            let wait_for_write = in_write < least_in_write && kills % 2 == 0;
            let delay = length.mul_f64(below(&mut rng, 1000) as f64 / 1000.0);
            let deadline = Instant::now() + delay;
            let mut hit = false;
            while child.try_wait().unwrap().is_none() {
                hit = wait_for_write && writing(&out);
                if hit || (!wait_for_write && Instant::now() >= deadline) {
                    break;
                }
                if !wait_for_write {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                kills += 1;
                in_write += usize::from(hit);
            }
            child.wait().unwrap();
            // Whatever happened, what `latest` would lead to is whole.
            if let Ok(found) = checkpoint::find(&out) {
                checkpoint::read_state(&found).unwrap();
            }
        }
        assert!(
            start(folder.path(), &config, &out)
                .wait()
                .unwrap()
                .success()
        );
        assert!(
            bytes(&out.join("checkpoint-40")) == expected,
            "after {kills} kills, {in_write} during a write, round {rounds} differs"
        );
        std::fs::remove_dir_all(&out).unwrap();
    }
    eprintln!("{kills} kills in {rounds} runs, {in_write} during a write");
}
