//! How the program fails: one line on stderr, saying what, where, and what to do, and an exit code
//! of the kind of error ([`mmface_engine::error::EXIT_CODES`]).

use std::process::ExitCode;

use mmface_engine::Error;
use mmface_engine::error::Kind;
use mmface_engine::format::one_line;

/// Result of a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Work that failed.
#[derive(Debug)]
pub struct Failure {
    line: String,
    kind: Kind,
}

impl Failure {
    /// Work that failed for a reason of this kind.
    pub fn new(kind: Kind, line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            kind,
        }
    }

    /// What was given is not what it should be.
    pub fn content(line: impl Into<String>) -> Self {
        Self::new(Kind::Content, line)
    }

    /// Arguments that make no sense.
    pub fn usage(line: impl Into<String>) -> Self {
        Self::new(Kind::Argument, line)
    }

    /// A bug of ours.
    pub fn bug(what: &str) -> Self {
        Self::new(
            Kind::Internal,
            format!("{what}; this is a bug, please report it"),
        )
    }

    /// Prints the line and gives the exit code.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(self.kind.exit_code())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&one_line(&self.line))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_error_keeps_its_kind_and_line() {
        let failure = Failure::from(Error::Argument("0\nsteps".into()));
        assert_eq!(
            (failure.kind, failure.to_string().as_str()),
            (Kind::Argument, "0 steps")
        );
        assert_eq!(Failure::from(Error::Cancelled).kind, Kind::Cancelled);
    }
}
