//! `mmface-trainer`: prepares data, trains, resumes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use mmface_trainer::checkpoint;
use mmface_trainer::config::Config;
use mmface_trainer::prepare::{self, Places};
use mmface_trainer::report::Sink;
use mmface_trainer::report::jsonl::Printed;
use mmface_trainer::report::plain::Plain;
use mmface_trainer::run::{self, Changes, Start};
use mmface_trainer::signals;

/// Trains MMFace-DiT.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Inputs {
    /// Folder of the WebDataset tars (train-*.tar, heldout-*.tar); left out: what is prepared is used
    #[arg(long)]
    data: Option<PathBuf>,
    /// Folder of the frozen autoencoder and text tower (vae/, text/); needed with --data
    #[arg(long, requires = "data")]
    weights: Option<PathBuf>,
    /// Folder for latents and text features
    #[arg(long)]
    work: PathBuf,
    /// Number of threads; left out: all cores
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Encode photos, masks, sketches and captions once
    Latents {
        /// Training configuration (RON)
        #[arg(long)]
        config: PathBuf,
        #[command(flatten)]
        inputs: Inputs,
    },
    /// Start a run
    Train {
        /// Training configuration (RON)
        #[arg(long)]
        config: PathBuf,
        #[command(flatten)]
        inputs: Inputs,
        /// Folder of the run: checkpoints and metrics
        #[arg(long)]
        out: PathBuf,
        /// Start from the weights of this checkpoint folder or safetensors file
        #[arg(long)]
        init_from: Option<PathBuf>,
        /// Print one JSON object for each event
        #[arg(long)]
        json: bool,
    },
    /// Go on where a run stopped
    Resume {
        #[command(flatten)]
        inputs: Inputs,
        /// Folder of the run, or one of its checkpoints
        #[arg(long)]
        out: PathBuf,
        /// New total number of updates
        #[arg(long)]
        steps: Option<u64>,
        /// End within so many updates, the learning rate falling to zero
        #[arg(long, conflicts_with = "steps")]
        cooldown: Option<u64>,
        /// Print one JSON object for each event
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    mmface_engine::kernels::setup();
    let cli = Cli::parse();
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn execute(command: Command) -> anyhow::Result<()> {
    signals::listen();
    match command {
        Command::Latents { config, inputs } => {
            use_threads(inputs.threads)?;
            prepare_if_given(&Config::read(&config)?, &inputs)
        }
        Command::Train {
            config,
            inputs,
            out,
            init_from,
            json,
        } => {
            use_threads(inputs.threads)?;
            let config = Config::read(&config)?;
            let start = match init_from {
                Some(from) => Start::Weights(
                    config.clone(),
                    if from.is_dir() {
                        checkpoint::find(&from)?
                    } else {
                        from
                    },
                ),
                None => Start::Fresh(config.clone()),
            };
            train(start, &config, Changes::default(), &inputs, &out, json)
        }
        Command::Resume {
            inputs,
            out,
            steps,
            cooldown,
            json,
        } => {
            use_threads(inputs.threads)?;
            let folder = checkpoint::find(&out)?;
            let config = checkpoint::read_state(&folder)?.config;
            eprintln!("resuming {}", folder.display());
            let out = if folder == out {
                folder
                    .parent()
                    .context("a checkpoint lies in its run's folder")?
                    .to_path_buf()
            } else {
                out
            };
            train(
                Start::Checkpoint(folder),
                &config,
                Changes { steps, cooldown },
                &inputs,
                &out,
                json,
            )
        }
    }
}

fn train(
    start: Start,
    config: &Config,
    changes: Changes,
    inputs: &Inputs,
    out: &std::path::Path,
    json: bool,
) -> anyhow::Result<()> {
    if inputs.data.is_some() {
        prepare_if_given(config, inputs)?;
    }
    let data = prepare::open(config, &inputs.work)?;
    let (mut plain, mut printed) = (Plain, Printed);
    let sink: &mut dyn Sink = if json { &mut printed } else { &mut plain };
    run::run(start, changes, &data, out, sink, &signals::asked_to_stop)?;
    Ok(())
}

fn prepare_if_given(config: &Config, inputs: &Inputs) -> anyhow::Result<()> {
    let places = Places {
        data: inputs
            .data
            .clone()
            .context("name the folder of the tars with --data")?,
        weights: inputs
            .weights
            .clone()
            .context("name the folder of the autoencoder and text tower with --weights")?,
        work: inputs.work.clone(),
    };
    Ok(prepare::prepare(config, &places)?)
}

/// Sets the size of the thread pool before anything runs in it.
fn use_threads(threads: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build_global()
            .context("cannot set the number of threads")?;
    }
    Ok(())
}
