//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

/// Writes through a temporary file beside the target, syncs it, and renames it.
///
/// # Errors
/// What the writer returns, or the system's reason; the target is then as it was.
pub fn write_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::Builder::new()
        .prefix(".mmface-")
        .suffix(".part")
        .tempfile_in(folder)
        .map_err(Error::file("write into the folder", folder))?;
    {
        let mut buffered = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
        write(&mut buffered)?;
        buffered.flush().map_err(Error::file("write", path))?;
    }
    share(temporary.as_file()).map_err(Error::file("write", path))?;
    temporary
        .as_file()
        .sync_all()
        .map_err(Error::file("write", path))?;
    temporary
        .persist(path)
        .map_err(|error| Error::file("write", path)(error.error))?;
    Ok(())
}

/// Writes a small file.
///
/// # Errors
/// The system's reason.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| {
        file.write_all(bytes).map_err(Error::file("write", path))
    })
}

/// Refuses a large write that cannot succeed, before anything is written.
///
/// # Errors
/// With the shortfall, when the folder's disk has less free than `needed`.
pub fn check_space(folder: &Path, needed: u64) -> Result<()> {
    check_free(folder, needed, free_bytes(folder))
}

/// As [`check_space`], for a folder of which somebody else has asked what is free.
///
/// # Errors
/// With the shortfall, when `free` is less than `needed`.
pub fn check_free(folder: &Path, needed: u64, free: Option<u64>) -> Result<()> {
    match free {
        Some(free) if free < needed => Err(Error::content(
            folder,
            format!(
                "the disk has {} MB free, {} MB are needed, {} MB are missing",
                free >> 20,
                (needed >> 20) + 1,
                ((needed - free) >> 20) + 1
            ),
            "make room, or choose another folder",
        )),
        _ => Ok(()),
    }
}

/// What the system says that a folder's disk has left for us; `None` when it does not say.
#[cfg(unix)]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let folder = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in a zero byte and the answer is large enough; it is read only after
    // the call says that it was written.
    let answer = unsafe {
        if libc::statvfs(folder.as_ptr(), answer.as_mut_ptr()) != 0 {
            return None;
        }
        answer.assume_init()
    };
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_cast,
        reason = "the fields' types differ between systems"
    )]
    Some((answer.f_bavail as u64).saturating_mul(answer.f_frsize as u64))
}

/// The system does not say.
#[cfg(not(unix))]
pub fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Temporary files are private; models are as readable as any new file.
#[cfg(unix)]
fn share(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share(_: &File) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(b"new")
                .map_err(Error::file("write", &path))?;
            Err(Error::Cancelled)
        });
        assert!(matches!(failed, Err(Error::Cancelled)));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("none/x"), b"x").is_err());
    }

    #[test]
    #[cfg(unix)]
    fn a_write_that_cannot_fit_is_refused_with_its_shortfall() {
        let folder = tempfile::tempdir().unwrap();
        check_space(folder.path(), 1).unwrap();
        let error = check_space(folder.path(), u64::MAX)
            .unwrap_err()
            .to_string();
        assert!(error.contains("MB are needed"), "{error}");
        let error = check_free(folder.path(), 700 << 20, Some(200 << 20))
            .unwrap_err()
            .to_string();
        assert!(error.contains("501 MB are missing"), "{error}");
        check_free(folder.path(), 700 << 20, None).unwrap();
    }
}
