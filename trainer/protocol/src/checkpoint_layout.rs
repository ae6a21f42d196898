//! Where a run keeps its checkpoints, and the files in one.
//!
//! `OUT/checkpoint-N/` holds averaged weights, raw weights, optimizer and state. It is written as a
//! hidden folder, given its marker, and renamed, so a folder of this name with a marker is whole.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Averaged weights; the authors' scripts load this name.
pub const EMA_FILE: &str = "dit_model_weights_ema.safetensors";
/// Weights being trained.
pub const RAW_FILE: &str = "model.safetensors";
/// The optimizer's moments.
pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// What a checkpoint knows besides tensors, as RON.
pub const STATE_FILE: &str = "state.ron";
/// An empty file that says that the others are all there.
pub const MARKER: &str = "complete";

/// Start of a checkpoint's name; the update follows.
const PREFIX: &str = "checkpoint-";
/// How the name of a checkpoint that is being written ends.
const PARTIAL: &str = ".partial";
/// How the name of one ends that makes room for another of the same update.
const REPLACED: &str = ".old";

/// Name of the checkpoint of an update.
pub fn name(step: u64) -> String {
    format!("{PREFIX}{step}")
}

/// Folder of the checkpoint of an update.
pub fn folder(out: &Path, step: u64) -> PathBuf {
    out.join(name(step))
}

/// The file that holds the name of the newest checkpoint.
pub fn latest(out: &Path) -> PathBuf {
    out.join("latest")
}

/// Folder of a checkpoint while it is written.
pub fn partial(out: &Path, step: u64) -> PathBuf {
    out.join(format!(".{}{PARTIAL}", name(step)))
}

/// Where an older checkpoint of the same update waits until the new one is in place.
pub fn replaced(out: &Path, step: u64) -> PathBuf {
    out.join(format!(".{}{REPLACED}", name(step)))
}

/// What a crash while a checkpoint was written can leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// A checkpoint that was not finished.
    Partial,
    /// The older checkpoint of this update, put aside for a newer one.
    Replaced(u64),
}

impl Leftover {
    /// What a name says, if it is one of these.
    pub fn of(name: &OsStr) -> Option<Self> {
        let rest = name.to_str()?.strip_prefix('.')?.strip_prefix(PREFIX)?;
        if rest.ends_with(PARTIAL) {
            return Some(Self::Partial);
        }
        let step = rest.strip_suffix(REPLACED)?.parse().ok()?;
        Some(Self::Replaced(step))
    }
}

/// The update of a checkpoint by its folder's name; `None` when it is none's.
pub fn step(name: &OsStr) -> Option<u64> {
    name.to_str()?.strip_prefix(PREFIX)?.parse().ok()
}

/// Whether a checkpoint was written to its end.
pub fn is_complete(checkpoint: &Path) -> bool {
    checkpoint.join(MARKER).exists()
}

/// Updates of the complete checkpoints in a run's folder, rising.
///
/// # Errors
/// When the folder cannot be listed.
pub fn complete(out: &Path) -> std::io::Result<Vec<u64>> {
    let mut steps = Vec::new();
    for entry in std::fs::read_dir(out)? {
        let entry = entry?;
        if let Some(step) = step(&entry.file_name())
            && is_complete(&entry.path())
        {
            steps.push(step);
        }
    }
    steps.sort_unstable();
    Ok(steps)
}

/// Bytes of a checkpoint on disk; 0 where there is none.
pub fn bytes(checkpoint: &Path) -> u64 {
    let entries = std::fs::read_dir(checkpoint).into_iter().flatten();
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|data| data.len())
        .sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn checkpoints_of_older_versions_are_found_under_these_names() {
        let out = Path::new("run");
        assert_eq!(folder(out, 40), out.join("checkpoint-40"));
        assert_eq!(latest(out), out.join("latest"));
        assert_eq!(partial(out, 9), out.join(".checkpoint-9.partial"));
        assert_eq!(replaced(out, 9), out.join(".checkpoint-9.old"));
        assert_eq!(
            [EMA_FILE, RAW_FILE, OPTIMIZER_FILE, STATE_FILE, MARKER],
            [
                "dit_model_weights_ema.safetensors",
                "model.safetensors",
                "optimizer.safetensors",
                "state.ron",
                "complete"
            ]
        );
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for (name, of_step, leftover) in [
            ("checkpoint-40", Some(40), None),
            ("checkpoint-", None, None),
            ("checkpoint-x", None, None),
            (".checkpoint-9.partial", None, Some(Leftover::Partial)),
            (".checkpoint-9.old", None, Some(Leftover::Replaced(9))),
            (".checkpoint-x.old", None, None),
            ("samples", None, None),
        ] {
            let name = OsStr::new(name);
            assert_eq!((step(name), Leftover::of(name)), (of_step, leftover));
        }
    }

    #[test]
    fn only_checkpoints_with_a_marker_are_complete() {
        let out = tempfile::tempdir().unwrap();
        for (step, whole) in [(10, true), (9, true), (11, false)] {
            let folder = folder(out.path(), step);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join(RAW_FILE), [0; 100]).unwrap();
            if whole {
                std::fs::write(folder.join(MARKER), "").unwrap();
            }
        }
        assert_eq!(complete(out.path()).unwrap(), [9, 10]);
        assert_eq!(bytes(&folder(out.path(), 9)), 100);
        assert_eq!(bytes(out.path().join("none").as_path()), 0);
        complete(&out.path().join("none")).unwrap_err();
    }
}
