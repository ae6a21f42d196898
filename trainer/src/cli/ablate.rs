//! `ablate`: the rows of the paper's table 3 and the table.

use std::path::{Path, PathBuf};

use clap::Args;
use mmface_engine::job::Guide;
use mmface_engine::picture::write::write_atomic;
use mmface_trainer::ablate::{self, Row};
use mmface_trainer::control::Console;
use mmface_trainer::evaluate::{self, Options};
use mmface_trainer::prepare;
use mmface_trainer::report::plain::Plain;

use super::Source;
use super::train::use_threads;

/// Arguments of `ablate`.
#[derive(Debug, Args)]
pub struct AblateArgs {
    #[command(flatten)]
    source: Source,
    /// Folder of prepared data
    #[arg(long)]
    work: PathBuf,
    /// Folder of data prepared with a better autoencoder, for the last row
    #[arg(long)]
    second_work: Option<PathBuf>,
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
pub fn execute(args: &AblateArgs) -> anyhow::Result<()> {
    use_threads(args.threads)?;
    let mut base = args.source.read(None, 1, 0)?.config;
    if let Some(steps) = args.steps {
        (base.steps, base.epochs) = (steps, None);
    }
    base.check()?;
    let data = prepare::open(&base, &args.work)?;
    let second = args
        .second_work
        .as_deref()
        .map(|work| prepare::open(&base, work))
        .transpose()?;
    let mut measure = |row: &Row, checkpoint: &Path| match (&args.model, &args.data) {
        // The package's autoencoder is that of the first rows.
        (Some(model), Some(data)) if !row.second => {
            let (sampler, parser, side) = prepare::load_model(model, Some(checkpoint))?;
            let options = Options {
                data: data.clone(),
                size: side,
                steps: 20,
                guidance: 3.0,
                // As the authors sample: the rows differ in the model only.
                guide: Guide::Words,
                seed: 1,
                limit: args.limit,
                sheet: None,
            };
            let agreement = evaluate::mask_agreement(&sampler, &parser, &options)?;
            Ok(Some(agreement.miou))
        }
        _ => Ok(None),
    };
    let outcomes = ablate::ablate(
        &base,
        &data,
        second.as_ref(),
        &args.out,
        &mut Plain::default(),
        &mut Console::signals(),
        &mut measure,
    )?;
    let table = ablate::table(&base, data.train.len(), &outcomes);
    write_atomic(&args.out.join("ablation.md"), table.as_bytes())?;
    let json = serde_json::to_string_pretty(&outcomes)?;
    write_atomic(&args.out.join("ablation.json"), json.as_bytes())?;
    print!("{table}");
    Ok(())
}
