//! What the transformer learns from: photos, masks, sketches and captions, as latents and features.

pub mod augment;
pub mod batches;
pub mod captions;
pub mod latents;
pub mod loader;
pub mod order;
pub mod store;
pub mod text;
pub mod webdataset;

/// Resizes cannot bring these apart: a change of the preparation changes this number, and with it
/// every cache key.
pub const PREPARATION_VERSION: u32 = 1;
