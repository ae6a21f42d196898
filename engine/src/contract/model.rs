//! Which model, and what it turned out to be.

use serde::Serialize;

use crate::job::{Guide, Sampler};
use crate::precision::{Precision, Storage};

/// Which model to load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelRef {
    /// The best bundled one.
    #[default]
    Bundled,
    /// By the name of an installed package, or by the path of a folder or a `.mmface` file.
    Named(String),
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
