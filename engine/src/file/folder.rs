//! Folders that appear whole: made beside their place, filled, then renamed into it.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::rename::move_new;
use super::target::parent_folder;
use crate::{Error, Result};

/// A folder that is being filled under another name. Dropped, it is removed.
#[derive(Debug)]
pub struct FolderInProgress {
    folder: TempDir,
    target: PathBuf,
}

impl FolderInProgress {
    /// Begins a folder that will stand at `target`, where nothing may be yet.
    ///
    /// # Errors
    /// When the name is taken or nothing can be written beside it.
    pub fn begin(target: &Path) -> Result<Self> {
        if target.symlink_metadata().is_ok() {
            let taken = std::io::ErrorKind::AlreadyExists.into();
            return Err(Error::file("create the folder", target)(taken));
        }
        let beside = parent_folder(target);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mmface-").suffix(".part");
        #[cfg(unix)]
        let permissions = {
            use std::os::unix::fs::PermissionsExt;
            std::fs::Permissions::from_mode(0o777)
        };
        #[cfg(unix)]
        builder.permissions(permissions);
        let folder = builder
            .tempdir_in(beside)
            .map_err(Error::file("write into the folder", beside))?;
        Ok(Self {
            folder,
            target: target.to_path_buf(),
        })
    }

    /// Where it lies meanwhile.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// When the name is taken by now, or with the system's reason; the folder is then removed.
    pub fn finish(self) -> Result<()> {
        move_new(self.folder.path(), &self.target)?;
        // It has gone from there: nothing is left to be removed.
        drop(self.folder.keep());
        Ok(())
    }
}

/// Makes a folder of ours and its parents, unless it is there.
///
/// # Errors
/// The system's reason.
pub fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::file("create the folder", folder))
}

/// Waits until the folder's list of names is on the disk; where folders cannot be opened, the
/// system does this by itself.
///
/// # Errors
/// The system's reason.
pub fn sync_folder(folder: &Path) -> Result<()> {
    match File::open(folder) {
        Ok(open) if cfg!(unix) => open.sync_all().map_err(Error::file("flush", folder)),
        _ => Ok(()),
    }
}
