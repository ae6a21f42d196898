//! The networks: each file one, with tensor names equal to the released checkpoints.

pub mod autoencoder_kl;
pub mod autoencoder_tiny;
pub mod clip_text;
pub mod face_parser;
pub mod residual;

use crate::kernels::{Precision, Storage};

/// How a network's weights are held once loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Layout of packed weight matrices in memory.
    pub storage: Storage,
    /// Arithmetic of the products.
    pub precision: Precision,
    /// Keeps plain tensors through which gradients flow instead of packing them.
    pub trainable: bool,
}
