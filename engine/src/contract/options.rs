//! How a backend computes.

use serde::{Deserialize, Serialize};

use crate::device::DeviceChoice;
use crate::precision::{Precision, Storage};

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
