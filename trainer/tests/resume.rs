//! A run that is cut and resumed ends with the same bytes as one that was never cut.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Device;
use mmface_engine::kernels::Precision;
use mmface_engine::model::dit::DitConfig;
use mmface_trainer::checkpoint::{self, EMA_FILE, RAW_FILE};
use mmface_trainer::config::{
    Config, Every, Model, Moments, OptimizerConfig, RateConfig, parse_ron,
};
use mmface_trainer::data::latents::{self, Entry, KINDS};
use mmface_trainer::data::store::LatentStore;
use mmface_trainer::data::text::TextStore;
use mmface_trainer::report::{Sink, TrainEvent};
use mmface_trainer::rng::{Purpose, fill_normal, stream};
use mmface_trainer::run::{self, Changes, Data, Place, Start};
use mmface_trainer::tensors::{self, Blob};
use sha2::{Digest, Sha256};

const VARIANTS: usize = 2;
const SAMPLES: usize = 5;
const SIDE: usize = 4;
const TOKENS: usize = 3;
const WIDTH: usize = 8;

/// Latents and features of made-up numbers.
fn write_data(work: &Path) {
    let folder = latents::folder(work, 8 * SIDE, VARIANTS);
    std::fs::create_dir_all(&folder).unwrap();
    let mut captions = vec![String::new()];
    for (prefix, count, variants) in [("train-", SAMPLES, VARIANTS), ("heldout-", 2, 1)] {
        let entries: Vec<Entry> = (0..count)
            .map(|index| Entry {
                key: format!("{prefix}{index}"),
                captions: vec![format!("{prefix} {index} a"), format!("{prefix} {index} b")],
            })
            .collect();
        captions.extend(entries.iter().flat_map(|entry| entry.captions.clone()));
        let shape = [count, variants, 4, SIDE, SIDE];
        let values: Vec<Vec<f32>> = (0..KINDS.len() as u64)
            .map(|index| {
                let mut values = vec![0.0; shape.iter().product()];
                fill_normal(&mut stream(9, Purpose::Bench, index), &mut values);
                values
            })
            .collect();
        let blobs: BTreeMap<String, Blob> = KINDS
            .iter()
            .zip(&values)
            .map(|(kind, values)| ((*kind).to_owned(), Blob::f16(&shape, values)))
            .collect();
        let samples = serde_json::to_string(&entries).unwrap();
        tensors::write(
            &folder.join(format!("{prefix}0.safetensors")),
            &blobs,
            &[("samples", samples)],
        )
        .unwrap();
    }
    let count = captions.len();
    let mut sequence = vec![0.0; count * TOKENS * WIDTH];
    let mut pooled = vec![0.0; count * WIDTH];
    fill_normal(&mut stream(9, Purpose::Bench, 10), &mut sequence);
    fill_normal(&mut stream(9, Purpose::Bench, 11), &mut pooled);
    let list = serde_json::to_string(&captions).unwrap();
    let hash = mmface_trainer::config::hex(&Sha256::digest(list.as_bytes()));
    std::fs::write(work.join("text-features.captions.json"), &list).unwrap();
    let blobs = BTreeMap::from([
        (
            "sequence".to_owned(),
            Blob::f16(&[count, TOKENS, WIDTH], &sequence),
        ),
        ("pooled".to_owned(), Blob::f32(&[count, WIDTH], &pooled)),
    ]);
    tensors::write(
        &work.join("text-features.safetensors"),
        &blobs,
        &[("list_sha256", hash)],
    )
    .unwrap();
}

fn data(config: &Config, work: &Path) -> Data {
    let folder = latents::folder(work, config.resolution, config.variants);
    Data {
        train: LatentStore::open(&folder, "train-").unwrap(),
        heldout: LatentStore::open(&folder, "heldout-").unwrap(),
        text: TextStore::open(&work.join("text-features.safetensors")).unwrap(),
    }
}

fn config(moments: Moments) -> Config {
    let dit = DitConfig {
        hidden: 16,
        depth: 2,
        heads: 2,
        channels: 8,
        text_dim: WIDTH,
        ..DitConfig::demo()
    };
    let mut config: Config =
        parse_ron("(name: \"tiny\", model: Demo, resolution: 32, batch: 4, steps: 12)").unwrap();
    config.model = Model::Custom(dit);
    config.variants = VARIANTS;
    config.precision = Precision::Exact;
    config.accumulation = 2;
    config.optimizer = OptimizerConfig {
        moments,
        ..OptimizerConfig::default()
    };
    config.rate = RateConfig {
        base: 1e-2,
        warmup: 2,
        ..RateConfig::default()
    };
    config.dropout.text = 0.3;
    config.dropout.pooled = 0.3;
    config.every = Every {
        log: 3,
        heldout: 4,
        checkpoint: 100,
        keep: 2,
        sample: None,
    };
    config
}

#[derive(Default)]
struct Heard(Vec<TrainEvent>);

impl Sink for Heard {
    fn hear(&mut self, event: &TrainEvent) -> mmface_engine::Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

/// Trains until the end, or until so many updates were done in this process.
fn train(
    start: Start,
    data: &Data,
    out: &Path,
    updates: Option<u64>,
) -> (PathBuf, Vec<TrainEvent>) {
    let done = Cell::new(0);
    let mut stop = || {
        done.set(done.get() + 1);
        updates.is_some_and(|updates| done.get() >= updates)
    };
    let mut heard = Heard::default();
    let place = Place::new(data, out, &mut heard, &mut stop);
    let folder = run::run(start, Changes::default(), place).unwrap();
    (folder, heard.0)
}

fn bytes(checkpoint: &Path) -> [Vec<u8>; 3] {
    [RAW_FILE, EMA_FILE, "optimizer.safetensors"]
        .map(|name| std::fs::read(checkpoint.join(name)).unwrap())
}

#[test]
fn a_cut_run_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    for moments in [Moments::F32, Moments::Bits8] {
        let config = config(moments);
        let data = data(&config, folder.path());
        let whole = folder.path().join(format!("whole-{moments:?}"));
        let (end, events) = train(Start::Fresh(config.clone()), &data, &whole, None);
        let expected = bytes(&end);
        assert!(
            matches!(events.last(), Some(TrainEvent::Finished { step: 12, .. })),
            "{events:?}"
        );
        // Cuts before, at, and after the border between two epochs of five samples in batches of four.
        for cut in [1, 5, 7, 10] {
            let out = folder.path().join(format!("cut-{moments:?}-{cut}"));
            let (stopped, _) = train(Start::Fresh(config.clone()), &data, &out, Some(cut));
            assert_eq!(checkpoint::find(&out).unwrap(), stopped);
            let (end, _) = train(Start::Checkpoint(stopped), &data, &out, None);
            assert!(
                bytes(&end) == expected,
                "{moments:?}: a run cut after {cut} updates differs"
            );
            let metrics = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
            assert_eq!(metrics.matches("held_out").count(), 3, "{metrics}");
        }
    }
}

#[test]
fn accumulation_and_block_checkpointing_do_not_change_the_run() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let plain = Config {
        accumulation: 1,
        ..config(Moments::F32)
    };
    let data = data(&plain, folder.path());
    let end = |name: &str, config: Config| {
        train(Start::Fresh(config), &data, &folder.path().join(name), None).0
    };
    let expected = bytes(&end("plain", plain.clone()));
    let by_block = bytes(&end(
        "block",
        Config {
            block_checkpointing: true,
            ..plain.clone()
        },
    ));
    assert!(
        by_block == expected,
        "block checkpointing changed the bytes"
    );
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
        let difference = (a.as_tensor() - other[name].as_tensor())
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(difference < 2e-3, "{name} differs by {difference}");
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
    std::fs::remove_file(out.join("checkpoint-4/complete")).unwrap();
    assert_eq!(checkpoint::find(&out).unwrap(), out.join("checkpoint-3"));
    let mut heard = Heard::default();
    let again = run::run(
        Start::Fresh(config),
        Changes::default(),
        Place::new(&data, &out, &mut heard, &mut || false),
    );
    assert!(again.unwrap_err().to_string().contains("resume"));
}
