//! `mmface-trainer`: prepares data, trains, resumes, measures, exports.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use mmface_engine::kernels::Precision;
use mmface_engine::picture::write::write_atomic;
use mmface_trainer::bench::{Case, bench_train_step};
use mmface_trainer::config::Config;
use mmface_trainer::evaluate::{self, Evaluation, Options};
use mmface_trainer::prepare::{self, Places};
use mmface_trainer::report::Sink;
use mmface_trainer::report::jsonl::Printed;
use mmface_trainer::report::plain::Plain;
use mmface_trainer::run::{self, Changes, Start};
use mmface_trainer::signals;
use mmface_trainer::{checkpoint, export};

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
    /// Put the averaged weights of a checkpoint into a model package, with its card
    Export {
        /// Checkpoint, or folder of a run: then its newest one
        #[arg(long)]
        checkpoint: PathBuf,
        /// Package that holds the frozen parts
        #[arg(long)]
        out: PathBuf,
        /// Figures for the card, as `evaluate --out` writes them
        #[arg(long)]
        evaluation: Option<PathBuf>,
    },
    /// Measure samples of held-out conditions
    Evaluate {
        /// Model package
        #[arg(long)]
        model: PathBuf,
        /// Use the averaged weights of this checkpoint instead of the package's transformer
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// Folder of the WebDataset tars
        #[arg(long)]
        data: PathBuf,
        /// Side in pixels; left out: what the weights were trained at
        #[arg(long)]
        size: Option<usize>,
        /// Euler steps
        #[arg(long, default_value_t = 20)]
        steps: usize,
        /// Guidance weight
        #[arg(long, default_value_t = 3.0)]
        guidance: f64,
        /// Seed of the first sample
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Held-out conditions to use
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Number of threads; left out: all cores
        #[arg(long)]
        threads: Option<usize>,
        /// Write the figures as JSON
        #[arg(long)]
        out: Option<PathBuf>,
        /// Write a contact sheet (PNG); it shows photos of the data set
        #[arg(long)]
        sheet: Option<PathBuf>,
    },
    /// Time a training step; prints one JSON object
    Bench {
        /// demo, paper or tiny
        #[arg(long, default_value = "demo")]
        config: String,
        /// Side in pixels
        #[arg(long, default_value_t = 128)]
        size: usize,
        /// Samples in a batch
        #[arg(long, default_value_t = 16)]
        batch: usize,
        /// Arithmetic of the products
        #[arg(long, default_value = "f32", value_parser = ["f32", "bf16"])]
        dtype: String,
        /// Number of threads; left out: all cores
        #[arg(long)]
        threads: Option<usize>,
        /// Steps to time
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Compute blocks again in the backward pass
        #[arg(long)]
        checkpointing: bool,
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
        Command::Export {
            checkpoint,
            out,
            evaluation,
        } => {
            let evaluation = evaluation.as_deref().map(read_evaluation).transpose()?;
            Ok(export::export(&checkpoint, &out, evaluation.as_ref())?)
        }
        Command::Evaluate {
            model,
            checkpoint,
            data,
            size,
            steps,
            guidance,
            seed,
            limit,
            threads,
            out,
            sheet,
        } => {
            use_threads(threads)?;
            let (sampler, parser, trained) = prepare::load_model(&model, checkpoint.as_deref())?;
            let options = Options {
                data,
                size: size.unwrap_or(trained),
                steps,
                guidance,
                seed,
                limit,
                sheet,
            };
            let evaluation =
                evaluate::evaluate(&sampler, &parser, &options, &mut |what| eprintln!("{what}"))?;
            let text = serde_json::to_string_pretty(&evaluation)?;
            println!("{text}");
            match out {
                Some(path) => Ok(write_atomic(&path, text.as_bytes())?),
                None => Ok(()),
            }
        }
        Command::Bench {
            config,
            size,
            batch,
            dtype,
            threads,
            runs,
            checkpointing,
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
                checkpointing,
            })?;
            println!("{}", serde_json::to_string(&timing)?);
            Ok(())
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

fn read_evaluation(path: &std::path::Path) -> anyhow::Result<Evaluation> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds no evaluation", path.display()))
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
