//! The folder of frozen networks that `--weights` names.

use std::path::{Path, PathBuf};

/// The autoencoder, in diffusers' layout.
pub fn autoencoder(weights: &Path) -> PathBuf {
    weights.join("vae")
}

/// The text tower with its tokenizer, in transformers' layout.
pub fn text(weights: &Path) -> PathBuf {
    weights.join("text")
}
