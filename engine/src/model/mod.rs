//! The networks: each file one, with tensor names equal to the released checkpoints.

pub mod autoencoder_kl;
pub mod autoencoder_tiny;
pub mod clip_text;
pub mod dit;
pub mod face_parser;
pub mod linear;
mod load_options;
pub mod residual;
pub mod rope;

pub use load_options::LoadOptions;
