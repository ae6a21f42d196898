//! The commands of `mmface-trainer`, one file each where they are more than a call.

pub(crate) mod ablate;
pub(crate) mod compare;
pub(crate) mod evaluate;
pub(crate) mod plan;
pub(crate) mod train;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mmface_engine::job::Objective;
use mmface_engine::{Error, Result};
use mmface_run_protocol::arguments::{flag, name};
use mmface_trainer::config::{Checkpointing, Config};
use mmface_trainer::data::source::Source as Samples;
use mmface_trainer::prepare::Preparation;
use mmface_trainer::presets;
use mmface_trainer::settings;
use mmface_trainer::upstream::{self, Imported};

/// Which blocks are computed again in the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckpointingName {
    /// No block
    None,
    /// Every second block
    Selective,
    /// Every block
    Full,
}

impl From<CheckpointingName> for Checkpointing {
    fn from(name: CheckpointingName) -> Self {
        match name {
            CheckpointingName::None => Self::None,
            CheckpointingName::Selective => Self::Selective,
            CheckpointingName::Full => Self::Full,
        }
    }
}

/// Where the configuration comes from, and what is changed in it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Source {
    #[command(flatten)]
    file: File,
    /// Change a setting, as in --set steps=500 --set optimizer.moments=Bits8; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
}

/// One of the places that a configuration can come from.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
struct File {
    /// Training configuration (RON)
    #[arg(long = name(flag::CONFIG))]
    config: Option<PathBuf>,
    /// A configuration that comes with the program: paper-256-flow, paper-512-flow, paper-256-diffusion, paper-512-diffusion, demo, demo-256
    #[arg(long = name(flag::PRESET))]
    preset: Option<String>,
    /// The authors' YAML configuration; its batch is that of one process
    #[arg(long = name(flag::CONFIG_PATH), visible_alias = "config-path")]
    config_path: Option<PathBuf>,
}

impl Source {
    /// Name of the preset, if one is named.
    pub(crate) fn preset(&self) -> Option<&str> {
        self.file.preset.as_deref()
    }

    /// Reads the configuration and makes the changes; with what a file of the authors says beside
    /// it.
    ///
    /// # Errors
    /// When the file cannot be read, a change names no setting, or the result does not hold
    /// [`mmface_trainer::config::Config::check`].
    pub(crate) fn read(
        &self,
        objective: Option<Objective>,
        ranks: usize,
        heldout: usize,
    ) -> Result<Imported> {
        let mut imported = self.file.read(objective, ranks, heldout)?;
        for change in &self.changes {
            settings::set(&mut imported.config, change)?;
        }
        imported.config.check()?;
        Ok(imported)
    }
}

impl File {
    fn read(&self, objective: Option<Objective>, ranks: usize, heldout: usize) -> Result<Imported> {
        let plain = |config: Config| Imported {
            config,
            source: None,
            out: None,
            init_from: None,
            notes: Vec::new(),
        };
        if let Some(path) = &self.config_path {
            let objective = objective.unwrap_or_else(|| upstream::objective_of(path));
            return upstream::read(path, objective, ranks, heldout);
        }
        match (&self.config, &self.preset) {
            (Some(path), _) => Config::read(path).map(plain),
            (None, Some(name)) => presets::find(name)?.config().map(plain),
            (None, None) => Err(Error::Argument(
                "name a configuration with --config, --preset or --config_path".into(),
            )),
        }
    }
}

/// What data is made of, and threads.
#[derive(Clone, Debug, Args)]
pub(crate) struct Inputs {
    /// Folder of WebDataset tars (train-*.tar, heldout-*.tar), of photos, masks and sketches (CelebA or FFHQ style), or of the authors' .pt latents; left out: what is prepared is used
    #[arg(long = name(flag::DATA))]
    pub data: Option<PathBuf>,
    /// Folder of captions (NAME.txt, one a line), where the data has none of its own
    #[arg(long, requires = "data")]
    pub captions: Option<PathBuf>,
    /// Samples that are held out of folders; tars say it by their names
    #[arg(long, default_value_t = 50)]
    pub heldout: usize,
    /// Train without the samples that lack a photo, mask or sketch, and with empty captions where there are none
    #[arg(long = name(flag::ALLOW_MISSING))]
    pub allow_missing: bool,
    /// Folder of the frozen autoencoder and text tower (vae/, text/); needed with --data, and for sample sheets
    #[arg(long = name(flag::WEIGHTS))]
    pub weights: Option<PathBuf>,
    /// Number of threads; left out: all cores, shared by the processes
    #[arg(long = name(flag::THREADS))]
    pub threads: Option<usize>,
}

impl Inputs {
    /// What is to be prepared into `work`: the data of `--data`, else what a file of the authors
    /// names. The frozen networks are those of `--weights`, else `noted`.
    ///
    /// # Errors
    /// When the data is not found, or nothing names the frozen networks.
    pub(crate) fn preparation(
        &self,
        named: Option<&Samples>,
        work: &Path,
        noted: Option<&Path>,
    ) -> Result<Option<Preparation>> {
        let source = match (&self.data, named) {
            (Some(root), _) => Samples::discover(root, self.captions.as_deref(), self.heldout)?,
            (None, Some(source)) => source.clone(),
            (None, None) => return Ok(None),
        };
        let weights = self.weights.as_deref().or(noted).ok_or_else(|| {
            Error::Argument(
                "name the folder of the autoencoder and text tower with --weights".into(),
            )
        })?;
        Ok(Some(Preparation {
            source,
            weights: weights.to_path_buf(),
            work: work.to_path_buf(),
            allow_missing: self.allow_missing,
        }))
    }
}
