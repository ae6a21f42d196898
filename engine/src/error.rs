//! The engine's error: one line for a person, saying what happened, where, and what to do; and its
//! kind, which both programs turn into an exit code.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::format::bytes;

/// Result of every fallible engine function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the engine. `Display` is one line that a person can act on. It tells its
/// cause itself, so nothing here is a `source()`: printed as a chain, it would be told twice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that the caller chose is out of range or contradicts another.
    #[error("{0}")]
    Argument(String),
    /// A file could not be read or written.
    #[error("cannot {action} ({}): {}; {}", path.display(), reason(cause), advice(cause.kind()))]
    File {
        /// What was tried, as a verb phrase: "read the mask".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// A disk has too little space for what is to be written; nothing has been written yet.
    #[error("{what}; {hint}")]
    DiskSpace {
        /// What is needed and what is free.
        what: String,
        /// What to do about it.
        hint: String,
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
    /// What came in without a file of its own (pixels, a configuration, records within a file) is
    /// not what it should be.
    #[error("{0}")]
    Input(String),
    /// The weights do not fit the model: missing, extra, or wrongly shaped tensors, by name.
    #[error("the weights do not fit the model: {0}")]
    Weights(String),
    /// A job has no model to run on.
    #[error("{0}")]
    NoModel(String),
    /// A computed value is not a finite number.
    #[error("{0} is not finite; the weights or the input are damaged")]
    NotFinite(String),
    /// Another process that works with this one is gone, cannot be reached, or answers wrongly.
    #[error("{0}")]
    Peer(String),
    /// The device has too little memory.
    #[error("out of memory: {}; {hint}", memory_clause(*needed, *available))]
    OutOfMemory {
        /// Bytes that the work takes, estimated; `None` where only the device knows.
        needed: Option<u64>,
        /// Bytes that the system or the device would still give; `None` where it does not say.
        available: Option<u64>,
        /// The setting to change.
        hint: String,
    },
    /// The device that was asked for cannot be used, or the machine lacks something else.
    #[error("{0}")]
    Device(String),
    /// A bug of ours: a part was not used as it promises to work.
    #[error("internal error: {0}; please report it")]
    Internal(String),
    /// A bug of ours: the engine caught a panic and goes on.
    #[error("internal error: {0}; please report it")]
    Panic(String),
    /// The tensor library failed: a bug of ours.
    #[error("tensor operation failed: {0}")]
    Tensor(candle_core::Error),
    /// The work was cancelled by its owner.
    #[error("cancelled")]
    Cancelled,
}

/// What an error means for whoever started the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wrong arguments: the same call fails again.
    Argument,
    /// What came in is not what it should be.
    Content,
    /// Files cannot be read or written, or the disk is full.
    Io,
    /// Another process failed.
    Peer,
    /// The machine lacks memory or the device.
    Resources,
    /// A bug of ours.
    Internal,
    /// Cancelled by the owner.
    Cancelled,
}

impl Kind {
    /// With which code the programs end. Content and files share one: from outside, a file that is
    /// damaged and one that cannot be read ask for the same, another file. A bug has the code of a
    /// panic, and what was cancelled the one of a program that Ctrl-C has ended.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Content | Self::Io => 1,
            Self::Argument => 2,
            Self::Peer => 3,
            Self::Resources => 4,
            Self::Internal => 101,
            Self::Cancelled => 130,
        }
    }
}

/// The exit codes of both programs, for their help. README.md has the same table.
pub const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  a file cannot be read or written, or is not what it should be
    2  wrong arguments
    3  another process of the run has failed
    4  the machine has too little memory, or not the device
  101  an error of the program itself; please report it
  130  cancelled";

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

    /// The same file error, told as what the caller was doing: "save the picture".
    #[must_use]
    pub fn doing(self, action: &'static str) -> Self {
        match self {
            Self::File { path, cause, .. } => Self::File {
                action,
                path,
                cause,
            },
            other => other,
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

    /// A value of ours that a format cannot hold, which its type rules out; use as
    /// `.map_err(Error::unwritable("the recipe"))`.
    pub fn unwritable<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Self {
        move |cause| Self::Internal(format!("cannot write {what}: {cause}"))
    }

    /// What it means for whoever started the work.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Argument(_) => Kind::Argument,
            Self::File { .. } | Self::DiskSpace { .. } => Kind::Io,
            Self::Content { .. }
            | Self::Input(_)
            | Self::Weights(_)
            | Self::NoModel(_)
            | Self::NotFinite(_) => Kind::Content,
            Self::Peer(_) => Kind::Peer,
            Self::OutOfMemory { .. } | Self::Device(_) => Kind::Resources,
            Self::Internal(_) | Self::Panic(_) | Self::Tensor(_) => Kind::Internal,
            Self::Cancelled => Kind::Cancelled,
        }
    }
}

/// The system's reason, without its number.
fn reason(cause: &std::io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// What to do about it.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "check the path",
        ErrorKind::AlreadyExists => "choose another name",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "choose a place that you may use"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "free some space or choose another place"
        }
        ErrorKind::IsADirectory => "name a file in it",
        ErrorKind::NotADirectory => "name a folder",
        ErrorKind::InvalidFilename => "choose a shorter name",
        _ => "try again, or choose another place",
    }
}

/// What is known of a shortage.
fn memory_clause(needed: Option<u64>, available: Option<u64>) -> String {
    let left = available.map(|available| format!("{} are available", bytes(available)));
    match (needed, left) {
        (Some(needed), Some(left)) => format!("about {} are needed, {left}", bytes(needed)),
        (Some(needed), None) => format!("about {} are needed, more than is left", bytes(needed)),
        (None, Some(left)) => format!("the device gave no more, {left}"),
        (None, None) => "the device gave no more".into(),
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        if is_exhausted(&error) {
            return Self::OutOfMemory {
                needed: None,
                available: None,
                hint: "choose a smaller size, or another device".into(),
            };
        }
        Self::Tensor(error)
    }
}

/// Whether a tensor error is the device's way of saying that its memory is full. The libraries of
/// the cards have no type for it that every build knows.
fn is_exhausted(error: &candle_core::Error) -> bool {
    let text = error.to_string().to_ascii_lowercase();
    let signs = ["out_of_memory", "out of memory", "alloc_failed"];
    signs.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_causes_tells_each_once() {
        let gone = || std::io::Error::from(ErrorKind::NotFound);
        let errors = [
            Error::file("read the mask", Path::new("a.png"))(gone()),
            candle_core::Error::Io(gone()).into(),
        ];
        for error in errors {
            assert!(std::error::Error::source(&error).is_none(), "{error}");
            let (told, gone) = (error.to_string(), gone().to_string());
            assert!(told.to_lowercase().contains(&gone.to_lowercase()), "{told}");
        }
    }

    #[test]
    fn file_errors_say_what_where_and_what_to_do() {
        let cause = std::io::Error::from_raw_os_error(2);
        let error = Error::file("read the mask", Path::new("a/b.png"))(cause);
        assert_eq!(
            error.to_string(),
            "cannot read the mask (a/b.png): no such file or directory; check the path"
        );
        assert!(
            error
                .doing("see")
                .to_string()
                .starts_with("cannot see (a/b.png)")
        );
    }

    #[test]
    fn every_exit_code_is_in_the_table() {
        let kinds = [
            (Kind::Content, 1),
            (Kind::Io, 1),
            (Kind::Argument, 2),
            (Kind::Peer, 3),
            (Kind::Resources, 4),
            (Kind::Internal, 101),
            (Kind::Cancelled, 130),
        ];
        let told: Vec<&str> = EXIT_CODES
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        for (kind, code) in kinds {
            assert_eq!(kind.exit_code(), code);
            assert!(told.contains(&code.to_string().as_str()), "{kind:?}");
        }
        assert_eq!(told.len(), 2 + 6, "a heading, done, and six codes");
    }

    #[test]
    fn out_of_memory_tells_what_is_known() {
        let told = |needed, available| {
            let hint = "use a smaller size".into();
            Error::OutOfMemory {
                needed,
                available,
                hint,
            }
            .to_string()
        };
        assert_eq!(
            told(Some(2_100_000_000), Some(900_000_000)),
            "out of memory: about 2.1 GB are needed, 900.0 MB are available; use a smaller size"
        );
        assert_eq!(
            told(Some(2_100_000_000), None),
            "out of memory: about 2.1 GB are needed, more than is left; use a smaller size"
        );
        assert_eq!(
            told(None, Some(900_000_000)),
            "out of memory: the device gave no more, 900.0 MB are available; use a smaller size"
        );
        assert_eq!(
            told(None, None),
            "out of memory: the device gave no more; use a smaller size"
        );
    }

    #[test]
    fn the_devices_ways_of_saying_full_are_known() {
        for text in [
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")\n   0: backtrace",
            "CublasError(CUBLAS_STATUS_ALLOC_FAILED)",
            "Out of memory",
        ] {
            let error = Error::from(candle_core::Error::Msg(text.into()));
            assert!(matches!(error, Error::OutOfMemory { .. }), "{text}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        let other = Error::from(candle_core::Error::Msg("shape mismatch".into()));
        assert_eq!(other.kind(), Kind::Internal);
    }
}
