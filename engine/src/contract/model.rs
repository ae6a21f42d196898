//! Which model, and what it turned out to be.

use serde::{Serialize, Serializer};

use crate::job::{DrawChanges, Named, Objective};
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
    /// What its transformer predicts.
    #[serde(serialize_with = "name")]
    pub objective: Objective,
    /// Side in pixels that the model was trained for.
    pub resolution: usize,
    /// The values to take when nobody says otherwise.
    pub suggested: DrawChanges,
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

fn name<T: Named, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.name())
}
