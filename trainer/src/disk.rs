//! Space on the disk: asked before a run, and a full disk told from other failures.

use std::path::Path;

use mmface_engine::weights::atomic::free_bytes;
use mmface_engine::{Error, Result};

use crate::report::plain::bytes;

/// Whether a write failed because there is no space left or no more is allowed.
pub fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge
    )
}

/// Whether an error of the engine comes from a full disk.
pub fn is_full_error(error: &Error) -> bool {
    matches!(error, Error::File { cause, .. } if is_full(cause))
}

/// Free bytes below a folder; `None` where the system does not tell.
pub fn free(folder: &Path) -> Option<u64> {
    free_bytes(folder)
}

/// What is missing for so many bytes, as a sentence, or `None` when they fit.
pub fn shortage(folder: &Path, needed: u64, free: Option<u64>) -> Option<String> {
    let free = free?;
    (free < needed).then(|| {
        format!(
            "{} are needed in {}, {} are free",
            bytes(needed),
            folder.display(),
            bytes(free)
        )
    })
}

/// Refuses a run that could not keep two checkpoints.
pub fn check_run(out: &Path, checkpoint: u64, free: Option<u64>) -> Result<()> {
    match shortage(out, 2 * checkpoint, free) {
        Some(what) => Err(Error::Argument(format!(
            "two checkpoints do not fit: {what}; free some space or name another --out"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_told_in_bytes() {
        let here = Path::new("run");
        assert_eq!(shortage(here, 10, None), None);
        assert_eq!(shortage(here, 10, Some(10)), None);
        let text = shortage(here, 3_000_000_000, Some(1_000_000)).unwrap_or_default();
        assert!(text.contains("3.0 GB") && text.contains("1.0 MB"), "{text}");
        assert!(check_run(here, 10, Some(19)).is_err() && check_run(here, 10, Some(20)).is_ok());
    }

    #[test]
    fn the_systems_ways_of_saying_full_are_known() {
        for code in [libc::ENOSPC, libc::EDQUOT] {
            assert!(is_full(&std::io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(!is_full(&std::io::Error::from_raw_os_error(libc::EACCES)));
    }
}
