//! What a run can be asked to do.

use serde::{Deserialize, Serialize};

/// Something a person asks of a run, one JSON object a line: `{"command":"pause"}`.
///
/// Each is obeyed between two updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum TrainCommand {
    /// Write a checkpoint and wait.
    Pause,
    /// Continue after a pause.
    Resume,
    /// Write a checkpoint and leave.
    Stop,
    /// Write a checkpoint and continue.
    Checkpoint,
    /// Draw the sample sheets and continue.
    Sample,
}

impl TrainCommand {
    /// The command as one line of JSON, without a line break.
    ///
    /// # Errors
    /// Never for values of this type; the signature is serde's.
    pub fn to_line(self) -> serde_json::Result<String> {
        serde_json::to_string(&self)
    }

    /// Reads one line.
    ///
    /// # Errors
    /// When it is no known command.
    pub fn from_line(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn commands_read_as_documented() {
        let line = r#"{"command":"pause"}"#;
        assert_eq!(TrainCommand::from_line(line).unwrap(), TrainCommand::Pause);
        assert_eq!(TrainCommand::Pause.to_line().unwrap(), line);
        assert!(TrainCommand::from_line(r#"{"command":"dance"}"#).is_err());
    }
}
