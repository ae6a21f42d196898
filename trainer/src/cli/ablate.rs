//! `ablate`: the rows of the paper's table 3 and the table.

use std::path::{Path, PathBuf};

use clap::Args;
use mmface_engine::contract::PipelineOptions;
use mmface_engine::device::DeviceChoice;
use mmface_engine::job::{Draw, Guide};
use mmface_engine::pipeline::LatentMap as _;
use mmface_engine::{Error, Result};
use mmface_trainer::ablate::{self, Material, Row};
use mmface_trainer::control::Console;
use mmface_trainer::evaluate::{self, Options};
use mmface_trainer::prepare;
use mmface_trainer::report::plain::Plain;

use super::Source;
use super::train::use_threads;

/// Arguments of `ablate`.
#[derive(Debug, Args)]
pub(crate) struct AblateArgs {
    #[command(flatten)]
    source: Source,
    /// Folder of prepared data
    #[arg(long)]
    work: PathBuf,
    /// Folder of data prepared with a better autoencoder, for the last row; the mIoU of that row is not measured
    #[arg(long)]
    second_work: Option<PathBuf>,
    /// Give the first four rows so many channels of the latents (principal components), the last row all: a stand-in for the paper's two autoencoders
    #[arg(long, conflicts_with = "second_work")]
    coarse: Option<usize>,
    /// Folder for the runs and the table
    #[arg(long)]
    out: PathBuf,
    /// Updates of each row; left out: the configuration's
    #[arg(long)]
    steps: Option<u64>,
    /// Model package with the frozen parts and the face parser, to measure mIoU
    #[arg(long, requires = "data")]
    model: Option<PathBuf>,
    /// Folder of the WebDataset tars, to measure mIoU
    #[arg(long, requires = "model")]
    data: Option<PathBuf>,
    /// Held-out masks to sample for the mIoU
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Number of threads; left out: all cores
    #[arg(long)]
    threads: Option<usize>,
}

/// Trains the rows and writes `ablation.md` and `ablation.json`.
///
/// # Errors
/// When the configuration or the prepared data is not usable, a row fails, or a table cannot be
/// written.
pub(crate) fn execute(args: &AblateArgs) -> Result<()> {
    use_threads(args.threads)?;
    let mut base = args.source.read(None, 1, 0)?.config;
    if let Some(steps) = args.steps {
        (base.steps, base.epochs) = (steps, None);
    }
    base.check()?;
    let whole = prepare::open(&base, &args.work)?;
    let (data, second, coarse) = match (args.coarse, &args.second_work) {
        (Some(channels), _) => {
            let folder = args.out.join(format!("latents-of-{channels}-channels"));
            let (coarse, data) = prepare::coarsen(&base, &args.work, &folder, channels)?;
            eprintln!(
                "{channels} of {} channels hold {:.1} % of the latents' variance",
                whole.train.channels,
                100.0 * coarse.kept
            );
            (data, Some(whole), Some(coarse))
        }
        (None, Some(work)) => (whole, Some(prepare::open(&base, work)?), None),
        (None, None) => (whole, None, None),
    };
    let mut measure = |row: &Row, checkpoint: &Path| match (&args.model, &args.data) {
        // The package's autoencoder is that of the first rows, or of all.
        (Some(model), Some(data)) if !row.second || coarse.is_some() => {
            let map = coarse.clone().filter(|_| !row.second);
            let options = PipelineOptions {
                device: DeviceChoice::Cpu,
                ..PipelineOptions::default()
            };
            let mut model = prepare::load_model(model, Some(checkpoint), map, options)?;
            let mut draw = Draw::default();
            model.summary.suggested.apply(&mut draw);
            let options = Options {
                data: data.clone(),
                draw: Draw {
                    guidance: 3.0,
                    // As the authors sample: the rows differ in the model only.
                    guide: Guide::Words,
                    seed: 1,
                    ..draw
                },
                limit: args.limit,
                sheet: None,
            };
            let agreement = evaluate::mask_agreement(&mut model, &options)?;
            Ok(Some(agreement.miou))
        }
        _ => Ok(None),
    };
    let note = coarse.as_ref().map_or_else(String::new, |coarse| {
        format!(
            "The first autoencoder is the second with its latents reduced to {} principal components ({:.1} % of their variance).\n",
            coarse.channels(),
            100.0 * coarse.kept
        )
    });
    let material = Material {
        first: &data,
        second: second.as_ref(),
        note,
    };
    ablate::ablate(
        &base,
        &material,
        &args.out,
        &mut Plain::default(),
        &mut Console::signals(),
        &mut measure,
    )?;
    let table = args.out.join("ablation.md");
    let text = std::fs::read_to_string(&table).map_err(Error::file("read the table", &table))?;
    print!("{text}");
    Ok(())
}
