//! From tars and frozen networks to what the loop reads: latents and text features.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use indicatif::{ProgressBar, ProgressStyle};
use mmface_engine::kernels::{Precision, Storage};
use mmface_engine::model::LoadOptions;
use mmface_engine::model::autoencoder_kl::AutoencoderKl;
use mmface_engine::model::clip_text::{ClipText, ClipTextConfig};
use mmface_engine::model::face_parser::FaceParser;
use mmface_engine::text::{PromptTokenizer, TextEncoder};
use mmface_engine::weights::Package;
use mmface_engine::{Error, Result};
use sha2::{Digest, Sha256};

use crate::config::{Config, hex};
use crate::data::latents::{self, Plan};
use crate::data::store::LatentStore;
use crate::data::text;
use crate::data::webdataset::Inventory;
use crate::evaluate::Sampler;
use crate::run::Data;
use crate::{checkpoint, model, signals};

/// Where the inputs lie.
#[derive(Clone, Debug)]
pub struct Places {
    /// Folder of the WebDataset tars.
    pub data: PathBuf,
    /// Folder of the frozen parts: `vae/` and `text/`.
    pub weights: PathBuf,
    /// Folder for prepared data, outside the repository.
    pub work: PathBuf,
}

/// Prefixes of the two splits.
const SPLITS: [(&str, &str); 2] = [("train-", "train"), ("heldout-", "held-out")];

/// Encodes what is not encoded yet and prints the table of what was found.
pub fn prepare(config: &Config, places: &Places) -> Result<()> {
    let folder = latents::folder(&places.work, config.resolution, config.variants);
    let (autoencoder, autoencoder_hash) = load_autoencoder(&places.weights.join("vae"))?;
    for (prefix, name) in SPLITS {
        let plan = Plan {
            data: &places.data,
            prefix,
            output: folder.clone(),
            resolution: config.resolution,
            variants: if prefix == "train-" {
                config.variants
            } else {
                1
            },
            seed: config.seed,
        };
        let mut progress = Progress::new(&format!("{name} latents at {}", config.resolution));
        let inventory = latents::prepare(
            &plan,
            &autoencoder,
            &autoencoder_hash,
            &signals::asked_to_stop,
            &mut |done, of, rate| progress.show(done, of, rate),
        )?;
        progress.finish();
        print_table(name, &inventory);
    }
    prepare_text(config, places)
}

fn prepare_text(config: &Config, places: &Places) -> Result<()> {
    let [train, heldout] = open_latents(config, &places.work)?;
    let captions = text::captions(&[&train, &heldout]);
    let (encoder, hash) = load_text(&places.weights.join("text"))?;
    let mut progress = Progress::new("text features");
    let path = text_path(&places.work);
    let store = text::prepare(&path, &captions, &encoder, &hash, &mut |done, of| {
        progress.show(done, of, 0.0)
    })?;
    progress.finish();
    eprintln!(
        "{} captions, {} tokens of width {}",
        captions.len(),
        store.tokens,
        store.width
    );
    Ok(())
}

/// Opens what was prepared.
pub fn open(config: &Config, work: &Path) -> Result<Data> {
    let [train, heldout] = open_latents(config, work)?;
    Ok(Data {
        train,
        heldout,
        text: text::TextStore::open(&text_path(work))?,
    })
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

/// Loads a package for evaluation: model, face parser, and the side it was trained at. With a
/// checkpoint, its averaged weights take the place of the package's transformer.
pub fn load_model(
    package: &Path,
    checkpoint: Option<&Path>,
) -> Result<(Sampler, FaceParser, usize)> {
    let device = Device::Cpu;
    let options = LoadOptions {
        storage: Storage::F32,
        precision: Precision::Exact,
        trainable: false,
    };
    let package = Package::open(package)?;
    let (dit, side) = match checkpoint {
        None => (
            package.load_dit(&device, options, |_, _| true)?,
            package.manifest().resolution,
        ),
        Some(from) => {
            let folder = checkpoint::find(from)?;
            let config = checkpoint::read_state(&folder)?.config;
            let weights = checkpoint::read_initial(&folder, &config, &device)?;
            // Without their variables, or the whole sampling run is kept for a backward pass.
            let plain = model::tensors(&weights)
                .into_iter()
                .map(|(name, tensor)| (name, tensor.detach()))
                .collect();
            let dit = model::load(
                &config.model.dit(),
                &plain,
                Precision::Exact,
                false,
                &device,
            )?;
            (dit, config.resolution)
        }
    };
    let sampler = Sampler {
        dit,
        text: package.load_text(&device, options, |_, _| true)?,
        autoencoder: package.load_autoencoder(&device, |_, _| true)?,
    };
    Ok((sampler, package.load_parser(&device)?, side))
}

/// Loads an autoencoder in diffusers' layout, and the hash of its files.
pub fn load_autoencoder(folder: &Path) -> Result<(AutoencoderKl, String)> {
    let (config, weights) = (folder.join("config.json"), weight_file(folder)?);
    let parsed = serde_json::from_slice(&read(&config)?).map_err(|error| {
        Error::content(
            &config,
            error.to_string(),
            "expected diffusers' AutoencoderKL configuration",
        )
    })?;
    Ok((
        AutoencoderKl::load(var_builder(&weights)?, parsed)?,
        hash_files(&[&config, &weights])?,
    ))
}

/// Loads a text tower in transformers' layout with its tokenizer, and the hash of its files.
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
    // Both SD 2.1's tokenizer and the demo's pad with id 0 (reference.md section 2).
    let config = ClipTextConfig::from_transformers(&config, 0).map_err(bad)?;
    let tokens = PromptTokenizer::from_json(&tokenizer, config.tokens, config.pad)?;
    let options = LoadOptions {
        storage: Storage::F32,
        precision: Precision::Exact,
        trainable: false,
    };
    let tower = ClipText::load(var_builder(&weights)?, config, options)?;
    Ok((
        TextEncoder::new(tokens, tower).with_capacity(0),
        hash_files(&[&config_path, &weights, &tokenizer])?,
    ))
}

fn var_builder(path: &Path) -> Result<VarBuilder<'static>> {
    let tensors = candle_core::safetensors::load(path, &Device::Cpu)
        .map_err(|error| Error::content(path, error.to_string(), "copy the weights again"))?;
    Ok(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
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

fn print_table(name: &str, inventory: &Inventory) {
    eprintln!(
        "{name}: {} samples; without mask {}, without sketch {}, without captions {}, left out {}",
        inventory.samples,
        inventory.without_mask,
        inventory.without_sketch,
        inventory.without_captions,
        inventory.skipped.len()
    );
    for line in &inventory.skipped {
        eprintln!("  left out {line}");
    }
}

/// A bar on a terminal; elsewhere a line now and then.
struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    told: std::time::Instant,
}

impl Progress {
    fn new(what: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) =
                ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {per_sec} eta {eta}")
            {
                bar.set_style(style);
            }
            bar.set_message(what.to_string());
            bar
        });
        Self {
            bar,
            what: what.to_string(),
            told: std::time::Instant::now(),
        }
    }

    fn show(&mut self, done: usize, of: usize, rate: f64) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            None if self.told.elapsed().as_secs() >= 10 => {
                self.told = std::time::Instant::now();
                let rate = if rate > 0.0 {
                    format!(", {rate:.1} a second")
                } else {
                    String::new()
                };
                eprintln!("{}: {done} of {of}{rate}", self.what);
            }
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
