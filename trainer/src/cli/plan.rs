//! `plan`: what a run will take.

use std::path::PathBuf;

use clap::Args;
use mmface_engine::job::{self, Named as _, Objective};
use mmface_engine::{Error, Result};
use mmface_run_protocol::arguments::{flag, name};
use mmface_run_protocol::plan::PresetSummary;
use mmface_trainer::plan::{plan_run, probe, table, with_probe};
use mmface_trainer::{prepare, presets};

use super::Source;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    source: Source,
    /// What a file of the authors trains; left out: by its path
    #[arg(long, value_parser = job::parser::<Objective>())]
    objective: Option<Objective>,
    /// Training samples; left out: those of --work, of the preset, or 1000
    #[arg(long)]
    samples: Option<usize>,
    /// Processes that share the work; left out: the preset's
    #[arg(long)]
    ranks: Option<usize>,
    /// Count samples in this folder of prepared data
    #[arg(long = name(flag::WORK))]
    work: Option<PathBuf>,
    /// Time a few small steps on this CPU
    #[arg(long = name(flag::PROBE))]
    probe: bool,
    /// Number of threads of the probe; left out: all cores
    #[arg(long = name(flag::THREADS))]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long = name(flag::JSON))]
    json: bool,
}

/// Prints the plan.
///
/// # Errors
/// When configuration or prepared data is not usable, the batch does not divide among the
/// processes, or the probe fails.
pub(crate) fn execute(args: &PlanArgs) -> Result<()> {
    let preset = args.source.preset().map(presets::find).transpose()?;
    let ranks = args
        .ranks
        .or(preset.map(|preset| preset.ranks))
        .unwrap_or(1)
        .max(1);
    let imported = args.source.read(args.objective, ranks, 0)?;
    for note in &imported.notes {
        eprintln!("note: {note}");
    }
    let config = imported.config;
    let prepared = args
        .work
        .as_deref()
        .map(|work| prepare::open(&config, work))
        .transpose()?;
    let samples = args
        .samples
        .or(prepared.as_ref().map(|data| data.train.len()))
        .or(preset.map(|preset| preset.samples))
        .unwrap_or(1000);
    let tokens = prepared
        .as_ref()
        .map(|data| data.text.tokens)
        .or(preset.map(|preset| preset.tokens))
        .unwrap_or(77);
    let mut plan = plan_run(&config, samples, ranks, tokens)?;
    for warning in &plan.warnings {
        eprintln!("warning: {warning}");
    }
    if args.probe {
        super::train::use_threads(args.threads)?;
        plan = with_probe(plan, probe(&config, ranks, tokens)?);
    }
    if args.json {
        let text = serde_json::to_string(&plan);
        println!("{}", text.map_err(Error::unwritable("the plan"))?);
    } else {
        print!("{}", table(&plan));
    }
    Ok(())
}

/// Prints the presets: a table, or what another program needs to offer them.
///
/// # Errors
/// When a built-in configuration cannot be read: a bug.
pub(crate) fn presets(json: bool) -> Result<()> {
    let mut listed = Vec::new();
    for preset in presets::PRESETS {
        let config = preset.config()?;
        let objective = config.model.dit().objective.name();
        if json {
            listed.push(PresetSummary {
                name: preset.name.into(),
                objective: objective.into(),
                resolution: config.resolution as u64,
                batch: config.batch as u64,
                steps: config.steps,
            });
        } else {
            println!(
                "{:20} {objective:9} {:>4} px  batch {:>3}  {} updates",
                preset.name, config.resolution, config.batch, config.steps
            );
        }
    }
    if json {
        let text = serde_json::to_string(&listed);
        println!("{}", text.map_err(Error::unwritable("the presets"))?);
    }
    Ok(())
}
