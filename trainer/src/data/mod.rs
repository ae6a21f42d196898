//! What the transformer learns from: photos, masks, sketches and captions, as latents and features.

pub mod augment;
pub mod batches;
pub mod captions;
pub mod folders;
pub mod latents;
pub mod loader;
pub mod order;
pub mod prepared;
pub mod source;
pub mod store;
pub mod text;
pub mod webdataset;
