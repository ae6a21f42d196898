//! The networks: each file one, with tensor names equal to the released checkpoints.

pub mod autoencoder_kl;
pub mod autoencoder_tiny;
pub mod clip_text;
pub mod dit;
pub mod face_parser;
pub mod linear;
pub mod residual;
pub mod rope;

use crate::kernels::{Precision, Storage};

/// How a network's weights are kept and multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Bytes per weight on the CPU; ignored on a GPU and for trainable networks.
    pub storage: Storage,
    /// Arithmetic of the products on the CPU.
    pub precision: Precision,
    /// Keep plain tensors through which gradients reach the variables of the `VarBuilder`.
    pub trainable: bool,
}
