//! Latents of folders: only what changed is made again, bad files are listed, a stop loses nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Tensor;
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::write::encode_rgb;
use mmface_engine::picture::{GrayImage, RgbImage};
use mmface_run_protocol::TrainEvent;
use mmface_trainer::config::{Config, parse_ron};
use mmface_trainer::data::latents::{self, Encoder, Plan};
use mmface_trainer::data::source::Source;
use mmface_trainer::data::store::{Kind, LatentStore};
use mmface_trainer::prepare::{self, Preparation};
use mmface_trainer::report::Sink;

const SAMPLES: usize = 40;
const HELD_OUT: usize = 6;
const SIDE: usize = 64;

/// Means of blocks instead of a network; counts what it is asked for.
#[derive(Default)]
struct Blocks(AtomicUsize);

impl Encoder for Blocks {
    fn hash(&self) -> &str {
        "blocks"
    }

    fn encode(&self, pictures: &Tensor) -> mmface_engine::Result<Tensor> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(pictures.avg_pool2d(8)?)
    }
}

fn photo(index: usize) -> Vec<u8> {
    encode_rgb(&RgbImage::filled(SIDE, SIDE, [index as u8, 100, 200])).unwrap()
}

fn write_folders(root: &Path) {
    for folder in ["images", "masks", "sketches", "text"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    let mut mask = LabelImage::filled(SIDE, SIDE, 1);
    mask.labels[..SIDE * 20].fill(13);
    let mask = encode_rgb(&mask.to_rgb()).unwrap();
    let sketch = GrayImage::filled(SIDE, SIDE, 255).to_png().unwrap();
    for index in 0..SAMPLES {
        std::fs::write(root.join(format!("images/{index}.png")), photo(index)).unwrap();
        std::fs::write(root.join(format!("masks/{index}.png")), &mask).unwrap();
        std::fs::write(root.join(format!("sketches/{index}.png")), &sketch).unwrap();
        let text = format!("face {index}\n\n again {index} \n");
        std::fs::write(root.join(format!("text/{index}.txt")), text).unwrap();
    }
}

/// Prepares the training split; returns samples encoded and samples left out.
fn round(root: &Path, work: &Path, files: usize) -> (usize, mmface_engine::Result<Vec<String>>) {
    let source = Source::discover(root, None, HELD_OUT).unwrap();
    let [shards, _] = source.shards().unwrap();
    let plan = Plan {
        shards: &shards,
        prefix: "train-",
        output: latents::folder(work, 32, 1),
        resolution: 32,
        variants: 1,
        seed: 0,
    };
    let encoder = Blocks::default();
    let written = AtomicUsize::new(0);
    let stop = || written.load(Ordering::Relaxed) >= files;
    let mut progress = |_, _, _| {
        written.fetch_add(1, Ordering::Relaxed);
    };
    let result = latents::prepare(&plan, &encoder, SAMPLES, &stop, &mut progress);
    if result.is_ok() {
        assert!(latents::outdated(&plan, &encoder).unwrap().is_empty());
    }
    // Photo, mask and sketch of each.
    (encoder.0.load(Ordering::Relaxed) / 3, result)
}

#[test]
fn only_what_changed_is_encoded_again() {
    let folder = tempfile::tempdir().unwrap();
    let (root, work) = (folder.path().join("faces"), folder.path().join("work"));
    write_folders(&root);
    let all = SAMPLES - HELD_OUT;

    // Stopped after one file, the next round makes the rest.
    let (before, stopped) = round(&root, &work, 1);
    assert!(matches!(stopped, Err(mmface_engine::Error::Cancelled)));
    assert!(before > 0 && before < all, "{before}");
    let (after, result) = round(&root, &work, usize::MAX);
    assert_eq!(before + after, all);
    assert!(result.unwrap().is_empty());
    assert_eq!(round(&root, &work, usize::MAX).0, 0);
    let opened = LatentStore::open(&latents::folder(&work, 32, 1), "train-").unwrap();
    assert_eq!((opened.len(), opened.channels, opened.side), (all, 3, 4));
    assert_eq!(opened.entry(0).captions.len(), 2);

    // Another picture of the same size and name is noticed, and its file alone is made again.
    let key = opened.entry(3).key.clone();
    let name = key.rsplit('/').next().unwrap().to_owned();
    let path = root.join(format!("images/{name}.png"));
    std::fs::write(&path, photo(250)).unwrap();
    drop(opened);
    let (again, _) = round(&root, &work, usize::MAX);
    assert!(again > 0 && again < all, "{again}");
    let opened = LatentStore::open(&latents::folder(&work, 32, 1), "train-").unwrap();
    let place = (0..opened.len())
        .find(|&sample| opened.entry(sample).key == key)
        .unwrap();
    let mut latent = Vec::new();
    opened.push(place, 0, Kind::Photo, &mut latent);
    let red = 250.0 / 255.0 * 2.0 - 1.0;
    assert!((latent[0] - red).abs() < 2e-3, "{} {red}", latent[0]);
    drop(opened);

    // A damaged file is left out with its reason; the others stay.
    std::fs::write(&path, b"\x89PNG\r\n\x1a\n damaged").unwrap();
    let (_, left_out) = round(&root, &work, usize::MAX);
    let left_out = left_out.unwrap();
    assert!(
        left_out.len() == 1 && left_out[0].contains(&key),
        "{left_out:?}"
    );
    let opened = LatentStore::open(&latents::folder(&work, 32, 1), "train-").unwrap();
    assert_eq!(opened.len(), all - 1);
    // It is told again when nothing has to be made.
    assert_eq!(round(&root, &work, usize::MAX).1.unwrap(), left_out);
}

#[derive(Default)]
struct Recorded(Vec<TrainEvent>);

impl Sink for Recorded {
    fn on_event(&mut self, event: &TrainEvent) -> mmface_engine::Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

#[test]
fn missing_parts_stop_before_anything_is_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("faces");
    write_folders(&root);
    for index in 0..3 {
        std::fs::remove_file(root.join(format!("sketches/{index}.png"))).unwrap();
    }
    std::fs::remove_dir_all(root.join("text")).unwrap();
    let config: Config =
        parse_ron("(name: \"t\", model: Demo, resolution: 64, variants: 1, batch: 4, steps: 1)")
            .unwrap();
    let preparation = |allow_missing| Preparation {
        source: Source::discover(&root, None, HELD_OUT).unwrap(),
        weights: folder.path().join("no weights"),
        work: folder.path().join("work"),
        allow_missing,
    };
    let mut recorded = Recorded::default();
    let error = prepare::prepare(&config, &preparation(false), &mut recorded).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("caption files") && text.contains("--allow-missing"),
        "{text}"
    );
    let samples: u64 = recorded
        .0
        .iter()
        .map(|event| match event {
            TrainEvent::Data(table) => table.samples,
            _ => 0,
        })
        .sum();
    assert_eq!(samples, SAMPLES as u64);
    assert!(!folder.path().join("work").exists());
    // With leave, the next thing that is missing is the autoencoder.
    let error = prepare::prepare(&config, &preparation(true), &mut recorded).unwrap_err();
    assert!(error.to_string().contains("no weights"), "{error}");
}
