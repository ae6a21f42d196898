//! The command line: one file a command, and what the commands share.

pub mod args;
pub mod assets;
pub mod bench;
pub mod condition;
pub mod failure;
pub mod generate;
pub mod grid;
pub mod inspect;
pub mod interrupt;
pub mod models;
pub mod output;
pub mod parse;
pub mod picture;
pub mod replay;
pub mod session;
pub mod sweep;

use std::path::Path;

use failure::{Failure, Result};

/// Without a command the studio opens, once it exists.
pub fn no_studio(project: Option<&Path>) -> Result<()> {
    Err(Failure::usage(match project {
        Some(project) if !project.exists() => format!(
            "no command and no project is called `{}`; see `mmface --help`",
            project.display()
        ),
        _ => "the studio is not built yet; draw on the command line, for instance with `mmface generate` (see `mmface --help`)".into(),
    }))
}
