//! What goes into and comes out of the pipeline, as plain data.

use serde::{Deserialize, Serialize};

use crate::device::DeviceChoice;
use crate::job::{Fork, Guide, Sampler};
use crate::kernels::{Precision, Storage};
use crate::picture::RgbImage;

/// A finished picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The seed that repeats it alone.
    pub seed: u64,
    /// The picture.
    pub image: RgbImage,
    /// The latent that was decoded, `[channels, size / 8, size / 8]` row-major.
    pub latent: Vec<f32>,
}

/// A point on the way to a picture, from which another job can go on.
#[derive(Clone, Debug, PartialEq)]
pub struct TrailStep {
    /// Steps that are done here, and the latent after them.
    pub fork: Fork,
    /// The picture as predicted here, small; `None` when the package has no quick way to show it.
    pub preview: Option<RgbImage>,
}

/// Some points on the way to a finished picture, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    /// [`pixel_hash`](crate::provenance::pixel_hash) of the finished picture.
    pub pixels: String,
    /// The points.
    pub steps: Vec<TrailStep>,
}

/// Which previews a running job makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PreviewPolicy {
    /// None: they cost nothing.
    Off,
    /// The dearest rung of the ladder that stays within 5 % of the job's time.
    #[default]
    Auto,
    /// The package's linear map from latent to colour.
    Linear,
    /// The tiny decoder, where the package has one; else linear.
    Tiny,
    /// The whole decoder.
    Vae,
}

/// How a pipeline computes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PipelineOptions {
    /// Where.
    pub device: DeviceChoice,
    /// With which products.
    pub precision: Precision,
    /// How weights lie in memory.
    pub storage: Storage,
    /// Which previews.
    pub previews: PreviewPolicy,
}

/// A loaded model in words and numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModelSummary {
    /// The package's name, as `--model` takes it.
    pub name: String,
    /// The title for people.
    pub title: String,
    /// The licence of the weights.
    pub licence: String,
    /// SHA-256 of the transformer's file.
    pub sha256: String,
    /// `flow` or `diffusion`.
    pub objective: String,
    /// The sampler to take when nobody says otherwise.
    pub default_sampler: Sampler,
    /// Side in pixels that the model was trained for.
    pub resolution: usize,
    /// The guidance weight to take when nobody says otherwise.
    pub default_guidance: f64,
    /// What guidance strengthens when nobody says otherwise.
    pub default_guide: Guide,
    /// Parameters of the transformer.
    pub parameters: u64,
    /// Where it computes: `cpu`, `cuda:0`.
    pub device: String,
    /// Why the device is not the one that a person may expect.
    pub note: Option<String>,
    /// Arithmetic of the products.
    pub precision: Precision,
    /// How the weights lie in memory.
    pub storage: Storage,
    /// Seconds that loading took.
    pub seconds: f64,
}
