//! `evaluate`: figures of held-out samples, drawn as `mmface generate` draws them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mmface_engine::contract::PipelineOptions;
use mmface_engine::device::DeviceChoice;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::job::{Draw, Guide, Sampler, parser};
use mmface_engine::kernels::Precision;
use mmface_engine::{Error, Result};
use mmface_trainer::evaluate::{self, Options};
use mmface_trainer::prepare;

use super::train::use_threads;

/// Arguments of `evaluate`. What is left out is what `mmface generate` takes with this package.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// Model package
    #[arg(long)]
    model: PathBuf,
    /// Use the averaged weights of this checkpoint instead of the package's transformer, rounded as an export rounds them
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Folder of the WebDataset tars
    #[arg(long)]
    data: PathBuf,
    /// Side in pixels; left out: what the weights were trained at
    #[arg(long)]
    size: Option<usize>,
    /// Sampling steps
    #[arg(long, default_value_t = Draw::default().steps)]
    steps: usize,
    /// How to walk from noise to picture; left out: what suits the model
    #[arg(long, value_parser = parser::<Sampler>())]
    sampler: Option<Sampler>,
    /// Guidance weight; left out: the package's
    #[arg(long)]
    guidance: Option<f64>,
    /// What guidance strengthens; left out: as the package says
    #[arg(long, value_parser = parser::<Guide>())]
    guide: Option<Guide>,
    /// Seed of the first sample
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Held-out conditions to use
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Arithmetic of the products; left out: what `mmface generate` takes
    #[arg(long, value_enum)]
    precision: Option<PrecisionName>,
    /// Number of threads; left out: all cores
    #[arg(long)]
    threads: Option<usize>,
    /// Write the figures as JSON
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write a contact sheet (PNG); it shows photos of the data set
    #[arg(long)]
    sheet: Option<PathBuf>,
}

/// Arithmetic of the products.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PrecisionName {
    /// f32 products
    Exact,
    /// bf16 products where the CPU has them
    Fast,
}

/// Draws, measures, and prints one JSON object.
///
/// # Errors
/// When a value is out of range, the package or the data cannot be read, drawing fails, or `--out`
/// cannot be written.
pub(crate) fn execute(args: EvaluateArgs) -> Result<()> {
    use_threads(args.threads)?;
    let usual = PipelineOptions::default();
    let options = PipelineOptions {
        device: args.device,
        precision: match args.precision {
            Some(PrecisionName::Exact) => Precision::Exact,
            Some(PrecisionName::Fast) => Precision::Fast,
            None => usual.precision,
        },
        ..usual
    };
    let mut model = prepare::load_model(&args.model, args.checkpoint.as_deref(), None, options)?;
    let mut draw = Draw {
        steps: args.steps,
        seed: args.seed,
        ..Draw::default()
    };
    model.summary.suggested.apply(&mut draw);
    draw.size = args.size.unwrap_or(draw.size);
    draw.sampler = args.sampler.unwrap_or(draw.sampler);
    draw.guidance = args.guidance.unwrap_or(draw.guidance);
    draw.guide = args.guide.unwrap_or(draw.guide);
    draw.validate()?;
    let options = Options {
        data: args.data,
        draw,
        limit: args.limit,
        sheet: args.sheet,
    };
    let evaluation = evaluate::evaluate(&mut model, &options, &mut |what| eprintln!("{what}"))?;
    let text =
        serde_json::to_string_pretty(&evaluation).map_err(Error::unwritable("the evaluation"))?;
    println!("{text}");
    match args.out {
        Some(path) => file::write(&path, text.as_bytes(), Overwrite::Replace),
        None => Ok(()),
    }
}
