//! Where things lie in a run's folder.

use std::path::{Path, PathBuf};

use crate::event::Weights;

/// Every event of the run, one JSON line each.
pub fn metrics(out: &Path) -> PathBuf {
    out.join("metrics.jsonl")
}

/// The lock that the run's process holds for as long as it lives, with its id; see
/// [`lock`](crate::lock).
pub fn lock(out: &Path) -> PathBuf {
    out.join("run.lock")
}

/// What the run reads besides its checkpoints, as JSON; see [`RunInputs`](crate::RunInputs).
pub fn inputs(out: &Path) -> PathBuf {
    out.join("inputs.json")
}

/// The folder that takes commands of other processes; see [`mailbox`](crate::mailbox).
pub fn commands(out: &Path) -> PathBuf {
    out.join("commands")
}

/// What a trainer that was started by the studio says on standard error.
pub fn log(out: &Path) -> PathBuf {
    out.join("trainer.log")
}

/// The folder of TensorBoard's event files.
pub fn tensorboard(out: &Path) -> PathBuf {
    out.join("tensorboard")
}

/// The folder of sample sheets.
pub fn samples(out: &Path) -> PathBuf {
    out.join("samples")
}

/// A sheet of samples, PNG.
pub fn sheet(out: &Path, step: u64, weights: Weights) -> PathBuf {
    samples(out).join(format!("step-{step:07}-{}.png", weights.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_older_versions_are_found_under_these_names() {
        let out = Path::new("run");
        for (path, name) in [
            (metrics(out), "metrics.jsonl"),
            (lock(out), "run.lock"),
            (inputs(out), "inputs.json"),
            (commands(out), "commands"),
            (log(out), "trainer.log"),
            (tensorboard(out), "tensorboard"),
            (sheet(out, 30, Weights::Raw), "samples/step-0000030-raw.png"),
            (
                sheet(out, 5, Weights::Averaged),
                "samples/step-0000005-averaged.png",
            ),
        ] {
            assert_eq!(path, out.join(name));
        }
    }
}
