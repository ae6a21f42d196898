//! How a backend computes.

use serde::{Deserialize, Serialize};

use crate::device::DeviceChoice;
use crate::precision::{Precision, Storage};
use crate::route::Route;

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PipelineOptions {
    /// Where.
    pub device: DeviceChoice,
    /// By which implementation; left out, that of the device.
    pub route: Option<Route>,
    /// With which products.
    pub precision: Precision,
    /// How weights lie in memory.
    pub storage: Storage,
    /// Which previews.
    pub previews: PreviewPolicy,
}

impl Default for PipelineOptions {
    /// What a person gets who chooses nothing. Fast products: on 50 held-out masks their pictures
    /// differ less than a hundredth as much as those of two seeds (BENCHMARKS.md).
    fn default() -> Self {
        Self {
            device: DeviceChoice::default(),
            route: None,
            precision: Precision::Fast,
            storage: Storage::default(),
            previews: PreviewPolicy::default(),
        }
    }
}
