//! `mmface`: portraits from a face mask or a sketch and a prompt. This file only reads the
//! arguments; `cli` holds one file a command, `studio` the program with a window.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mmface::{cli, studio};
use mmface_engine::error::EXIT_CODES;
use mmface_engine::system::interrupt;

/// Draws portraits from a face mask or a sketch and a prompt, on this machine only.
#[derive(Debug, Parser)]
#[command(name = "mmface", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The project to open in the studio.
    project: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw portraits; without options, of a bundled template.
    Generate(cli::generate::Arguments),
    /// Draw a grid that compares the alternatives of a prompt such as "[blonde|brown|black] hair".
    Sweep(cli::sweep::Arguments),
    /// Run again what made a picture.
    Replay(cli::replay::Arguments),
    /// Say what a picture, a model or a checkpoint is.
    Inspect(cli::inspect::Arguments),
    /// Turn a photo into a class mask, and into a sketch.
    Parse(cli::parse::Arguments),
    /// List, import and verify models.
    Models(cli::models::Arguments),
    /// Measure the speed of the model's parts.
    Bench(cli::bench::Arguments),
}

fn main() -> ExitCode {
    studio::start_trace::begin();
    // SAFETY: no other thread runs yet.
    unsafe { mmface_engine::kernels::setup() };
    interrupt::survive_file_limit();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return cli::usage::report(&error),
    };
    let result = match arguments.command {
        Some(Command::Generate(arguments)) => cli::generate::run(arguments),
        Some(Command::Sweep(arguments)) => cli::sweep::run(arguments),
        Some(Command::Replay(arguments)) => cli::replay::run(arguments),
        Some(Command::Inspect(arguments)) => cli::inspect::run(arguments),
        Some(Command::Parse(arguments)) => cli::parse::run(arguments),
        Some(Command::Models(arguments)) => cli::models::run(arguments),
        Some(Command::Bench(arguments)) => cli::bench::run(arguments),
        None => studio::open(arguments.project),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
