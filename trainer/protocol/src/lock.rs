//! The lock of a run's folder: one process trains there, and others see which.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use mmface_engine::file::{Lock, Locked};
use mmface_engine::{Error, Result};

use crate::run_folder;

/// Attempts to take a lock that is held: whoever looks at it with [`holder`] holds it for a moment.
const ATTEMPTS: u32 = 10;
/// Time between two attempts.
const BETWEEN: Duration = Duration::from_millis(20);

/// Takes the lock for this process. It is free again when it is dropped, or when the process ends,
/// however it ends.
///
/// # Errors
/// When another process trains in the folder, or the file cannot be written or locked.
pub fn acquire(out: &Path) -> Result<Lock> {
    let mut attempts = 1;
    acquire_patiently(out, &mut || {
        attempts += 1;
        std::thread::sleep(BETWEEN);
        attempts <= ATTEMPTS
    })
}

/// Asks `again` whether to try once more each time that the lock is held.
fn acquire_patiently(out: &Path, again: &mut dyn FnMut() -> bool) -> Result<Lock> {
    let path = run_folder::lock(out);
    loop {
        match Lock::take(&path)? {
            Locked::Ours(mut lock) => {
                // The id lets a person, or the studio, send the run a signal.
                lock.note(&format!("{}\n", std::process::id()))
                    .map_err(Error::file("write the lock", &path))?;
                return Ok(lock);
            }
            Locked::Taken if again() => {}
            Locked::Taken => {
                return Err(Error::content(
                    out,
                    "another process trains here",
                    "stop it or name another --out",
                ));
            }
        }
    }
}

/// Who trains in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    #[default]
    Nobody,
    /// A process; its id, if it says so.
    Process(Option<u32>),
}

/// Looks at the run's lock, which its process holds as long as it lives.
pub fn holder(out: &Path) -> Holder {
    let path = run_folder::lock(out);
    let Ok(file) = File::open(&path) else {
        return Holder::Nobody;
    };
    match file.try_lock_shared() {
        Ok(()) => Holder::Nobody,
        Err(TryLockError::WouldBlock) => {
            let id = std::fs::read_to_string(&path).ok();
            Holder::Process(id.and_then(|text| text.trim().parse().ok()))
        }
        // A system that cannot lock cannot tell.
        Err(TryLockError::Error(_)) => Holder::Nobody,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_lock_says_who_trains() {
        let out = tempfile::tempdir().unwrap();
        assert_eq!(holder(out.path()), Holder::Nobody);
        // What a process that was killed left behind.
        std::fs::write(run_folder::lock(out.path()), "123\n").unwrap();
        assert_eq!(holder(out.path()), Holder::Nobody);
        let lock = acquire(out.path()).unwrap();
        if cfg!(unix) {
            let me = Holder::Process(Some(std::process::id()));
            assert_eq!(holder(out.path()), me);
        }
        let refused = acquire(out.path()).unwrap_err().to_string();
        assert!(refused.contains("another process trains"), "{refused}");
        drop(lock);
        assert_eq!(holder(out.path()), Holder::Nobody);
        acquire(out.path()).unwrap();
    }

    #[test]
    fn somebody_who_only_looks_does_not_keep_a_run_from_starting() {
        let out = tempfile::tempdir().unwrap();
        drop(acquire(out.path()).unwrap());
        let look = File::open(run_folder::lock(out.path())).unwrap();
        look.try_lock_shared().unwrap();
        let mut look = Some(look);
        acquire_patiently(out.path(), &mut || look.take().is_some()).unwrap();
    }
}
