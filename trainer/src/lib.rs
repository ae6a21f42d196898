//! Trains MMFace-DiT: data, objectives, optimizer, and an exactly resumable loop.
//!
//! The transformer itself is the engine's: what is trained here is what draws there.

pub mod ablate;
pub mod bench;
pub mod checkpoint;
pub mod coarse;
pub mod compare;
pub mod config;
pub mod control;
pub mod data;
pub mod device;
pub mod evaluate;
pub mod export;
pub mod heldout;
pub mod inputs;
pub mod memory;
pub mod model;
pub mod objective;
pub mod optim;
pub mod package;
pub mod plan;
pub mod prepare;
pub mod presets;
pub mod ranks;
pub mod report;
pub mod rng;
pub mod run;
pub mod settings;
pub mod sheets;
pub mod start;
pub mod step;
pub mod tensors;
pub mod upstream;

pub use mmface_engine::{Error, Result};
