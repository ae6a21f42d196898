//! Where what can be made again is kept.

use std::path::{Path, PathBuf};

/// Folder for what can be made again: `$MMFACE_HOME/cache`, else the platform's cache directory.
pub(super) fn folder() -> PathBuf {
    if let Some(home) = std::env::var_os("MMFACE_HOME").filter(|home| !home.is_empty()) {
        return Path::new(&home).join("cache");
    }
    match directories::ProjectDirs::from("", "", "mmface") {
        Some(folders) => folders.cache_dir().to_path_buf(),
        None => std::env::temp_dir().join("mmface-cache"),
    }
}
