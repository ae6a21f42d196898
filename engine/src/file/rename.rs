//! Giving files and folders another name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Gives a file or folder another name, which nothing may have.
///
/// # Errors
/// When the name is taken, or with the system's reason; nothing has then changed.
pub fn move_new(from: &Path, to: &Path) -> Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(Error::file("write", to)(ErrorKind::AlreadyExists.into()));
    }
    std::fs::rename(from, to).map_err(Error::file("move", from))
}

/// Puts a damaged file of ours out of the way, for whoever can repair it, as `NAME.broken`; one
/// that lay there already goes. Returns where it is now, or where it still is.
pub fn set_aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".broken");
    let aside = PathBuf::from(name);
    match std::fs::rename(path, &aside) {
        Ok(()) => aside,
        Err(_) => path.to_path_buf(),
    }
}
