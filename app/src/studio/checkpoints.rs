//! The checkpoints of a run: what the run told of them, and what is still on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mmface_run_protocol::checkpoint_layout::{self, MARKER};

/// A checkpoint on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Updates done.
    pub step: u64,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was written.
    pub written: SystemTime,
}

/// The whole checkpoints in a run's folder, oldest first.
pub fn on_disk(run: &Path) -> Vec<Checkpoint> {
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten();
    let mut found: Vec<Checkpoint> = entries
        .filter_map(|entry| {
            let step = checkpoint_layout::step(&entry.file_name())?;
            let path = entry.path();
            let mark = std::fs::metadata(path.join(MARKER)).ok()?;
            Some(Checkpoint {
                step,
                bytes: checkpoint_layout::bytes(&path),
                path,
                written: mark.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            })
        })
        .collect();
    found.sort_by_key(|checkpoint| checkpoint.step);
    found
}

/// The checkpoints that can be used.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    /// Those on disk, oldest first.
    pub list: Vec<Checkpoint>,
    /// The held-out loss that the run told with each.
    pub losses: BTreeMap<u64, f64>,
}

impl Checkpoints {
    /// Notes the held-out loss of a checkpoint.
    pub fn tell(&mut self, step: u64, heldout: Option<f64>) {
        match heldout.filter(|loss| loss.is_finite()) {
            Some(loss) => self.losses.insert(step, loss),
            None => self.losses.remove(&step),
        };
    }

    /// The one with the lowest held-out loss, which the trainer keeps; the older of equals.
    pub fn best(&self) -> Option<u64> {
        let known = self.list.iter().map(|checkpoint| checkpoint.step);
        known
            .filter_map(|step| Some((*self.losses.get(&step)?, step)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, step)| step)
    }

    /// Takes away what lies after an update: a resumed run writes it again.
    pub fn cut(&mut self, after: u64) {
        self.losses.retain(|step, _| *step <= after);
        self.list.retain(|checkpoint| checkpoint.step <= after);
    }
}

/// Name of the model package that a checkpoint becomes: the run's folder and the update.
pub fn package_name(run: &Path, step: u64) -> String {
    let absolute = std::path::absolute(run).unwrap_or_else(|_| run.to_owned());
    let folder = absolute.file_name().unwrap_or_default().to_string_lossy();
    let plain: String = folder
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c,
            _ => '-',
        })
        .take(40)
        .collect();
    let plain = plain.trim_matches('-');
    let plain = if plain.is_empty() { "run" } else { plain };
    format!("{plain}-{step}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_checkpoints_count_and_the_best_is_found() {
        let run = tempfile::tempdir().expect("a folder");
        for (name, whole) in [
            ("checkpoint-10", true),
            ("checkpoint-9", true),
            ("checkpoint-11", false),
            (".checkpoint-12.partial", true),
        ] {
            let folder = run.path().join(name);
            std::fs::create_dir(&folder).expect("a folder");
            std::fs::write(folder.join("model.safetensors"), [0; 100]).expect("a file");
            if whole {
                std::fs::write(folder.join(MARKER), "").expect("a file");
            }
        }
        let mut checkpoints = Checkpoints {
            list: on_disk(run.path()),
            ..Checkpoints::default()
        };
        let steps: Vec<u64> = checkpoints.list.iter().map(|one| one.step).collect();
        assert_eq!(steps, [9, 10]);
        assert_eq!(checkpoints.list[0].bytes, 100);
        assert_eq!(checkpoints.best(), None);
        checkpoints.tell(10, Some(0.5));
        checkpoints.tell(9, Some(0.5));
        // Lower, but not on disk any more.
        checkpoints.tell(8, Some(0.1));
        assert_eq!(checkpoints.best(), Some(9));
        checkpoints.cut(9);
        assert_eq!(checkpoints.list.len(), 1);
    }

    #[test]
    fn packages_are_called_after_run_and_update() {
        assert_eq!(package_name(Path::new("/a/my run"), 500), "my-run-500");
        assert_eq!(package_name(Path::new("/"), 5), "run-5");
    }
}
