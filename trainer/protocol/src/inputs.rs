//! What a run reads besides its checkpoints, noted in its folder for whoever resumes it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mmface_engine::file::{self, Overwrite};
use mmface_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::run_folder;

/// What a run reads besides its checkpoints, as of its last start: whoever resumes it need not
/// remember. The paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunInputs {
    /// Folder of the prepared data.
    pub work: PathBuf,
    /// Folder of the frozen autoencoder and text tower, if it was named.
    pub weights: Option<PathBuf>,
}

impl RunInputs {
    /// Writes the note into the run's folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, out: &Path) -> Result<()> {
        let text = serde_json::to_string(self).map_err(Error::unwritable("the inputs"))?;
        file::write(
            &run_folder::inputs(out),
            text.as_bytes(),
            Overwrite::Replace,
        )
    }

    /// Reads the note in a run's folder.
    ///
    /// # Errors
    /// With a clause that says why there is none.
    pub fn read(out: &Path) -> Result<Self, String> {
        let text = std::fs::read(run_folder::inputs(out)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => "there is no such file, as in runs of older versions".into(),
            _ => error.to_string(),
        })?;
        serde_json::from_slice(&text).map_err(|error| error.to_string())
    }
}
