//! From a model package to the parts of a pipeline.

use std::sync::{Mutex, PoisonError};

use super::memory;
use super::parts::Parts;
use crate::contract::{Cancel, ModelRef, ModelSummary, PipelineOptions};
use crate::device::OpenDevice;
use crate::model::LoadOptions;
use crate::sampling::{LinearPreview, NoiseSchedule};
use crate::weights::manifest::{PackageManifest, Part};
use crate::weights::package::Package;
use crate::weights::registry::Registry;
use crate::{Error, Result};

/// What `Backend::load` hears: the fraction done and the part at hand.
pub type Progress<'a> = &'a mut (dyn FnMut(f32, &str) + Send);

/// Loads a package on a device, telling `progress` what is read and asking `cancel` between tensors.
pub fn load(
    model: &ModelRef,
    device: &OpenDevice,
    options: &PipelineOptions,
    progress: Progress,
    cancel: &Cancel,
) -> Result<(Parts, ModelSummary)> {
    let registry = Registry::standard();
    let package = match model {
        ModelRef::Bundled => registry.default_package()?,
        ModelRef::Named(name) => registry.find(name)?,
    };
    let manifest = package.manifest();
    let reading = Reading::new(&package, progress, cancel);
    let load_options = LoadOptions {
        storage: options.storage,
        precision: options.precision,
        trainable: false,
    };
    // The tower runs twice a job: exact products cost nothing there and keep the features.
    let exact = LoadOptions {
        storage: options.storage,
        ..LoadOptions::default()
    };
    let dit = package.load_dit(&device.device, load_options, reading.watch(Part::Dit))?;
    let text = package.load_text(&device.device, exact, reading.watch(Part::Text))?;
    let vae = package.load_autoencoder(&device.device, reading.watch(Part::Vae))?;
    let tiny = package.load_tiny(&device.device)?;
    let summary = summarise(&package, device, options);
    let parts = Parts {
        dit,
        text,
        vae,
        tiny,
        linear: linear_preview(manifest),
        tiny_shift: manifest.latent.tiny_shift,
        schedule: NoiseSchedule::default(),
        device: device.device.clone(),
        free: memory::free_on,
    };
    cancel.check()?;
    Ok((parts, summary))
}

/// The package's own map, else the public one of its autoencoder.
fn linear_preview(manifest: &PackageManifest) -> Option<LinearPreview> {
    let latent = &manifest.latent;
    match &latent.preview {
        Some(preview) => Some(LinearPreview {
            factors: preview.factors.clone(),
            bias: preview.bias,
            ..LinearPreview::default()
        }),
        None => LinearPreview::known(latent.channels, latent.scale),
    }
}

fn summarise(package: &Package, device: &OpenDevice, options: &PipelineOptions) -> ModelSummary {
    let manifest = package.manifest();
    ModelSummary {
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        licence: manifest.licence.clone(),
        sha256: package.sha256().to_string(),
        objective: manifest.objective,
        resolution: manifest.resolution,
        suggested: manifest.suggested(),
        parameters: manifest.dit.parameter_count() as u64,
        device: device.name.clone(),
        note: device.note.clone(),
        precision: options.precision,
        storage: options.storage,
        seconds: 0.0,
    }
}

/// Turns "this much of this part" into "this much of the whole".
struct Reading<'a> {
    progress: Mutex<Progress<'a>>,
    cancel: &'a Cancel,
    /// Each part's bytes, in the order of loading.
    bytes: Vec<(Part, u64)>,
}

impl<'a> Reading<'a> {
    fn new(package: &Package, progress: Progress<'a>, cancel: &'a Cancel) -> Self {
        let files = &package.manifest().files;
        let bytes = |part: Part| (part, files.get(&part).map_or(0, |file| file.bytes));
        Self {
            progress: Mutex::new(progress),
            cancel,
            bytes: [Part::Dit, Part::Text, Part::Vae].map(bytes).to_vec(),
        }
    }

    fn watch<'b>(&'b self, part: Part) -> impl Fn(&str, f32) -> bool + Send + Sync + 'b {
        let total = self
            .bytes
            .iter()
            .map(|(_, bytes)| bytes)
            .sum::<u64>()
            .max(1) as f32;
        let before: u64 = self
            .bytes
            .iter()
            .take_while(|(other, _)| *other != part)
            .map(|(_, bytes)| bytes)
            .sum();
        let own = self
            .bytes
            .iter()
            .find(|(other, _)| *other == part)
            .map_or(0, |(_, bytes)| *bytes);
        move |_tensor: &str, fraction: f32| {
            let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress(
                ((before as f32 + own as f32 * fraction) / total).clamp(0.0, 1.0),
                part.title(),
            );
            !self.cancel.raised()
        }
    }
}

/// The error of a model that nobody has loaded.
pub fn no_model() -> Error {
    Error::NoModel("no model is loaded; load one first".into())
}
