//! `mmface-trainer`: prepares data, trains, resumes, measures, exports.

mod cli;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mmface_engine::error::EXIT_CODES;
use mmface_engine::format::one_line;
use mmface_engine::kernels::Precision;
use mmface_engine::system::interrupt;
use mmface_engine::{Error, Result};
use mmface_run_protocol::arguments::{flag, name, subcommand};
use mmface_trainer::bench::{Case, bench_train_step};
use mmface_trainer::evaluate::Evaluation;
use mmface_trainer::report::Sink;
use mmface_trainer::report::jsonl::Printed;
use mmface_trainer::report::plain::Plain;
use mmface_trainer::{export, package, prepare};

use cli::train::use_threads;
use cli::{Inputs, Source};

/// Trains MMFace-DiT.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a run will take: updates, learning rate, memory, disk, time
    #[command(name = subcommand::PLAN)]
    Plan(cli::plan::PlanArgs),
    /// Name the configurations that come with the program
    #[command(name = subcommand::PRESETS)]
    Presets {
        /// Print one JSON array
        #[arg(long = name(flag::JSON))]
        json: bool,
    },
    /// Encode photos, masks, sketches and captions once
    #[command(name = subcommand::LATENTS)]
    Latents {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        inputs: Inputs,
        /// Folder for latents and text features
        #[arg(long = name(flag::WORK))]
        work: PathBuf,
        /// Encode nothing: name the latent files that are missing or outdated
        #[arg(long)]
        verify: bool,
        /// Print one JSON object for each event
        #[arg(long = name(flag::JSON))]
        json: bool,
    },
    /// Train the rows of the paper's ablation at a small scale and write the table
    ///
    /// The rows are trained one after the other, so it takes five times as long as one run of so
    /// many updates, which `plan --probe` measures: for the demo at 128² on two cores, half an hour
    /// with --steps 1000, and a quarter of a minute a row for the mIoU of 20 masks. The same
    /// command continues after an interruption: rows that are done are only measured again. OUT/ablation.md
    /// and OUT/ablation.json hold the rows so far.
    Ablate(cli::ablate::AblateArgs),
    /// Put the losses of two runs beside each other
    Compare(cli::compare::CompareArgs),
    /// Start a run
    #[command(name = subcommand::TRAIN)]
    Train(cli::train::TrainArgs),
    /// Continue a run where it stopped
    #[command(name = subcommand::RESUME)]
    Resume(cli::train::ResumeArgs),
    /// Put the averaged weights of a checkpoint into a model package, with its card
    #[command(name = subcommand::EXPORT)]
    Export {
        /// Checkpoint, or folder of a run: then its newest one
        #[arg(long = name(flag::CHECKPOINT))]
        checkpoint: PathBuf,
        /// Package that holds the frozen parts
        #[arg(long = name(flag::OUT))]
        out: PathBuf,
        /// Figures for the card, as `evaluate --out` writes them
        #[arg(long)]
        evaluation: Option<PathBuf>,
        /// Folder of the frozen autoencoder and text tower (vae/, text/): makes the package where there is none
        #[arg(long = name(flag::WEIGHTS))]
        weights: Option<PathBuf>,
    },
    /// Measure samples of held-out conditions, drawn as `mmface generate` draws them
    Evaluate(cli::evaluate::EvaluateArgs),
    /// Time a training step; prints one JSON object
    #[command(name = subcommand::BENCH)]
    Bench {
        /// demo, paper or tiny
        #[arg(long = name(flag::CONFIG), default_value = "demo")]
        config: String,
        /// Side in pixels
        #[arg(long = name(flag::SIZE), default_value_t = 128)]
        size: usize,
        /// Samples in a batch
        #[arg(long = name(flag::BATCH), default_value_t = 16)]
        batch: usize,
        /// Arithmetic of the products
        #[arg(long = name(flag::DTYPE), default_value = "f32", value_parser = ["f32", "bf16"])]
        dtype: String,
        /// Number of threads; left out: all cores
        #[arg(long = name(flag::THREADS))]
        threads: Option<usize>,
        /// Steps to time
        #[arg(long = name(flag::RUNS), default_value_t = 5)]
        runs: usize,
        /// Blocks to compute again in the backward pass; without a value: all
        #[arg(long, default_value = "none", num_args = 0..=1, default_missing_value = "full")]
        checkpointing: cli::CheckpointingName,
        /// Accepted for scripts; JSON is printed in any case
        #[arg(long = name(flag::JSON))]
        json: bool,
    },
}

fn main() -> ExitCode {
    // SAFETY: no other thread runs yet.
    unsafe { mmface_engine::kernels::setup() };
    let cli = Cli::parse();
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ Error::Cancelled) => {
            eprintln!("interrupted: what is done is kept, and the same command continues");
            ExitCode::from(error.kind().exit_code())
        }
        Err(error) => {
            eprintln!("error: {}", one_line(&error.to_string()));
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn execute(command: Command) -> Result<()> {
    interrupt::listen();
    interrupt::end_at_once();
    interrupt::survive_file_limit();
    match command {
        Command::Plan(args) => cli::plan::execute(&args),
        Command::Presets { json } => cli::plan::presets(json),
        Command::Latents {
            source,
            inputs,
            work,
            verify,
            json,
        } => {
            use_threads(inputs.threads)?;
            latents(&source, &inputs, &work, verify, json)
        }
        Command::Ablate(args) => cli::ablate::execute(&args),
        Command::Compare(args) => cli::compare::execute(&args),
        Command::Train(args) => cli::train::train(&args),
        Command::Resume(args) => cli::train::resume(&args),
        Command::Export {
            checkpoint,
            out,
            evaluation,
            weights,
        } => {
            let evaluation = evaluation.as_deref().map(read_evaluation).transpose()?;
            if let Some(weights) = weights {
                package::create(&checkpoint, &weights, &out)?;
            }
            export::export(&checkpoint, &out, evaluation.as_ref())
        }
        Command::Evaluate(args) => cli::evaluate::execute(args),
        Command::Bench {
            config,
            size,
            batch,
            dtype,
            threads,
            runs,
            checkpointing,
            json: _,
        } => {
            use_threads(threads)?;
            let precision = if dtype == "bf16" {
                Precision::Fast
            } else {
                Precision::Exact
            };
            let timing = bench_train_step(&Case {
                config,
                size,
                batch,
                precision,
                runs,
                checkpointing: checkpointing.into(),
            })?;
            let text = serde_json::to_string(&timing);
            println!("{}", text.map_err(Error::unwritable("the timing"))?);
            Ok(())
        }
    }
}

fn latents(source: &Source, inputs: &Inputs, work: &Path, verify: bool, json: bool) -> Result<()> {
    let imported = source.read(None, 1, inputs.heldout)?;
    let preparation = inputs
        .preparation(imported.source.as_ref(), work, None)?
        .ok_or_else(|| Error::Argument("name the folder of the data with --data".into()))?;
    if verify {
        let outdated = prepare::verify(&imported.config, &preparation)?;
        for name in &outdated {
            println!("{name}");
        }
        if outdated.is_empty() {
            eprintln!("all latents belong to the data");
            return Ok(());
        }
        return Err(Error::content(
            work,
            format!("{} latent files are missing or outdated", outdated.len()),
            "run `latents` without --verify",
        ));
    }
    let (mut plain, mut printed) = (Plain::default(), Printed);
    let sink: &mut dyn Sink = if json { &mut printed } else { &mut plain };
    prepare::prepare(&imported.config, &preparation, sink)
}

fn read_evaluation(path: &Path) -> Result<Evaluation> {
    let text = std::fs::read_to_string(path).map_err(Error::file("read the evaluation", path))?;
    serde_json::from_str(&text).map_err(|error| {
        let what = format!("this is no evaluation: {error}");
        Error::content(path, what, "make one with `evaluate --out`")
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use mmface_run_protocol::arguments;

    use super::*;

    #[test]
    fn the_flags_that_other_programs_pass_are_declared() {
        let program = Cli::command();
        program.clone().debug_assert();
        for (subcommand, flags) in arguments::USED {
            let declared = program.find_subcommand(subcommand).expect(subcommand);
            for flag in flags {
                let found = declared
                    .get_arguments()
                    .any(|argument| argument.get_long() == Some(name(flag)));
                assert!(found, "{subcommand} has no {flag}");
            }
        }
    }
}
