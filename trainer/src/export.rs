//! From a checkpoint to a model package: averaged weights in bf16, manifest, and card.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use mmface_engine::file::{self, Overwrite};
use mmface_engine::weights::hash::sha256_file;
use mmface_engine::weights::{ElementType, PackageFile, PackageManifest, Part, write_safetensors};
use mmface_engine::{Error, Result};
use mmface_run_protocol::checkpoint_layout::EMA_FILE;

use crate::checkpoint::{self, State};
use crate::evaluate::Evaluation;

const DIT_FILE: &str = "dit.safetensors";
const MANIFEST: &str = "model.ron";
/// The card's section that an export writes; all before it belongs to the frozen parts.
const SECTION: &str = "## Transformer";

/// Writes the transformer of a checkpoint into the package at `out`, which already holds the
/// frozen parts.
///
/// # Errors
/// When the checkpoint and the package do not belong together, or a file cannot be written.
pub fn export(from: &Path, out: &Path, evaluation: Option<&Evaluation>) -> Result<()> {
    let checkpoint = checkpoint::find(from)?;
    let state = checkpoint::read_state(&checkpoint)?;
    let weights = checkpoint::read_weights(
        &checkpoint.join(EMA_FILE),
        &state.config.model.dit(),
        &Device::Cpu,
    )?;

    let manifest_path = out.join(MANIFEST);
    let text = std::fs::read_to_string(&manifest_path)
        .map_err(Error::file("read the package", &manifest_path))?;
    let mut manifest = PackageManifest::parse(&text)
        .map_err(|what| Error::content(&manifest_path, what, "name a package with --out"))?;
    manifest.dit = state.config.model.dit();
    manifest.objective = manifest.dit.objective;
    manifest.resolution = state.config.resolution;
    if manifest.card.is_empty() {
        manifest.card = "README.md".into();
    }

    let weight_path = out.join(DIT_FILE);
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let tensors = weights
        .into_iter()
        .map(|(name, var)| (name, var.as_detached_tensor()));
    write_safetensors(&weight_path, tensors, ElementType::Bf16, &metadata)?;
    let (sha256, bytes) = sha256_file(&weight_path, &mut |_, _| true)?;
    let described = PackageFile {
        path: DIT_FILE.into(),
        sha256,
        bytes,
    };
    manifest.files.insert(Part::Dit, described);
    let text = manifest
        .to_text()
        .map_err(|what| Error::content(&manifest_path, what, "check the checkpoint's shape"))?;
    file::write(&manifest_path, text.as_bytes(), Overwrite::Replace)?;

    let card_path = out.join(&manifest.card);
    let old = std::fs::read_to_string(&card_path).unwrap_or_default();
    let before = old.split(SECTION).next().unwrap_or_default();
    let card = format!("{before}{}", section(&state, &manifest.licence, evaluation));
    file::write(&card_path, card.as_bytes(), Overwrite::Replace)
}

/// A weight as a package holds it, in f32 again.
///
/// # Shapes
/// - weight, result: any, equal
///
/// # Errors
/// When the device fails.
pub fn rounded(weight: &Tensor) -> Result<Tensor> {
    Ok(weight.to_dtype(DType::BF16)?.to_dtype(DType::F32)?)
}

/// The transformer's part of the card.
fn section(state: &State, licence: &str, evaluation: Option<&Evaluation>) -> String {
    let config = &state.config;
    let dit = config.model.dit();
    let (steps, samples) = (
        state.earlier.0 + state.step,
        state.earlier.1 + state.samples,
    );
    // A card must not claim the demo's data for anybody else's.
    let data = if licence.contains("CelebAMask-HQ") {
        "900 photos of CelebAMask-HQ with masks, line drawings and captions made for this project (mirrored with the sides exchanged, \
         cropped, other hands for the drawing; 50 further photos were held out)"
    } else {
        "data that is not named here: say what it is and what its licence allows before passing this model on"
    };
    let mut text = format!(
        "{SECTION}\n\nHidden {}, depth {}, {} heads: {:.1} M parameters, bf16, averaged weights. Trained by this project's own\ntrainer \
        with the {:?} objective as `{}`, last at {}² pixels with {} variants of each picture, on {data}.\n\n",
        dit.hidden,
        dit.depth,
        dit.heads,
        dit.parameter_count() as f64 / 1e6,
        dit.objective,
        config.name,
        config.resolution,
        config.variants,
    );
    text += &format!(
        "| | this stage | all stages |\n| --- | --- | --- |\n| updates | {} | {steps} |\n| samples seen | {} | {samples} |\n\n\
        Start: {}. Batch {}, AdamW, rate {:e}, average {}.\n\n",
        state.step, state.samples, state.origin, config.batch, config.rate.base, config.ema_decay,
    );
    if let Some(report) = &state.heldout {
        let row = |name: &str, values: &[f64]| {
            let cells: Vec<String> = values.iter().map(|value| format!("{value:.4}")).collect();
            format!("| {name} | {} |\n", cells.join(" | "))
        };
        let buckets = report.mask.len();
        let heads: Vec<String> = (0..buckets)
            .map(|bucket| {
                let edge = |edge: usize| edge as f64 / buckets as f64;
                format!("t {:.1}–{:.1}", edge(bucket), edge(bucket + 1))
            })
            .collect();
        text += &format!(
            "Held-out loss {:.4} after update {} (mean squared error, fixed noise; t = 0 is noise):\n\n| condition | {} |\n|{}\n{}{}\n",
            report.loss,
            report.step,
            heads.join(" | "),
            " --- |".repeat(buckets + 1),
            row("mask", &report.mask),
            row("sketch", &report.sketch),
        );
    }
    match evaluation {
        Some(evaluation) => text += &evaluation.card(),
        None => text += "Samples of this checkpoint have not been measured.\n",
    }
    text
}

/// Compares exported weights with their source: the largest difference over the largest value.
///
/// # Errors
/// When a file cannot be read.
pub fn rounding(exported: &Path, source: &Path) -> Result<f64> {
    let load = |path: &Path| {
        candle_core::safetensors::load(path, &Device::Cpu)
            .map_err(|error| Error::content(path, error.to_string(), "export again"))
    };
    let (exported, source) = (load(exported)?, load(source)?);
    let mut worst = 0f64;
    for (name, tensor) in source {
        let other = exported
            .get(&name)
            .ok_or_else(|| Error::Weights(format!("{name} is missing")))?;
        let largest = tensor.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        let difference = (tensor - other.to_dtype(DType::F32)?)?
            .abs()?
            .flatten_all()?
            .max(0)?
            .to_scalar::<f32>()?;
        worst = worst.max(f64::from(difference) / f64::from(largest.max(f32::MIN_POSITIVE)));
    }
    Ok(worst)
}
