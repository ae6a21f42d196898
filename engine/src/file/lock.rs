//! Files that one process can hold: a lock that is free again when the process ends, however it
//! ends.

use std::fs::{File, TryLockError};
use std::io::{Seek, Write};
use std::path::Path;

use crate::{Error, Result};

/// A lock that is held; dropped, it is free.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Whether a lock could be had.
#[derive(Debug)]
pub enum Locked {
    /// It is ours now.
    Ours(Lock),
    /// Another process, or another part of this one, has it.
    Taken,
}

impl Lock {
    /// Tries to take the lock of a file, which is made when it is not there and never emptied: its
    /// holder may have noted something in it.
    ///
    /// # Errors
    /// When the file cannot be made, or the file system knows no locks.
    pub fn take(path: &Path) -> Result<Locked> {
        let failed = |cause| Error::file("take the lock", path)(cause);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Locked::Ours(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(Locked::Taken),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Notes something in the file, for whoever finds the lock taken.
    ///
    /// # Errors
    /// The system's reason.
    pub fn note(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}
