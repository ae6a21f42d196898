//! From a model package to the parts of a pipeline.

use std::sync::{Mutex, PoisonError};

use super::codec::LatentCodec;
use super::parts::Parts;
use crate::contract::{Cancel, ModelRef, ModelSummary, PipelineOptions};
use crate::device::OpenDevice;
use crate::job::DrawChanges;
use crate::model::LoadOptions;
use crate::model::dit::Dit;
use crate::route::Route;
use crate::sampling::{LinearPreview, NoiseSchedule};
use crate::weights::manifest::{PackageManifest, Part};
use crate::weights::package::Package;
use crate::weights::registry::Registry;
use crate::{Error, Result};

/// What `Backend::load` hears: the fraction done and the part at hand.
pub(super) type Progress<'a> = &'a mut (dyn FnMut(f32, &str) + Send);

/// The transformer of a pipeline.
pub enum Transformer {
    /// The package's own.
    Own,
    /// Another one in its place, on the same device: a checkpoint's.
    Other(Box<Dit>),
}

/// How a transformer is loaded for a pipeline with these options on this device.
pub fn load_options(options: &PipelineOptions, device: &OpenDevice) -> LoadOptions {
    let route = options.route.unwrap_or(Route::of(&device.device));
    match route {
        Route::Fused => LoadOptions {
            storage: options.storage,
            precision: options.precision,
            ..LoadOptions::frozen(route)
        },
        // It knows nothing but f32; the recipe is to name what ran.
        Route::Composed => LoadOptions::frozen(route),
    }
}

/// Finds a model and loads it as [`load_package`] does.
pub(super) fn load(
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
    load_package(
        &package,
        Transformer::Own,
        device,
        options,
        progress,
        cancel,
    )
}

/// Loads a package on a device, telling `progress` what is read and asking `cancel` between tensors.
///
/// # Errors
/// When a part is missing or damaged, or does not fit the others; [`Error::Cancelled`] when asked to
/// stop.
pub fn load_package(
    package: &Package,
    transformer: Transformer,
    device: &OpenDevice,
    options: &PipelineOptions,
    progress: Progress,
    cancel: &Cancel,
) -> Result<(Parts, ModelSummary)> {
    let manifest = package.manifest();
    let reading = Reading::new(package, progress, cancel);
    let load_options = load_options(options, device);
    let route = load_options.route;
    // The tower runs twice a job: exact products cost nothing there and keep the features.
    let exact = LoadOptions {
        storage: load_options.storage,
        ..LoadOptions::frozen(route)
    };
    let dit = match transformer {
        Transformer::Own => {
            package.load_dit(&device.device, load_options, reading.watch(Part::Dit))?
        }
        Transformer::Other(dit) => *dit,
    };
    let text = package.load_text(&device.device, exact, reading.watch(Part::Text))?;
    let vae = package.load_autoencoder(&device.device, route, reading.watch(Part::Vae))?;
    let tiny = package.load_tiny(&device.device, route)?;
    let summary = summarise(package, &dit, device, load_options);
    let codec = LatentCodec {
        tiny,
        tiny_shift: manifest.latent.tiny_shift,
        linear: linear_preview(manifest),
        ..LatentCodec::new(vae, device.device.clone())
    };
    let parts = Parts {
        dit,
        text,
        codec,
        schedule: NoiseSchedule::default(),
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

fn summarise(
    package: &Package,
    dit: &Dit,
    device: &OpenDevice,
    options: LoadOptions,
) -> ModelSummary {
    let manifest = package.manifest();
    let objective = dit.config().objective;
    ModelSummary {
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        licence: manifest.licence.clone(),
        sha256: package.sha256().to_string(),
        objective,
        resolution: manifest.resolution,
        suggested: DrawChanges {
            sampler: Some(objective.default_sampler()),
            ..manifest.suggested()
        },
        parameters: dit.config().parameter_count() as u64,
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
pub(super) fn no_model() -> Error {
    Error::NoModel("no model is loaded; load one first".into())
}
