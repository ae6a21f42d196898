//! What a run learns from and is measured on, opened.

use super::store::LatentStore;
use super::text::TextStore;

/// The prepared data of a run.
#[derive(Debug)]
pub struct PreparedData {
    /// Samples to learn from.
    pub train: LatentStore,
    /// Samples to measure on.
    pub heldout: LatentStore,
    /// Features of all captions.
    pub text: TextStore,
}
