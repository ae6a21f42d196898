//! Made-up data and a tiny configuration for tests of whole runs.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use candle_core::Tensor;
use mmface_engine::kernels::{Precision, Route};
use mmface_engine::model::dit::DitConfig;
use mmface_engine::weights::Package;
use mmface_run_protocol::checkpoint_layout::{EMA_FILE, OPTIMIZER_FILE, RAW_FILE};
use mmface_trainer::config::{
    Config, Every, Model, Moments, OptimizerConfig, RateConfig, parse_ron,
};
use mmface_trainer::data::latents::{self, Entry, KINDS};
use mmface_trainer::data::prepared::PreparedData;
use mmface_trainer::data::store::LatentStore;
use mmface_trainer::data::text::TextStore;
use mmface_trainer::report::{Sink, TrainEvent};
use mmface_trainer::rng::{Purpose, fill_normal, stream};
use mmface_trainer::run::{self, Changes, RunContext, Start};
use mmface_trainer::tensors::{self, Blob};
use sha2::{Digest, Sha256};

const VARIANTS: usize = 2;
const SAMPLES: usize = 5;
const SIDE: usize = 4;
const TOKENS: usize = 3;
const WIDTH: usize = 8;

/// The largest difference between two tensors of one shape.
pub(crate) fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    let difference = (a - b).unwrap().abs().unwrap();
    difference.max_all().unwrap().to_scalar().unwrap()
}

/// The bundled model's frozen parts, as the trainer takes them.
pub(crate) fn frozen(folder: &Path) -> PathBuf {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/demo");
    let weights = folder.join("frozen");
    let manifest = Package::open(&demo).unwrap().manifest().clone();
    for part in ["vae", "text"] {
        std::fs::create_dir_all(weights.join(part)).unwrap();
        let name = format!("{part}.safetensors");
        std::fs::copy(demo.join(&name), weights.join(part).join(&name)).unwrap();
    }
    std::fs::copy(
        demo.join("tokenizer.json"),
        weights.join("text/tokenizer.json"),
    )
    .unwrap();
    let latent = manifest.latent;
    let vae = serde_json::json!({
        "latent_channels": latent.channels,
        "block_out_channels": latent.widths,
        "layers_per_block": latent.layers,
        "norm_num_groups": latent.groups,
        "use_quant_conv": latent.quant_convs,
        "use_post_quant_conv": latent.quant_convs,
        "mid_block_add_attention": latent.attention,
        "scaling_factor": latent.scale,
        "shift_factor": latent.shift,
        "in_channels": 3,
        "out_channels": 3,
    });
    let text = serde_json::json!({
        "hidden_size": manifest.text.width,
        "num_hidden_layers": manifest.text.layers,
        "num_attention_heads": manifest.text.heads,
        "max_position_embeddings": manifest.text.tokens,
        "vocab_size": manifest.text.vocabulary,
        "intermediate_size": manifest.text.inner,
        "hidden_act": "gelu",
        "eos_token_id": 2,
    });
    std::fs::write(weights.join("vae/config.json"), vae.to_string()).unwrap();
    std::fs::write(weights.join("text/config.json"), text.to_string()).unwrap();
    weights
}

/// Latents and features of made-up numbers, for the tiny configuration.
pub(crate) fn write_data(work: &Path) {
    write_data_of(work, 4, SIDE, WIDTH);
}

/// Latents of so many channels and this side, features of this width, of made-up numbers.
pub(crate) fn write_data_of(work: &Path, channels: usize, side: usize, width: usize) {
    let folder = latents::folder(work, 8 * side, VARIANTS);
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
        let shape = [count, variants, channels, side, side];
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
    let mut sequence = vec![0.0; count * TOKENS * width];
    let mut pooled = vec![0.0; count * width];
    fill_normal(&mut stream(9, Purpose::Bench, 10), &mut sequence);
    fill_normal(&mut stream(9, Purpose::Bench, 11), &mut pooled);
    let list = serde_json::to_string(&captions).unwrap();
    let hash = mmface_engine::format::hex(&Sha256::digest(list.as_bytes()));
    std::fs::write(work.join("text-features.captions.json"), &list).unwrap();
    let blobs = BTreeMap::from([
        (
            "sequence".to_owned(),
            Blob::f16(&[count, TOKENS, width], &sequence),
        ),
        ("pooled".to_owned(), Blob::f32(&[count, width], &pooled)),
    ]);
    tensors::write(
        &work.join("text-features.safetensors"),
        &blobs,
        &[("list_sha256", hash)],
    )
    .unwrap();
}

/// Opens the made-up data.
pub(crate) fn data(config: &Config, work: &Path) -> PreparedData {
    let folder = latents::folder(work, config.resolution, config.variants);
    PreparedData {
        train: LatentStore::open(&folder, "train-").unwrap(),
        heldout: LatentStore::open(&folder, "heldout-").unwrap(),
        text: TextStore::open(&work.join("text-features.safetensors")).unwrap(),
    }
}

/// Twelve updates of a tiny transformer.
pub(crate) fn config(moments: Moments) -> Config {
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

/// The same by a certain route.
pub(crate) fn config_by(route: Route, moments: Moments) -> Config {
    Config {
        route: Some(route),
        ..config(moments)
    }
}

/// Keeps what it hears.
#[derive(Default)]
pub(crate) struct Recorded(pub Vec<TrainEvent>);

impl Sink for Recorded {
    fn on_event(&mut self, event: &TrainEvent) -> mmface_engine::Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

/// Trains until the end, or until so many updates were done in this process.
pub(crate) fn train(
    start: Start,
    data: &PreparedData,
    out: &Path,
    updates: Option<u64>,
) -> (PathBuf, Vec<TrainEvent>) {
    let done = Cell::new(0);
    let mut stop = || {
        done.set(done.get() + 1);
        updates.is_some_and(|updates| done.get() >= updates)
    };
    let mut recorded = Recorded::default();
    let context = RunContext::new(data, out, &mut recorded, &mut stop);
    let folder = run::run(start, Changes::default(), context).unwrap();
    (folder, recorded.0)
}

/// Weights, average and optimizer of a checkpoint.
pub(crate) fn bytes(checkpoint: &Path) -> [Vec<u8>; 3] {
    [RAW_FILE, EMA_FILE, OPTIMIZER_FILE].map(|name| std::fs::read(checkpoint.join(name)).unwrap())
}

/// The program, with one thread and quiet standard input.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mmface-trainer"));
    command
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Writes data and configuration into a folder; returns the path of the configuration.
pub(crate) fn prepare(folder: &Path, config: &Config) -> PathBuf {
    write_data(folder);
    let path = folder.join("tiny.ron");
    std::fs::write(&path, config.to_ron().unwrap()).unwrap();
    path
}
