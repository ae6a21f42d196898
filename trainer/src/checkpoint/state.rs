//! What a checkpoint knows besides tensors, as RON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mmface_engine::{Error, Result};
use mmface_run_protocol::HeldOutReport;
use mmface_run_protocol::checkpoint_layout::STATE_FILE;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::config::{Config, parse_ron};

/// Version of a checkpoint's layout that is written. 1 held a hash of the configuration, which
/// nothing compared: it changed with each new setting.
pub const FORMAT: u32 = 2;

/// What a checkpoint knows besides tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of the layout: [`FORMAT`], or an older one.
    pub format: u32,
    /// Updates done.
    pub step: u64,
    /// Samples seen, which is also the position in the data.
    pub samples: u64,
    /// Calls of the average.
    pub ema_calls: u64,
    /// Updates that each tensor has had.
    pub updates: BTreeMap<String, u64>,
    /// Best held-out loss and its step.
    pub best: Option<(f64, u64)>,
    /// Latest held-out report.
    pub heldout: Option<HeldOutReport>,
    /// Updates skipped because something was not finite.
    pub skipped: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Where the weights came from at step 0, for the card.
    pub origin: String,
    /// Updates and samples of the stages before this one.
    pub earlier: (u64, u64),
    /// Of format 1: passed over.
    #[serde(default, skip_serializing)]
    config_hash: IgnoredAny,
    /// The effective configuration.
    pub config: Config,
}

impl State {
    /// Before the first update. `earlier` are updates and samples of the stages before.
    pub fn new(config: Config, origin: String, earlier: (u64, u64)) -> Self {
        Self {
            format: FORMAT,
            step: 0,
            samples: 0,
            ema_calls: 0,
            updates: BTreeMap::new(),
            best: None,
            heldout: None,
            skipped: 0,
            seconds: 0.0,
            origin,
            earlier,
            config_hash: IgnoredAny,
            config,
        }
    }
}

/// Reads the state of a checkpoint.
///
/// # Errors
/// When it cannot be read, was written by a newer trainer, or is damaged.
pub fn read_state(checkpoint: &Path) -> Result<State> {
    /// The field that says whether the others can be read.
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }

    let path = checkpoint.join(STATE_FILE);
    let text = fs::read_to_string(&path).map_err(Error::file("read the training state", &path))?;
    let damaged =
        |what: String| Error::content(&path, what, "name an older checkpoint, if the run has one");
    let version: Version = parse_ron(&text).map_err(damaged)?;
    if version.format > FORMAT {
        return Err(Error::content(
            &path,
            format!(
                "this checkpoint was written by a newer trainer: its format is {}, this one reads up to {FORMAT}",
                version.format
            ),
            "use that trainer",
        ));
    }
    let state: State = parse_ron(&text).map_err(damaged)?;
    state.config.check()?;
    Ok(state)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// As the trainer wrote it when the format was 1.
    const FORMAT_1: &str = "(
    format: 1,
    step: 4,
    samples: 16,
    ema_calls: 5,
    updates: {
        \"x_embedder.proj.weight\": 4,
    },
    best: Some((1.9, 4)),
    heldout: Some((
        step: 4,
        loss: 1.9,
        mask: [1.9, 1.9, 1.9, 1.9, 1.9],
        sketch: [1.9, 1.9, 1.9, 1.9, 1.9],
    )),
    skipped: 0,
    seconds: 0.5,
    origin: \"random weights\",
    earlier: (0, 0),
    config_hash: \"3f2a\",
    config: (
        name: \"tiny\",
        model: Demo,
        resolution: 64,
        variants: 1,
        seed: 1,
        batch: 4,
        accumulation: 1,
        steps: 8,
        optimizer: (
            moments: F32,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 0.00000001,
            weight_decay: 0.01,
            max_grad_norm: Some(1.0),
        ),
        rate: (
            base: 0.001,
            schedule: Constant,
            warmup: 0,
            cooldown: None,
        ),
        ema_decay: 0.99,
        time: Uniform,
        min_snr_gamma: Some(5.0),
        dropout: (
            condition: 0.05,
            text: 0.05,
            pooled: 0.05,
        ),
        precision: Exact,
        checkpointing: None,
        every: (
            log: 1,
            heldout: 4,
            checkpoint: 4,
            keep: 2,
        ),
    ),
)";

    #[test]
    fn states_of_older_and_newer_trainers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STATE_FILE);
        fs::write(&path, FORMAT_1).unwrap();
        let state = read_state(folder.path()).unwrap();
        assert_eq!((state.step, state.updates.len()), (4, 1));
        assert_eq!(state.heldout.as_ref().unwrap().loss, 1.9);

        // What a newer one adds is not known here; its format says so first.
        for newer in [
            FORMAT_1.replace("format: 1", "format: 3"),
            "(format: 3, weather: Fine(degrees: 20))".to_owned(),
        ] {
            fs::write(&path, newer).unwrap();
            let told = read_state(folder.path()).unwrap_err().to_string();
            for part in ["newer trainer", "format is 3", "up to 2", "state.ron"] {
                assert!(told.contains(part), "{told}");
            }
        }

        for damaged in ["", "(format: 1, step: 4", "(format: 1, step: 4)"] {
            fs::write(&path, damaged).unwrap();
            let told = read_state(folder.path()).unwrap_err().to_string();
            assert!(told.contains("older checkpoint"), "{told}");
            assert!(!told.contains('\n'), "{told}");
        }
    }
}
