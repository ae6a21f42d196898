//! The command line: one file a command, and what the commands share.

pub mod args;
pub mod bench;
pub mod condition;
pub mod generate;
pub mod inspect;
pub mod models;
pub mod output;
pub mod parse;
pub mod picture;
pub mod replay;
pub mod session;
pub mod sweep;
pub mod usage;
