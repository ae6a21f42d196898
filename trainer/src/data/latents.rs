//! Encoding every variant once: photos, masks and sketches become latents in sharded files.
//!
//! A shard's cache key covers its samples' bytes, the autoencoder, the size, the variants and the
//! version of this code: what is unchanged is kept, everything else is made again. Files appear
//! whole or not at all, so an interrupted preparation continues where it stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{Device, Tensor};
use mmface_engine::condition::{mask_tensor, sketch_tensor};
use mmface_engine::format::hex;
use mmface_engine::model::autoencoder_kl::AutoencoderKl;
use mmface_engine::picture::convert;
use mmface_engine::weights::TensorFile;
use mmface_engine::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::augment::{Views, variant, views};
use super::source::Shard;
use super::webdataset::{Form, Pictures, Sample};
use crate::tensors::{self, Blob};

/// Samples in one latent file: also the most work that an interruption can lose.
const SAMPLES_PER_FILE: usize = 20;
/// Kinds of latents in a file.
pub const KINDS: [&str; 3] = ["photo", "mask", "sketch"];

/// What is prepared, and from what.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// What is encoded.
    pub shards: &'a [Shard],
    /// First part of the files' names, `train-` or `heldout-`.
    pub prefix: &'a str,
    /// Folder of the latent files.
    pub output: PathBuf,
    /// Side in pixels.
    pub resolution: usize,
    /// Variants of each sample.
    pub variants: usize,
    /// Seed of the variants.
    pub seed: u64,
}

/// What the latent file says about one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The sample's key.
    pub key: String,
    /// Its captions.
    pub captions: Vec<String>,
}

/// Folder of the latents of one size below the work folder.
pub fn folder(work: &Path, resolution: usize, variants: usize) -> PathBuf {
    work.join(format!("latents-{resolution}-{variants}"))
}

/// What the latents are made with.
pub trait Encoder: Sync {
    /// Hash of the weights, for the cache key.
    fn hash(&self) -> &str;

    /// The mode of the posterior in model space.
    ///
    /// # Shapes
    /// - pictures: `[batch, 3, side, side]` in `[-1, 1]`, result: `[batch, channels, side / 8, side / 8]`
    ///
    /// # Errors
    /// When the shapes do not fit.
    fn encode(&self, pictures: &Tensor) -> Result<Tensor>;
}

/// The frozen autoencoder with the hash of its files.
pub struct Frozen {
    /// The network.
    pub autoencoder: AutoencoderKl,
    /// Hash of its files.
    pub hash: String,
}

impl Encoder for Frozen {
    fn hash(&self) -> &str {
        &self.hash
    }

    fn encode(&self, pictures: &Tensor) -> Result<Tensor> {
        encode(&self.autoencoder, pictures)
    }
}

/// No autoencoder: the data holds latents already.
#[derive(Debug)]
pub struct Precomputed;

impl Encoder for Precomputed {
    fn hash(&self) -> &str {
        "precomputed"
    }

    fn encode(&self, _pictures: &Tensor) -> Result<Tensor> {
        Err(Error::Argument(
            "these samples are pictures: name the autoencoder with --weights".into(),
        ))
    }
}

/// Version of everything between a file and its latent: decoding, cropping, the Lanczos resampler,
/// augmentation. A change of any of it changes this number, and with it every cache key.
const PREPARATION_VERSION: u32 = 1;

/// Brings the latent files of one split up to date; returns the samples that were left out, with
/// reasons. `progress` hears of samples done, in all, and a second; `total` is the number in all.
///
/// # Errors
/// When the data cannot be read, a latent is not finite, or somebody asked to stop.
pub fn prepare(
    plan: &Plan<'_>,
    encoder: &dyn Encoder,
    total: usize,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &mut dyn FnMut(usize, usize, f64),
) -> Result<Vec<String>> {
    std::fs::create_dir_all(&plan.output)
        .map_err(Error::file("create the latent folder", &plan.output))?;
    let mut left_out = Vec::new();
    let mut expected = Vec::new();
    let (started, mut encoded, mut done) = (Instant::now(), 0usize, 0usize);
    for shard in plan.shards {
        let samples = shard.read()?;
        for (part, chunk) in samples.chunks(SAMPLES_PER_FILE).enumerate() {
            if stop() {
                return Err(Error::Cancelled);
            }
            let name = format!("{}-{part:04}.safetensors", shard.stem);
            let path = plan.output.join(name);
            let key = cache_key(plan, encoder.hash(), chunk);
            expected.push(path.clone());
            let cached = TensorFile::open(&path)
                .ok()
                .filter(|file| file.metadata().get("cache_key") == Some(&key));
            let skipped = match cached {
                Some(file) => serde_json::from_str(
                    file.metadata().get("skipped").map_or("[]", String::as_str),
                )
                .unwrap_or_default(),
                None => {
                    encoded += chunk.len();
                    encode_file(plan, encoder, chunk, &key, &path, stop)?
                }
            };
            left_out.extend(skipped);
            done += chunk.len();
            let rate = encoded as f64 / started.elapsed().as_secs_f64().max(1e-9);
            progress(done, total.max(done), rate);
        }
    }
    remove_strangers(plan, &expected)?;
    Ok(left_out)
}

/// Compares the latent files of one split with the data: the names of files that are missing or
/// outdated. Nothing is encoded.
///
/// # Errors
/// When the data cannot be read.
pub fn outdated(plan: &Plan<'_>, encoder: &dyn Encoder) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for shard in plan.shards {
        let samples = shard.read()?;
        for (part, chunk) in samples.chunks(SAMPLES_PER_FILE).enumerate() {
            let name = format!("{}-{part:04}.safetensors", shard.stem);
            let key = cache_key(plan, encoder.hash(), chunk);
            let file = TensorFile::open(&plan.output.join(&name));
            if !file.is_ok_and(|file| file.metadata().get("cache_key") == Some(&key)) {
                found.push(name);
            }
        }
    }
    Ok(found)
}

/// Latents of shards that are gone would still be trained on: they are deleted.
fn remove_strangers(plan: &Plan<'_>, expected: &[PathBuf]) -> Result<()> {
    let entries = std::fs::read_dir(&plan.output)
        .map_err(Error::file("list the latent folder", &plan.output))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with(plan.prefix)
            && name.ends_with(".safetensors")
            && !expected.contains(&path)
        {
            std::fs::remove_file(&path)
                .map_err(Error::file("delete the outdated latent file", &path))?;
        }
    }
    Ok(())
}

fn cache_key(plan: &Plan<'_>, autoencoder_hash: &str, samples: &[Sample]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!(
        "{PREPARATION_VERSION} {autoencoder_hash} {} {} {}",
        plan.resolution, plan.variants, plan.seed
    ));
    for sample in samples {
        hash.update(sample.key.as_bytes());
        match sample.form {
            Form::Indexed => {}
            Form::Foreign => hash.update(b"foreign"),
            Form::Latents => hash.update(b"latents"),
        }
        for part in [
            &sample.photo,
            &sample.mask,
            &sample.sketch,
            &sample.captions,
        ] {
            let part = part.as_deref().unwrap_or_default();
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hex(&hash.finalize())
}

/// Encodes some samples into one file; returns which were left out, and why.
fn encode_file(
    plan: &Plan<'_>,
    encoder: &dyn Encoder,
    samples: &[Sample],
    key: &str,
    path: &Path,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<String>> {
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    let mut latents: [Vec<f32>; 3] = Default::default();
    let mut shape = Vec::new();
    // One picture at a time on each core: its activations stay in the cache.
    let encoded: Vec<_> = samples
        .par_iter()
        .map(|sample| match sample.form {
            // A file of large pictures takes minutes.
            _ if stop() => Ok(Err(Error::Cancelled)),
            Form::Latents => sample.latents(plan.resolution).map(Ok),
            _ => sample
                .pictures()
                .map(|pictures| encode_sample(plan, encoder, &sample.key, &pictures)),
        })
        .collect();
    for (sample, encoded) in samples.iter().zip(encoded) {
        let encoded = match encoded {
            Ok(encoded) => encoded?,
            Err(reason) => {
                skipped.push(format!("{}: {reason}", sample.key));
                continue;
            }
        };
        if !all_finite(&encoded)? {
            skipped.push(format!(
                "{}: a latent holds values that are not finite",
                sample.key
            ));
            continue;
        }
        let own = encoded.first().map(|tensor| tensor.dims().to_vec());
        if !shape.is_empty() && own.as_ref() != Some(&shape) {
            skipped.push(format!("{}: latents of another shape", sample.key));
            continue;
        }
        for (all, tensor) in latents.iter_mut().zip(encoded) {
            shape = tensor.dims().to_vec();
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            all.extend(values);
        }
        entries.push(Entry {
            key: sample.key.clone(),
            captions: sample.caption_lines(),
        });
    }
    let mut blobs = BTreeMap::new();
    if !entries.is_empty() {
        let shape: Vec<usize> = [entries.len()].into_iter().chain(shape).collect();
        for (name, values) in KINDS.iter().zip(&latents) {
            blobs.insert((*name).to_string(), Blob::f16(&shape, values));
        }
    }
    tensors::write(
        path,
        &blobs,
        &[
            ("cache_key", key.to_string()),
            ("samples", json(&entries)?),
            ("skipped", json(&skipped)?),
        ],
    )?;
    Ok(skipped)
}

/// Whether the values can be stored: finite, also when rounded to f16.
fn all_finite(latents: &[Tensor]) -> Result<bool> {
    for latent in latents {
        let largest: f32 = latent.abs()?.flatten_all()?.max_all()?.to_scalar()?;
        let sum: f32 = latent.sum_all()?.to_scalar()?;
        // A maximum passes over values that are no numbers, a sum does not.
        if largest >= 65_504.0 || !sum.is_finite() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::unwritable("what the latents are"))
}

/// Latents of all variants of one sample: photo, mask, sketch, each `[variants, channels, side, side]`.
fn encode_sample(
    plan: &Plan<'_>,
    encoder: &dyn Encoder,
    key: &str,
    pictures: &Pictures,
) -> Result<Vec<Tensor>> {
    let latents: Vec<[Tensor; 3]> = (0..plan.variants)
        .into_par_iter()
        .map(|index| {
            let variant = variant(plan.seed, key, index, pictures.photo.width);
            let [photo, mask, sketch] =
                model_inputs(&views(pictures, &variant, plan.resolution), plan.resolution)?;
            Ok([
                encoder.encode(&photo)?,
                encoder.encode(&mask)?,
                encoder.encode(&sketch)?,
            ])
        })
        .collect::<Result<_>>()?;
    (0..KINDS.len())
        .map(|kind| {
            let variants: Vec<&Tensor> = latents.iter().map(|latents| &latents[kind]).collect();
            Ok(Tensor::cat(&variants, 0)?)
        })
        .collect()
}

/// Photo, mask and sketch as the autoencoder and the pipeline see them, `[1, 3, side, side]` each.
///
/// # Shapes
/// - results: `[1, 3, side, side]` in -1..=1
///
/// # Errors
/// When `resolution` is out of range, or a picture is empty.
pub fn model_inputs(views: &Views, resolution: usize) -> Result<[Tensor; 3]> {
    let device = Device::Cpu;
    Ok([
        convert::to_tensor(&views.photo, &device)?,
        mask_tensor(&views.mask, resolution, &device)?,
        sketch_tensor(&views.sketch, resolution, &device)?,
    ])
}

/// The mode of the posterior in model space.
///
/// # Shapes
/// - pictures: `[batch, 3, side, side]` in `[-1, 1]`, result: `[batch, channels, side / 8, side / 8]`
///
/// # Errors
/// As [`AutoencoderKl::encode`].
pub fn encode(autoencoder: &AutoencoderKl, pictures: &Tensor) -> Result<Tensor> {
    autoencoder.to_model_space(autoencoder.encode(pictures)?.mode())
}
