//! From tars and frozen networks to what the loop reads: latents and text features.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mmface_engine::contract::{Cancel, PipelineOptions};
use mmface_engine::device;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::format::hex;
use mmface_engine::job::near_size;
use mmface_engine::kernels::Route;
use mmface_engine::model::LoadOptions;
use mmface_engine::model::autoencoder_kl::AutoencoderKl;
use mmface_engine::model::clip_text::{ClipText, ClipTextConfig};
use mmface_engine::model::dit::Dit;
use mmface_engine::picture::convert::from_tensor;
use mmface_engine::picture::write::encode_rgb;
use mmface_engine::pipeline::{LatentMap, Pipeline, Transformer, load_options, load_package};
use mmface_engine::system::interrupt;
use mmface_engine::text::{PromptTokenizer, TextEncoder};
use mmface_engine::weights::Package;
use mmface_engine::{Error, Result};
use mmface_run_protocol::frozen_parts;
use sha2::{Digest, Sha256};

use crate::coarse::Coarse;
use crate::config::Config;
use crate::data::latents::{self, Encoder, Frozen, Plan, Precomputed};
use crate::data::prepared::PreparedData;
use crate::data::source::{Shard, Source, missing};
use crate::data::store::{Kind, LatentStore};
use crate::data::text;
use crate::data::webdataset::Form;
use crate::evaluate::Model;
use crate::report::{DataTable, Preparing, Sink, TrainEvent};
use crate::sheets::{Probes, grid};
use crate::{checkpoint, export, model};

/// Where the inputs lie.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// The samples.
    pub source: Source,
    /// Folder of the frozen parts: `vae/` and `text/`.
    pub weights: PathBuf,
    /// Folder for prepared data, outside the repository.
    pub work: PathBuf,
    /// Continues although parts of samples are missing.
    pub allow_missing: bool,
}

/// Prefixes and names of the two splits.
const SPLITS: [(&str, &str); 2] = [("train-", "train"), ("heldout-", "held-out")];
/// Samples whose latents are decoded again for a person to look at.
const SHOWN: usize = 5;

/// Tells the table of what there is, encodes what is not encoded yet, and tells what had to be left
/// out.
///
/// # Errors
/// When parts are missing and that was not allowed, or something cannot be read or written.
pub fn prepare(config: &Config, preparation: &Preparation, sink: &mut dyn Sink) -> Result<()> {
    let splits = preparation.source.shards()?;
    let tables = survey(&splits, preparation.allow_missing, sink)?;
    let folder = latents::folder(&preparation.work, config.resolution, config.variants);
    let encoder = encoder(config, preparation)?;
    let mut changed = false;
    let interruptible = interrupt::defer();
    for (index, (prefix, name)) in SPLITS.into_iter().enumerate() {
        let plan = plan(config, &splits[index], index, folder.clone());
        let total = tables[index].samples as usize;
        let mut progress = Progress::new(format!("{name} latents at {}", config.resolution));
        let left_out = latents::prepare(
            &plan,
            encoder.as_ref(),
            total,
            &interrupt::asked,
            &mut |done, of, rate| {
                changed |= rate > 0.0;
                progress.tell(done, of, rate, sink);
            },
        )?;
        if !left_out.is_empty() {
            sink.on_event(&TrainEvent::Data(DataTable {
                left_out,
                ..tables[index].clone()
            }))?;
        }
        LatentStore::open(&folder, prefix)?;
    }
    drop(interruptible);
    if interrupt::asked() {
        return Err(Error::Cancelled);
    }
    if changed {
        show(config, preparation, &folder)?;
    }
    prepare_text(config, preparation, sink)
}

/// Names the latent files that are missing or do not belong to the data any more.
///
/// # Errors
/// When the data cannot be read.
pub fn verify(config: &Config, preparation: &Preparation) -> Result<Vec<String>> {
    let splits = preparation.source.shards()?;
    let folder = latents::folder(&preparation.work, config.resolution, config.variants);
    let encoder = encoder(config, preparation)?;
    let mut found = Vec::new();
    for (index, shards) in splits.iter().enumerate() {
        let plan = plan(config, shards, index, folder.clone());
        found.extend(latents::outdated(&plan, encoder.as_ref())?);
    }
    Ok(found)
}

fn plan<'a>(config: &Config, shards: &'a [Shard], split: usize, output: PathBuf) -> Plan<'a> {
    Plan {
        shards,
        prefix: SPLITS[split].0,
        output,
        resolution: config.resolution,
        variants: if split == 0 { config.variants } else { 1 },
        seed: config.seed,
    }
}

/// Counts what is there and what is missing, before anything is decoded.
fn survey(
    splits: &[Vec<Shard>; 2],
    allow_missing: bool,
    sink: &mut dyn Sink,
) -> Result<Vec<DataTable>> {
    let mut tables = Vec::new();
    let mut gaps = Vec::new();
    for (shards, (_, name)) in splits.iter().zip(SPLITS) {
        let mut table = DataTable {
            split: name.into(),
            ..DataTable::default()
        };
        for shard in shards {
            shard.survey(&mut table)?;
        }
        sink.on_event(&TrainEvent::Data(table.clone()))?;
        gaps.extend(missing(&table));
        tables.push(table);
    }
    if !gaps.is_empty() && !allow_missing {
        return Err(Error::Input(format!(
            "{}; add them, or train without these samples with --allow-missing",
            gaps.join("; ")
        )));
    }
    Ok(tables)
}

/// The autoencoder, unless the data holds latents.
fn encoder(config: &Config, preparation: &Preparation) -> Result<Box<dyn Encoder>> {
    let precomputed = match &preparation.source {
        Source::Tars(_) => false,
        Source::Folders(layouts, _) => layouts.iter().all(|layout| layout.form == Form::Latents),
    };
    if precomputed {
        if config.variants != 1 {
            return Err(Error::Input(format!(
                "precomputed latents have one variant, the configuration asks for {}: set `variants: 1`",
                config.variants
            )));
        }
        return Ok(Box::new(Precomputed));
    }
    let (autoencoder, hash) = load_autoencoder(
        &frozen_parts::autoencoder(&preparation.weights),
        &Device::Cpu,
        Route::Fused,
    )?;
    Ok(Box::new(Frozen { autoencoder, hash }))
}

/// Decodes some latents again, beside each other in `check.png`: what the model will really see.
fn show(config: &Config, preparation: &Preparation, folder: &Path) -> Result<()> {
    let vae = frozen_parts::autoencoder(&preparation.weights);
    if !vae.is_dir() {
        return Ok(());
    }
    let (autoencoder, _) = load_autoencoder(&vae, &Device::Cpu, Route::Fused)?;
    let store = LatentStore::open(folder, SPLITS[0].0)?;
    if store.channels != autoencoder.config().latent_channels {
        return Ok(());
    }
    let mut rows = Vec::new();
    for sample in 0..SHOWN.min(store.len()) {
        let variant = sample % store.variants;
        let mut row = Vec::new();
        for kind in [Kind::Photo, Kind::Mask, Kind::Sketch] {
            let mut values = Vec::new();
            store.push(sample, variant, kind, &mut values);
            let shape = (1, store.channels, store.side, store.side);
            let latent = Tensor::from_vec(values, shape, &Device::Cpu)?;
            let decoded = autoencoder.decode(&autoencoder.from_model_space(&latent)?)?;
            row.push(from_tensor(&decoded)?);
        }
        rows.push(row);
    }
    let sheet = grid(&rows, config.resolution.min(256));
    let png = encode_rgb(&sheet)?;
    file::write(&folder.join("check.png"), &png, Overwrite::Replace)
}

/// Conditions and prompts for sample sheets on the device of the run, from the frozen parts.
///
/// # Errors
/// When the frozen parts cannot be loaded or do not fit the configuration.
pub fn probes(config: &Config, weights: &Path, device: &Device) -> Result<Probes> {
    let route = config.route_on(device);
    let (autoencoder, _) = load_autoencoder(&frozen_parts::autoencoder(weights), device, route)?;
    let (text, _) = load_text(&frozen_parts::text(weights))?;
    let channels = config.model.dit().channels / 2;
    if autoencoder.config().latent_channels != channels {
        return Err(Error::Input(format!(
            "the autoencoder has {} latent channels, the transformer takes {channels}",
            autoencoder.config().latent_channels
        )));
    }
    Probes::new(autoencoder, &text, config.resolution, device)
}

fn prepare_text(config: &Config, preparation: &Preparation, sink: &mut dyn Sink) -> Result<()> {
    let [train, heldout] = open_latents(config, &preparation.work)?;
    let captions = text::captions(&[&train, &heldout]);
    let (encoder, hash) = load_text(&frozen_parts::text(&preparation.weights))?;
    let mut progress = Progress::new("text features".into());
    let path = text_path(&preparation.work);
    text::prepare(&path, &captions, &encoder, &hash, &mut |done, of| {
        progress.tell(done, of, 0.0, sink);
    })?;
    Ok(())
}

/// Opens what was prepared.
///
/// # Errors
/// When the data was not prepared, or not for this configuration, or a file is damaged.
pub fn open(config: &Config, work: &Path) -> Result<PreparedData> {
    let [train, heldout] = open_latents(config, work)?;
    Ok(PreparedData {
        train,
        heldout,
        text: text::TextStore::open(&text_path(work))?,
    })
}

/// The same data with latents of fewer channels, written into `folder`.
///
/// # Errors
/// When the data was not prepared, or the disk refuses.
pub fn coarsen(
    config: &Config,
    work: &Path,
    folder: &Path,
    channels: usize,
) -> Result<(Coarse, PreparedData)> {
    let splits = open_latents(config, work)?;
    let coarse = Coarse::fit(&splits[0], channels)?;
    for (store, (prefix, _)) in splits.iter().zip(SPLITS) {
        coarse.write(store, folder, prefix)?;
    }
    let data = PreparedData {
        train: LatentStore::open(folder, SPLITS[0].0)?,
        heldout: LatentStore::open(folder, SPLITS[1].0)?,
        text: text::TextStore::open(&text_path(work))?,
    };
    Ok((coarse, data))
}

fn open_latents(config: &Config, work: &Path) -> Result<[LatentStore; 2]> {
    let folder = latents::folder(work, config.resolution, config.variants);
    Ok([
        LatentStore::open(&folder, SPLITS[0].0)?,
        LatentStore::open(&folder, SPLITS[1].0)?,
    ])
}

fn text_path(work: &Path) -> PathBuf {
    work.join("text-features.safetensors")
}

/// Loads a package for evaluation, as `mmface generate` loads it. With a checkpoint, its averaged
/// weights take the place of the package's transformer, rounded as an export rounds them. `map` is
/// what the transformer sees of the latents, if not all of it.
///
/// # Errors
/// When package or checkpoint are damaged or do not belong together.
pub fn load_model(
    package: &Path,
    checkpoint: Option<&Path>,
    map: Option<Coarse>,
    options: PipelineOptions,
) -> Result<Model> {
    let device = device::open(options.device)?;
    let package = Package::open(package)?;
    let (transformer, side) = match checkpoint {
        None => (Transformer::Own, package.manifest().resolution),
        Some(from) => {
            let folder = checkpoint::find(from)?;
            let config = checkpoint::read_state(&folder)?.config;
            let options = load_options(&options, &device);
            let dit = exported_transformer(&folder, &config, options, &device.device)?;
            (Transformer::Other(Box::new(dit)), config.resolution)
        }
    };
    let (mut parts, mut summary) = load_package(
        &package,
        transformer,
        &device,
        &options,
        &mut |_, _| (),
        &Cancel::new(),
    )?;
    summary.resolution = side;
    summary.suggested.size = Some(near_size(side));
    parts.codec.map = map.map(|map| Box::new(map) as Box<dyn LatentMap>);
    Ok(Model {
        pipeline: Pipeline::with_parts(options, parts),
        summary,
        parser: package.load_parser(&Device::Cpu)?,
    })
}

/// The transformer of a checkpoint's averaged weights as a package of it would hold it.
fn exported_transformer(
    checkpoint: &Path,
    config: &Config,
    options: LoadOptions,
    device: &Device,
) -> Result<Dit> {
    let weights = checkpoint::read_initial(checkpoint, config, device)?;
    let mut rounded = BTreeMap::new();
    for (name, weight) in weights {
        // Without their variables, or the whole sampling run is kept for a backward pass.
        let weight = export::rounded(&weight.as_detached_tensor())?;
        rounded.insert(name, weight);
    }
    model::load(&config.model.dit(), &rounded, options, device)
}

/// Loads an autoencoder in diffusers' layout, and the hash of its files.
///
/// # Errors
/// When a file is missing or cannot be read, or weights and configuration do not fit each other.
pub fn load_autoencoder(
    folder: &Path,
    device: &Device,
    route: Route,
) -> Result<(AutoencoderKl, String)> {
    let (config, weights) = (folder.join("config.json"), weight_file(folder)?);
    let parsed = serde_json::from_slice(&read(&config)?).map_err(|error| {
        Error::content(
            &config,
            error.to_string(),
            "expected diffusers' AutoencoderKL configuration",
        )
    })?;
    Ok((
        AutoencoderKl::load(var_builder(&weights, device)?, parsed, route)?,
        hash_files(&[&config, &weights])?,
    ))
}

/// Loads a text tower in transformers' layout with its tokenizer, and the hash of its files.
///
/// # Errors
/// As [`load_autoencoder`], and when the tokenizer cannot be read.
pub fn load_text(folder: &Path) -> Result<(TextEncoder, String)> {
    let (config_path, weights, tokenizer) = (
        folder.join("config.json"),
        weight_file(folder)?,
        folder.join("tokenizer.json"),
    );
    let bad = |what: String| {
        Error::content(
            &config_path,
            what,
            "expected transformers' CLIPTextModel configuration",
        )
    };
    let config =
        serde_json::from_slice(&read(&config_path)?).map_err(|error| bad(error.to_string()))?;
    // Both SD 2.1's tokenizer and the demo's pad with id 0 (docs/reference.md section 2).
    let config = ClipTextConfig::from_transformers(&config, 0).map_err(bad)?;
    let tokens = PromptTokenizer::from_json(&tokenizer, config.tokens, config.pad)?;
    let vb = var_builder(&weights, &Device::Cpu)?;
    let tower = ClipText::load(vb, config, LoadOptions::for_device(&Device::Cpu))?;
    Ok((
        TextEncoder::new(tokens, tower).with_capacity(0),
        hash_files(&[&config_path, &weights, &tokenizer])?,
    ))
}

fn var_builder(path: &Path, device: &Device) -> Result<VarBuilder<'static>> {
    let tensors = candle_core::safetensors::load(path, device)
        .map_err(|error| Error::content(path, error.to_string(), "copy the weights again"))?;
    Ok(VarBuilder::from_tensors(tensors, DType::F32, device))
}

/// The one safetensors file of a folder.
fn weight_file(folder: &Path) -> Result<PathBuf> {
    let entries =
        std::fs::read_dir(folder).map_err(Error::file("list the weight folder", folder))?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "safetensors")
        })
        .collect();
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(Error::content(
            folder,
            format!("{} safetensors files", found.len()),
            "expected exactly one",
        )),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(Error::file("read", path))
}

fn hash_files(paths: &[&Path]) -> Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for path in paths {
        let mut file = std::fs::File::open(path).map_err(Error::file("open", path))?;
        loop {
            let count = file.read(&mut buffer).map_err(Error::file("read", path))?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Tells of progress now and then, and of the end.
struct Progress {
    what: String,
    told: Option<Instant>,
}

impl Progress {
    fn new(what: String) -> Self {
        Self { what, told: None }
    }

    fn tell(&mut self, done: usize, of: usize, rate: f64, sink: &mut dyn Sink) {
        let due = self
            .told
            .is_none_or(|told| told.elapsed().as_millis() >= 500);
        if due || done >= of {
            self.told = Some(Instant::now());
            // A view that fails must not end the preparation.
            let _ = sink
                .on_event(&TrainEvent::Preparing(Preparing {
                    what: self.what.clone(),
                    done: done as u64,
                    of: of as u64,
                    per_second: rate,
                }))
                .ok();
        }
    }
}
