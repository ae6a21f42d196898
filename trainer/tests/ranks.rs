//! Two processes that share a batch train as one process with the whole batch does.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::TcpListener;
use std::path::Path;

use candle_core::Device;
use common::{config, largest_difference, prepare, program};
use mmface_run_protocol::TrainEvent;
use mmface_run_protocol::checkpoint_layout::RAW_FILE;
use mmface_trainer::checkpoint;
use mmface_trainer::config::{Config, Moments};
use mmface_trainer::data::batches::Batches;
use mmface_trainer::data::loader::{Loader, Share};
use mmface_trainer::ranks::ProcessGroup;
use mmface_trainer::run::{self, Changes, RunContext, Start};

fn losses(out: &Path) -> Vec<(u64, f64)> {
    std::fs::read_to_string(out.join("metrics.jsonl"))
        .unwrap()
        .lines()
        .filter_map(|line| match TrainEvent::from_line(line).unwrap() {
            TrainEvent::Step(step) => Some((step.step, step.loss)),
            TrainEvent::HeldOut(report) => Some((1000 + report.step, report.loss)),
            _ => None,
        })
        .collect()
}

#[test]
fn two_processes_equal_one_with_the_whole_batch() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config {
        accumulation: 1,
        ..config(Moments::F32)
    };
    config.every.log = 1;
    config.rate.base = 1e-3;
    let path = prepare(folder.path(), &config);
    let train = |name: &str, ranks: &str| {
        let out = folder.path().join(name);
        let status = program()
            .args([
                "train",
                "--ranks",
                ranks,
                "--device",
                "cpu",
                "--threads",
                "1",
            ])
            .arg("--config")
            .arg(&path)
            .arg("--work")
            .arg(folder.path())
            .arg("--out")
            .arg(&out)
            .status()
            .unwrap();
        assert!(status.success(), "{name}");
        out
    };
    let one = train("one", "1");
    let two = train("two", "2");
    let (a, b) = (losses(&one), losses(&two));
    assert_eq!(a.len(), 12 + 3);
    for (x, y) in a.iter().zip(&b) {
        assert_eq!(x.0, y.0);
        assert!(
            (x.1 - y.1).abs() <= 1e-5 * x.1.abs().max(1.0),
            "{x:?} {y:?}"
        );
    }
    let weights = |out: &Path| {
        let file = out.join("checkpoint-12").join(RAW_FILE);
        checkpoint::read_weights(&file, &config.model.dit(), &Device::Cpu).unwrap()
    };
    let (one, other) = (weights(&one), weights(&two));
    for (name, tensor) in &one {
        let difference = largest_difference(tensor.as_tensor(), other[name].as_tensor());
        assert!(difference <= 1e-4, "{name} differs by {difference}");
    }
}

#[test]
fn a_batch_that_cannot_be_shared_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = prepare(folder.path(), &config(Moments::F32));
    let output = program()
        .args(["plan", "--ranks", "3", "--config"])
        .arg(&path)
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("no multiple"),
        "{text}"
    );
}

#[test]
fn batches_do_not_depend_on_the_number_of_loader_threads() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(Moments::F32);
    common::write_data(folder.path());
    let data = common::data(&config, folder.path());
    let values = |batch: &mmface_trainer::data::batches::Batch| -> Vec<f32> {
        [&batch.data, &batch.condition, &batch.noise, &batch.sequence]
            .into_iter()
            .flat_map(|tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap())
            .collect()
    };
    // Three updates of four samples in two parts, from the second update on.
    let mut plain = Batches::new(&config, &data.train, &data.text);
    let expected: Vec<Vec<f32>> = (0..6)
        .map(|part| values(&plain.get(4 + 2 * part, 2, &Device::Cpu).unwrap()))
        .collect();
    let share = Share { rank: 0, ranks: 1 };
    for threads in [1, 2, 3] {
        std::thread::scope(|scope| {
            let mut loader = Loader::new(
                scope,
                threads,
                &config,
                &data.train,
                &data.text,
                share,
                4,
                &Device::Cpu,
            );
            for part in &expected {
                assert_eq!(
                    values(&loader.next_batch().unwrap()),
                    *part,
                    "{threads} threads"
                );
            }
        });
    }
    // Two processes with two parts each see every sample of an update once.
    let mut seen = Vec::new();
    for rank in 0..2 {
        let share = Share { rank, ranks: 2 };
        assert_eq!(share.part(&config), 1);
        seen.extend((0..2).map(|part| share.position(&config, 8, part)));
        assert_eq!(share.position(&config, 8, 2), 12 + 2 * rank as u64);
    }
    assert_eq!(seen, [8, 9, 10, 11]);
}

#[test]
fn memory_is_counted_for_all_processes_of_a_machine() {
    let folder = tempfile::tempdir().unwrap();
    common::write_data(folder.path());
    let config = config(Moments::F32);
    let data = common::data(&config, folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let start = |group: ProcessGroup, whole: u64| {
        let (mut recorded, mut never) = (common::Recorded::default(), || false);
        let context = RunContext {
            group,
            memory: &|_, processes| Some(whole / processes as u64),
            ..RunContext::new(&data, folder.path(), &mut recorded, &mut never)
        };
        let start = Start::Fresh(config.clone());
        let refused = run::run(start, Changes::default(), context).unwrap_err();
        refused.to_string()
    };
    let join = || ProcessGroup::join(1, 2, &address, "run").unwrap();
    // The other one alone would find enough.
    let told = std::thread::scope(|scope| {
        let other = scope.spawn(|| start(join(), u64::MAX));
        let first = start(ProcessGroup::host(2, &listener, "run").unwrap(), 100);
        [first, other.join().unwrap()]
    });
    assert!(told[0].contains("each of 2 processes"), "{}", told[0]);
    assert!(told[1].contains("another process"), "{}", told[1]);
    assert!(!folder.path().join("metrics.jsonl").exists());
}
