//! How the program fails: one line on stderr, saying what, where, and what to do; exit code 1 for
//! failed work, 2 for wrong arguments.

use std::io::ErrorKind;
use std::process::ExitCode;

use mmface_engine::Error;

/// Result of a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Work that failed.
#[derive(Debug)]
pub struct Failure {
    line: String,
    code: u8,
}

impl Failure {
    /// Work that could not be done.
    pub fn work(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            code: 1,
        }
    }

    /// Arguments that make no sense.
    pub fn usage(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            code: 2,
        }
    }

    /// Prints the line and gives the exit code.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {}", one_line(&self.line));
        ExitCode::from(self.code)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&one_line(&self.line))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Argument(_) => Self::usage(error.to_string()),
            _ => Self::work(sentence(&error)),
        }
    }
}

/// What an engine error says to a person: what happened, where, and what to do.
pub fn sentence(error: &Error) -> String {
    match error {
        Error::File {
            action,
            path,
            cause,
        } => format!(
            "cannot {action} ({}): {}; {}",
            path.display(),
            reason(cause),
            advice(cause.kind())
        ),
        _ => one_line(&error.to_string()),
    }
}

/// The system's reason without its number.
fn reason(cause: &std::io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "check the path",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "choose a place that you may use"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "free some space or choose another place"
        }
        ErrorKind::IsADirectory => "name a file in it",
        ErrorKind::NotADirectory => "name a folder",
        _ => "try again, or choose another place",
    }
}

/// Whatever a message holds, it stays one line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn file_errors_say_what_where_and_what_to_do() {
        let source = std::io::Error::from_raw_os_error(2);
        let failure = Failure::from(Error::file("read the mask", Path::new("a/b.png"))(source));
        assert_eq!(
            failure.line,
            "cannot read the mask (a/b.png): no such file or directory; check the path"
        );
        assert_eq!(failure.code, 1);
    }

    #[test]
    fn wrong_values_are_wrong_arguments() {
        assert_eq!(Failure::from(Error::Argument("0 steps".into())).code, 2);
        assert_eq!(Failure::from(Error::Cancelled).code, 1);
    }

    #[test]
    fn lines_stay_one() {
        assert_eq!(one_line("a\n  b\tc"), "a b c");
    }
}
