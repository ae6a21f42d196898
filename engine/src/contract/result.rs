//! What a job gives: pictures, and the way to them.

use crate::job::Fork;
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
