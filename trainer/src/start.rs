//! Where a run starts: fresh weights, the weights of another run, or a checkpoint.

use std::path::{Path, PathBuf};

use candle_core::Device;
use mmface_engine::job::Named as _;
use mmface_engine::{Error, Result};

use crate::checkpoint::{self, State};
use crate::config::Config;
use crate::data::prepared::PreparedData;
use crate::model;
use crate::optim::Parameters;
use crate::optim::lr_schedule::learning_rate;
use crate::step::{Settings, Training};

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

    /// Looks, without loading anything large, whether the run can start in this folder.
    ///
    /// # Errors
    /// When the folder holds a run already, or the weights to start from do not fit.
    pub fn check(&self, out: &Path) -> Result<()> {
        match self {
            Self::Fresh(_) => refuse_taken(out),
            Self::Weights(config, from) => {
                refuse_taken(out)?;
                let dit = config.model.dit();
                if let Ok(state) = checkpoint::read_state(from)
                    && state.config.model.dit().objective != dit.objective
                {
                    return Err(Error::Argument(format!(
                        "{} was trained with the {} objective, the configuration asks for {}: start from a run of the same objective",
                        from.display(),
                        state.config.model.dit().objective.name(),
                        dit.objective.name()
                    )));
                }
                checkpoint::check_initial(from, &dit)
            }
            Self::Checkpoint(_) => Ok(()),
        }
    }
}

/// Refuses a folder whose checkpoints a new run would mix with its own.
fn refuse_taken(out: &Path) -> Result<()> {
    if out.is_dir() && !checkpoint::complete(out)?.is_empty() {
        return Err(Error::content(
            out,
            "the folder already holds checkpoints",
            "use `resume`, or name another --out",
        ));
    }
    Ok(())
}

/// Changes to a resumed run's plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    /// New number of updates.
    pub steps: Option<u64>,
    /// Ends the run within so many updates, the rate falling linearly to zero.
    pub cooldown: Option<u64>,
}

impl Changes {
    /// Changes the plan of a run that has come so far; returns what a person may not expect.
    ///
    /// # Errors
    /// When what was asked for is done already.
    pub fn apply(self, state: &mut State) -> Result<Vec<String>> {
        let fail = |what: String| Err(Error::Argument(what));
        let (done, before) = (state.step, state.config.clone());
        if let Some(steps) = self.steps {
            if steps <= done {
                return fail(format!(
                    "the run has done {done} updates already, so --steps {steps} leaves nothing to do: name more"
                ));
            }
            state.config.steps = steps;
        }
        if let Some(updates) = self.cooldown {
            if updates == 0 {
                return fail("--cooldown 0 leaves nothing to do: name at least 1 update".into());
            }
            state.config.rate.cooldown = Some((done, updates));
            state.config.steps = done.saturating_add(updates);
        }
        state.config.check()?;
        Ok(rate_jump(&before, &state.config, done)
            .into_iter()
            .collect())
    }
}

/// A rate that rises by more than this factor from one update to the next is told.
const JUMP: f64 = 2.0;

/// What to say when more updates stretch a schedule that had come down.
fn rate_jump(before: &Config, after: &Config, done: u64) -> Option<String> {
    let last = learning_rate(&before.rate, done.checked_sub(1)?, before.steps);
    let next = learning_rate(&after.rate, done, after.steps);
    (before.steps != after.steps && next > JUMP * last).then(|| {
        format!(
            "the learning rate rises from {last:.1e} to {next:.1e}: with {} updates the schedule is stretched, not continued; --cooldown N lets it fall to zero instead",
            after.steps
        )
    })
}

/// A run before its first update.
#[derive(Debug)]
pub struct Begun {
    /// Weights, average and optimizer.
    pub training: Training,
    /// What goes with them.
    pub state: State,
    /// What a person may not expect.
    pub warnings: Vec<String>,
}

/// Weights, average and optimizer of the first update, and the state that goes with them.
/// `samples` is the size of the training set, from which epochs are counted.
///
/// # Errors
/// When the weights or the checkpoint cannot be read or do not fit the configuration, or a change
/// is not possible.
pub fn begin(
    start: Start,
    changes: Changes,
    samples: usize,
    out: &Path,
    device: &Device,
) -> Result<Begun> {
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
            let warnings = changes.apply(&mut state)?;
            let training = checkpoint::load(&folder, &state, device)
                .map_err(|error| checkpoint::name_older(error, &folder))?;
            Ok(Begun {
                training,
                state,
                warnings,
            })
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
) -> Result<Begun> {
    refuse_taken(out)?;
    config.count_steps(samples)?;
    let training = Training::new(Settings::of(&config, device), parameters, device)?;
    let state = State::new(config, origin, earlier);
    Ok(Begun {
        training,
        state,
        warnings: Vec::new(),
    })
}

/// Compares the prepared data with what the configuration asks for.
///
/// # Errors
/// With what does not fit: channels, sides, or the width of the text features.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::parse_ron;

    fn state(step: u64, schedule: &str) -> State {
        let config: Config = parse_ron(&format!(
            "(name: \"n\", model: Demo, resolution: 128, batch: 4, steps: 8, rate: (base: 1e-3, warmup: 0, schedule: {schedule}))"
        ))
        .unwrap();
        let mut state = State::new(config, String::new(), (0, 0));
        state.step = step;
        state
    }

    #[test]
    fn a_resumed_run_says_when_nothing_is_left_to_do() {
        let changes = |steps, cooldown| Changes { steps, cooldown };
        for (done, changes, part) in [
            (8, changes(Some(5), None), "done 8 updates already"),
            (8, changes(Some(8), None), "done 8 updates already"),
            (4, changes(Some(4), None), "done 4 updates already"),
            (4, changes(None, Some(0)), "--cooldown 0"),
            (4, changes(None, Some(u64::MAX)), "at most"),
            (4, changes(Some(u64::MAX), None), "at most"),
        ] {
            let told = changes.apply(&mut state(done, "Constant")).unwrap_err();
            assert!(told.to_string().contains(part), "{told}");
        }
        for (done, changes, steps) in [
            (4, changes(None, None), 8),
            (8, changes(None, None), 8),
            (8, changes(Some(9), None), 9),
            (8, changes(None, Some(3)), 11),
        ] {
            let mut state = state(done, "Constant");
            assert!(changes.apply(&mut state).unwrap().is_empty());
            assert_eq!(state.config.steps, steps);
        }
    }

    #[test]
    fn a_rate_that_jumps_up_is_told() {
        let more = Changes {
            steps: Some(16),
            cooldown: None,
        };
        for (schedule, told) in [("Cosine", 1), ("Linear", 1), ("Constant", 0)] {
            let warnings = more.apply(&mut state(8, schedule)).unwrap();
            assert_eq!(warnings.len(), told, "{schedule}: {warnings:?}");
            assert!(
                warnings
                    .iter()
                    .all(|text| text.contains("learning rate rises"))
            );
        }
        let unchanged = Changes::default().apply(&mut state(4, "Cosine"));
        assert!(unchanged.unwrap().is_empty());
    }
}
