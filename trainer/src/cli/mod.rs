//! The commands of `mmface-trainer`, one file each where they are more than a call.

pub mod plan;
pub mod train;

use std::path::PathBuf;

use clap::Args;
use mmface_trainer::config::Config;
use mmface_trainer::presets;

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// Training configuration (RON)
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// A configuration that comes with the program: paper-256-flow, paper-512-flow, paper-256-diffusion, paper-512-diffusion, demo, demo-256
    #[arg(long)]
    pub preset: Option<String>,
}

impl Source {
    /// Reads the configuration.
    pub fn read(&self) -> mmface_engine::Result<Config> {
        match (&self.config, &self.preset) {
            (Some(path), _) => Config::read(path),
            (None, Some(name)) => presets::find(name)?.config(),
            (None, None) => Err(mmface_engine::Error::Argument(
                "name a configuration with --config or --preset".into(),
            )),
        }
    }
}

/// Data, work folder and threads.
#[derive(Clone, Debug, Args)]
pub struct Inputs {
    /// Folder of the WebDataset tars (train-*.tar, heldout-*.tar); left out: what is prepared is used
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Folder of the frozen autoencoder and text tower (vae/, text/); needed with --data, and for sample sheets
    #[arg(long)]
    pub weights: Option<PathBuf>,
    /// Folder for latents and text features
    #[arg(long)]
    pub work: PathBuf,
    /// Number of threads; left out: all cores, shared by the processes
    #[arg(long)]
    pub threads: Option<usize>,
}
