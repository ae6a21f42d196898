//! Arguments that cannot be parsed.

use std::process::ExitCode;

use mmface_engine::format::one_line;

use crate::failure::Failure;

/// Help and version go to stdout; any other outcome of parsing becomes one line.
pub fn report(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };
    if matches!(
        error.kind(),
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // Nobody reads a help text that cannot be printed.
        error.print().ok();
        return ExitCode::from(u8::from(error.use_stderr()) * 2);
    }
    let text = error.to_string();
    let what = text.split("\n\nUsage").next().unwrap_or(&text);
    let what = what
        .split("\n\nFor more information")
        .next()
        .unwrap_or(what);
    let what = what.trim_start_matches("error: ");
    Failure::usage(format!("{}; see --help", one_line(what))).report()
}
