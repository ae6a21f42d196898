//! The engine's error: one line for a person, saying what happened, where, and what to do.

use std::path::{Path, PathBuf};

/// Result of every fallible engine function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the engine. `Display` is one line that a person can act on. It tells its
/// cause itself, so nothing here is a `source()`: printed as a chain, it would be told twice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {cause}", path.display())]
    File {
        /// What was tried, as a verb phrase: "read the mask".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// A file was read but its content is not what it should be.
    #[error("{what} ({}); {hint}", path.display())]
    Content {
        /// What is wrong, as a clause.
        what: String,
        /// The file.
        path: PathBuf,
        /// What to do about it.
        hint: String,
    },
    /// A value that the caller chose is out of range or contradicts another.
    #[error("{0}")]
    Argument(String),
    /// The weights do not fit the model: missing, extra, or wrongly shaped tensors, by name.
    #[error("the weights do not fit the model: {0}")]
    Weights(String),
    /// The device has too little memory.
    #[error("out of memory: {needed} bytes needed, {available} available; {hint}")]
    OutOfMemory {
        /// Bytes asked for.
        needed: u64,
        /// Bytes free.
        available: u64,
        /// The setting to change.
        hint: String,
    },
    /// A job has no model to run on.
    #[error("{0}")]
    NoModel(String),
    /// The device that was asked for cannot be used.
    #[error("{0}")]
    Device(String),
    /// A bug of ours: the engine caught a panic and goes on.
    #[error("internal error: {0}; please report it")]
    Panic(String),
    /// The job was cancelled by its owner.
    #[error("cancelled")]
    Cancelled,
    /// A computed value is not a finite number.
    #[error("{0} is not finite; the weights or the input are damaged")]
    NotFinite(String),
    /// The tensor library failed: a bug of ours or an exhausted device.
    #[error("tensor operation failed: {0}")]
    Tensor(candle_core::Error),
}

impl Error {
    /// A file error with its path; use as `.map_err(Error::file("read the mask", path))`.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |cause| Self::File {
            action,
            path,
            cause,
        }
    }

    /// A content error with its path and advice.
    pub fn content(path: &Path, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Content {
            what: what.into(),
            path: path.to_path_buf(),
            hint: hint.into(),
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_causes_tells_each_once() {
        let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let errors = [
            Error::file("read the mask", Path::new("a.png"))(gone()),
            candle_core::Error::Io(gone()).into(),
        ];
        for error in errors {
            assert!(std::error::Error::source(&error).is_none(), "{error}");
            assert!(error.to_string().contains(&gone().to_string()), "{error}");
        }
    }
}
