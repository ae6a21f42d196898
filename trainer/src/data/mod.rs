//! What the transformer learns from: photos, masks, sketches and captions, as latents and features.

pub mod augment;
pub mod batches;
pub mod captions;
pub mod folders;
pub mod latents;
pub mod loader;
pub mod order;
pub mod source;
pub mod store;
pub mod text;
pub mod webdataset;

use self::store::LatentStore;
use self::text::TextStore;

/// Version of everything between a file and its latent: decoding, cropping, the Lanczos resampler,
/// augmentation. A change of any of it changes this number, and with it every cache key.
pub const PREPARATION_VERSION: u32 = 1;

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
