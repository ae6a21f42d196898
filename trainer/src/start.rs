//! Where a run starts: fresh weights, the weights of another run, or a checkpoint.

use std::path::{Path, PathBuf};

use candle_core::Device;
use mmface_engine::{Error, Result};

use crate::checkpoint::{self, State};
use crate::config::Config;
use crate::data::PreparedData;
use crate::model;
use crate::optim::Parameters;
use crate::step::Training;

/// Where a run starts.
#[derive(Clone, Debug)]
pub enum Start {
    /// From fresh weights.
    Fresh(Config),
    /// From the weights of another run, with a fresh optimizer (the second stage).
    Weights(Config, PathBuf),
    /// Where a checkpoint stopped.
    Checkpoint(PathBuf),
}

impl Start {
    /// The configuration that the run will have, but for changes to its plan.
    ///
    /// # Errors
    /// When the checkpoint's state cannot be read.
    pub fn config(&self) -> Result<Config> {
        match self {
            Self::Fresh(config) | Self::Weights(config, _) => Ok(config.clone()),
            Self::Checkpoint(folder) => Ok(checkpoint::read_state(folder)?.config),
        }
    }
}

/// Changes to a resumed run's plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    /// New number of updates.
    pub steps: Option<u64>,
    /// Ends the run within so many updates, the rate falling linearly to zero.
    pub cooldown: Option<u64>,
}

/// Weights, average and optimizer of the first update, and the state that goes with them.
/// `samples` is the size of the training set, from which epochs are counted.
pub fn begin(
    start: Start,
    changes: Changes,
    samples: usize,
    out: &Path,
    device: &Device,
) -> Result<(Training, State)> {
    match start {
        Start::Fresh(config) => {
            let parameters = model::initialise(&config.model.dit(), config.seed, device)?;
            fresh(
                config,
                parameters,
                "random weights".into(),
                (0, 0),
                samples,
                out,
                device,
            )
        }
        Start::Weights(config, from) => {
            let earlier = checkpoint::read_state(&from)
                .map(|state| {
                    (
                        state.earlier.0 + state.step,
                        state.earlier.1 + state.samples,
                    )
                })
                .unwrap_or_default();
            let parameters = checkpoint::read_initial(&from, &config, device)?;
            let name = from
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            fresh(
                config,
                parameters,
                format!("weights of {name} after {} updates", earlier.0),
                earlier,
                samples,
                out,
                device,
            )
        }
        Start::Checkpoint(folder) => {
            let mut state = checkpoint::read_state(&folder)?;
            let training = checkpoint::load(&folder, &state, device)?;
            if let Some(steps) = changes.steps {
                state.config.steps = steps;
            }
            if let Some(updates) = changes.cooldown {
                state.config.rate.cooldown = Some((state.step, updates));
                state.config.steps = state.step + updates;
            }
            state.config.check()?;
            Ok((training, state))
        }
    }
}

fn fresh(
    mut config: Config,
    parameters: Parameters,
    origin: String,
    earlier: (u64, u64),
    samples: usize,
    out: &Path,
    device: &Device,
) -> Result<(Training, State)> {
    if !checkpoint::complete(out)?.is_empty() {
        return Err(Error::content(
            out,
            "the folder already holds checkpoints",
            "use `resume`, or name another --out",
        ));
    }
    config.count_steps(samples)?;
    let training = Training::new((&config).into(), parameters, device)?;
    let state = State::new(config, origin, earlier);
    Ok((training, state))
}

/// Compares the prepared data with what the configuration asks for.
pub fn check_data(config: &Config, data: &PreparedData) -> Result<()> {
    let dit = config.model.dit();
    let fail = |what: String| {
        Err(Error::Input(format!(
            "the prepared data does not fit `{}`: {what}; run `mmface-trainer latents` with this configuration",
            config.name
        )))
    };
    for (name, store) in [("training", &data.train), ("held-out", &data.heldout)] {
        if store.channels * 2 != dit.channels {
            return fail(format!(
                "{name} latents have {} channels, the transformer takes {}",
                store.channels,
                dit.channels / 2
            ));
        }
        if store.side * 8 != config.resolution {
            return fail(format!(
                "{name} latents are {} wide, a picture of {} needs {}",
                store.side,
                config.resolution,
                config.resolution / 8
            ));
        }
    }
    if data.text.width != dit.text_dim {
        return fail(format!(
            "text features are {} wide, the transformer takes {}",
            data.text.width, dit.text_dim
        ));
    }
    Ok(())
}
