//! Space on a disk, asked before a large write; a full disk told from other failures.

use std::path::Path;

use crate::format::bytes;
use crate::{Error, Result};

/// What the system says that a folder's disk has left for us; `None` when it does not say. A
/// folder that is still to be made counts as the nearest one above it that is there.
pub fn free(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|folder| {
        // The path of a relative name ends with nothing, which is here.
        folder.as_os_str().is_empty() || folder.exists()
    })?;
    let there = match there.as_os_str().is_empty() {
        true => Path::new("."),
        false => there,
    };
    fs4::available_space(there).ok()
}

/// Whether a write failed because there is no space left or no more is allowed.
pub fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

/// Whether an error comes from a disk that is full.
pub fn is_full_error(error: &Error) -> bool {
    match error {
        Error::File { cause, .. } => is_full(cause),
        Error::DiskSpace { .. } => true,
        _ => false,
    }
}

/// What is missing for so many bytes, as a clause; `None` when they fit or nobody knows.
pub fn shortage(folder: &Path, needed: u64, free: Option<u64>) -> Option<String> {
    let free = free?;
    (free < needed).then(|| {
        format!(
            "{} are needed in {}, {} are free, {} are missing",
            bytes(needed),
            folder.display(),
            bytes(free),
            bytes(needed - free)
        )
    })
}

/// Refuses a large write that cannot succeed, before anything is written. `what` says of what:
/// "the model does not fit"; `free` is what [`free`] says of the folder.
///
/// # Errors
/// With the shortfall, when less is free than `needed`.
pub fn check(what: &str, folder: &Path, needed: u64, free: Option<u64>) -> Result<()> {
    match shortage(folder, needed, free) {
        Some(short) => Err(Error::DiskSpace {
            what: format!("{what}: {short}"),
            hint: "free some space, or choose another folder".into(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_cannot_fit_is_refused_with_its_shortfall() {
        let folder = Path::new("run");
        let told = check(
            "the model does not fit",
            folder,
            3_000_000_000,
            Some(1_000_000),
        )
        .unwrap_err();
        assert_eq!(
            told.to_string(),
            "the model does not fit: 3.0 GB are needed in run, 1.0 MB are free, 3.0 GB are missing; \
             free some space, or choose another folder"
        );
        check("it", folder, 10, Some(10)).unwrap();
        check("it", folder, u64::MAX, None).unwrap();
    }

    #[test]
    fn a_folder_that_is_still_to_be_made_has_its_disks_space() {
        let folder = tempfile::tempdir().unwrap();
        let here = free(folder.path()).unwrap();
        assert!(here > 0);
        assert!(free(&folder.path().join("a/b")).is_some());
        assert!(free(Path::new("no such folder here")).is_some());
    }

    #[test]
    #[cfg(unix)]
    fn the_systems_ways_of_saying_full_are_known() {
        for code in [libc::ENOSPC, libc::EDQUOT, libc::EFBIG] {
            assert!(is_full(&std::io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!is_full(&std::io::Error::from_raw_os_error(libc::EACCES)));
    }
}
