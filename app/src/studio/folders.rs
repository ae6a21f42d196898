//! Where the studio keeps what a person makes.

use std::path::{Path, PathBuf};

/// Environment variable that moves everything into one folder.
pub const HOME: &str = "MMFACE_HOME";

/// The studio's folders. They come into being when something is first written into them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Finished pictures.
    pub results: PathBuf,
    /// Journals of unsaved sessions, one folder each.
    pub recovery: PathBuf,
    /// `settings.ron`, `keymap.ron`, recent files, prompt history, the queue.
    pub config: PathBuf,
    /// Thumbnails and other things that can be made again.
    pub cache: PathBuf,
}

impl Folders {
    /// `$MMFACE_HOME`, else the platform's folders for this user.
    pub fn standard() -> Self {
        if let Some(home) = std::env::var_os(HOME).filter(|home| !home.is_empty()) {
            return Self::under(Path::new(&home));
        }
        match directories::ProjectDirs::from("", "", "mmface") {
            Some(places) => {
                let data = places.data_dir();
                let pictures = directories::UserDirs::new()
                    .and_then(|user| user.picture_dir().map(|folder| folder.join("MMFace")));
                Self {
                    results: pictures.unwrap_or_else(|| data.join("results")),
                    recovery: data.join("recovery"),
                    config: places.config_dir().to_owned(),
                    cache: places.cache_dir().to_owned(),
                }
            }
            None => Self::under(&std::env::temp_dir().join("mmface")),
        }
    }

    /// Everything under one folder.
    pub fn under(home: &Path) -> Self {
        Self {
            results: home.join("results"),
            recovery: home.join("recovery"),
            config: home.join("config"),
            cache: home.join("cache"),
        }
    }
}
