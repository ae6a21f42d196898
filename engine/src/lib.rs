//! Everything that MMFace Studio computes.
//!
//! The engine turns a condition (class mask or sketch) and a prompt into portraits with the
//! MMFace-DiT transformer. It knows neither windows nor training; the crate's layers are plain
//! candle operations with gradients, so that the trainer uses the very same model.
//!
//! ARCHITECTURE.md holds the map.

pub mod bench;
pub mod condition;
pub mod contract;
pub mod device;
pub mod error;
pub mod file;
pub mod format;
pub mod job;
pub mod kernels;
pub mod labels;
pub mod model;
pub mod picture;
pub mod pipeline;
pub mod precision;
pub mod provenance;
pub mod route;
pub mod sampling;
mod start;
pub mod system;
pub mod text;
pub mod weights;
pub mod worker;

pub use error::{Error, Result};
