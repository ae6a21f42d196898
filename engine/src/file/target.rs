//! What stands at a path before it is written: nothing, a file, or something that only takes bytes.

use std::fs::Metadata;
use std::io::{Error as IoError, ErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Links that are followed before a path counts as a circle, as Linux has it.
const MOST_LINKS: usize = 40;

/// Whether a write may replace the file that has the name already. Devices and pipes are never
/// replaced, and take bytes either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// A file that is there is an error and stays as it is.
    Refuse,
    /// A file that is there is replaced once the new one is whole.
    Replace,
}

/// Where a write ends up.
#[derive(Debug)]
pub(super) enum Target {
    /// A file, links resolved, with what is known of the one that is there.
    File {
        path: PathBuf,
        old: Option<Metadata>,
    },
    /// A device, a pipe, or a descriptor of this process: written into, never renamed over.
    Stream { path: PathBuf },
}

/// Follows the links of a path.
///
/// # Errors
/// When the folder does not exist, the path names a folder, or the file may not be replaced.
pub(super) fn resolve(path: &Path, overwrite: Overwrite) -> Result<Target> {
    let failed = |cause: IoError| Error::file("write", path)(cause);
    if path.file_name().is_none() || names_folder(path) {
        return Err(failed(folder_there()));
    }
    let mut place = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let folder = parent_folder(&place);
        let real = folder
            .canonicalize()
            .map_err(Error::file("write into the folder", folder))?;
        let about = match place.symlink_metadata() {
            Ok(about) => Some(about),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        // Links below /proc name open descriptors: renaming over them means nothing.
        let descriptor = cfg!(target_os = "linux") && about.is_some() && real.starts_with("/proc");
        if descriptor || is_stream(about.as_ref()) {
            return Ok(Target::Stream { path: place });
        }
        match about {
            Some(about) if about.is_symlink() => {
                let next = place.read_link().map_err(failed)?;
                place = folder.join(next);
            }
            Some(about) if about.is_dir() => return Err(failed(folder_there())),
            old => {
                if old.is_some() && overwrite == Overwrite::Refuse {
                    return Err(failed(ErrorKind::AlreadyExists.into()));
                }
                if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
                    return Err(failed(IoError::new(
                        ErrorKind::PermissionDenied,
                        "the file is protected from writing",
                    )));
                }
                return Ok(Target::File { path: place, old });
            }
        }
    }
    Err(failed(IoError::other("too many links in a row")))
}

fn folder_there() -> IoError {
    IoError::new(ErrorKind::IsADirectory, "it is a folder")
}

#[cfg(unix)]
fn is_stream(about: Option<&Metadata>) -> bool {
    use std::os::unix::fs::FileTypeExt;
    about.is_some_and(|about| {
        let kind = about.file_type();
        kind.is_fifo() || kind.is_char_device() || kind.is_block_device() || kind.is_socket()
    })
}

#[cfg(not(unix))]
fn is_stream(_: Option<&Metadata>) -> bool {
    false
}

/// Whether the last character says that a folder is meant.
fn names_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|&last| std::path::is_separator(char::from(last)))
}

/// The folder of a path; `.` for a bare name.
pub fn parent_folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Gives a new file what the one that it replaces has.
#[cfg(unix)]
pub(super) fn inherit(new: &std::fs::File, old: &Metadata) -> IoResult<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let made = new.metadata()?;
    // Only root gives files away; whoever may write here but not that keeps the group at least.
    if (made.uid(), made.gid()) != (old.uid(), old.gid())
        && fchown(new, Some(old.uid()), Some(old.gid())).is_err()
    {
        drop(fchown(new, None, Some(old.gid())));
    }
    new.set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o777))
}

#[cfg(not(unix))]
pub(super) fn inherit(_: &std::fs::File, _: &Metadata) -> IoResult<()> {
    Ok(())
}
