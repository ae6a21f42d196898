//! Projects that were opened or saved lately, newest first.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mmface_engine::{Error, Result, file};
use serde::{Deserialize, Serialize};

use super::clock;

/// Projects that are remembered.
const KEPT: usize = 20;
/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A project of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentFile {
    /// The project file.
    pub path: PathBuf,
    /// When it was opened or saved, in seconds since 1970.
    pub used: u64,
    /// The file is not there at the moment: its disk is not plugged in, or it was moved.
    #[serde(skip)]
    pub missing: bool,
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Newest first.
    pub files: Vec<RecentFile>,
}

impl Recent {
    /// Reads the list and looks which files are missing. A list that cannot be read is empty: it
    /// only saves looking for files.
    pub fn load(path: &Path) -> Self {
        let small = std::fs::metadata(path).is_ok_and(|about| about.len() <= MAX_FILE);
        let text = if small {
            std::fs::read_to_string(path).unwrap_or_default()
        } else {
            String::new()
        };
        let mut files: Vec<RecentFile> = ron::from_str(&text).unwrap_or_default();
        files.truncate(KEPT);
        for file in &mut files {
            file.missing = !file.path.exists();
        }
        Self { files }
    }

    /// Puts a file on top of the list in `path`, which another studio may have changed meanwhile,
    /// and returns the new list.
    ///
    /// # Errors
    /// The system's reason.
    pub fn add(path: &Path, file: &Path) -> Result<Self> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let mut list = Self::load(path);
        list.files.retain(|other| other.path != file);
        let missing = !file.exists();
        list.files.insert(
            0,
            RecentFile {
                path: file,
                used: clock::seconds(SystemTime::now()),
                missing,
            },
        );
        list.files.truncate(KEPT);
        list.store(path)
    }

    /// Takes a file off the list.
    ///
    /// # Errors
    /// The system's reason.
    pub fn remove(path: &Path, file: &Path) -> Result<Self> {
        let mut list = Self::load(path);
        list.files.retain(|other| other.path != file);
        list.store(path)
    }

    fn store(self, path: &Path) -> Result<Self> {
        let text = ron::ser::to_string_pretty(&self.files, ron::ser::PrettyConfig::default())
            .map_err(Error::unwritable("the list of recent projects"))?;
        file::store(path, text.as_bytes())?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn newest_first_without_repeats_and_missing_ones_marked() {
        let home = tempfile::tempdir().unwrap();
        let list = home.path().join("config").join("recent.ron");
        assert_eq!(Recent::load(&list), Recent::default());
        let names: Vec<PathBuf> = (0..KEPT + 3)
            .map(|i| home.path().join(format!("{i}.mmface-project")))
            .collect();
        for name in &names {
            std::fs::write(name, b"x").unwrap();
            Recent::add(&list, name).unwrap();
        }
        Recent::add(&list, &names[5]).unwrap();
        let found = Recent::load(&list);
        assert_eq!(found.files.len(), KEPT);
        assert_eq!(
            [&found.files[0].path, &found.files[1].path],
            [&names[5], &names[KEPT + 2]]
        );
        std::fs::remove_file(&names[5]).unwrap();
        let found = Recent::load(&list);
        assert!(found.files[0].missing && !found.files[1].missing);
        let found = Recent::remove(&list, &names[5]).unwrap();
        assert_eq!(found.files[0].path, names[KEPT + 2]);
        std::fs::write(&list, b"rubbish (").unwrap();
        assert_eq!(Recent::load(&list), Recent::default());
    }
}
