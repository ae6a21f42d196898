//! `plan`: what a run will take.

use std::path::PathBuf;

use clap::Args;
use mmface_engine::model::dit::Objective;
use mmface_trainer::plan::{Plan, probe};
use mmface_trainer::{prepare, presets};

use super::{ObjectiveName, Source};

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    source: Source,
    /// What a file of the authors trains; left out: by its path
    #[arg(long)]
    objective: Option<ObjectiveName>,
    /// Training samples; left out: those of --work, of the preset, or 1000
    #[arg(long)]
    samples: Option<usize>,
    /// Processes that share the work; left out: the preset's
    #[arg(long)]
    ranks: Option<usize>,
    /// Count samples in this folder of prepared data
    #[arg(long)]
    work: Option<PathBuf>,
    /// Time a few small steps on this CPU
    #[arg(long)]
    probe: bool,
    /// Number of threads of the probe; left out: all cores
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the plan.
pub fn execute(args: &PlanArgs) -> anyhow::Result<()> {
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
    if !config.batch.is_multiple_of(ranks * config.accumulation) {
        anyhow::bail!(
            "the global batch {} is no multiple of {ranks} processes × accumulation {}",
            config.batch,
            config.accumulation
        );
    }
    let mut plan = Plan::new(&config, samples, ranks, tokens);
    if args.probe {
        super::train::use_threads(args.threads)?;
        plan = plan.with_probe(&config, probe(&config, ranks, tokens)?);
    }
    if args.json {
        println!("{}", serde_json::to_string(&plan)?);
    } else {
        print!("{}", plan.table());
    }
    Ok(())
}

/// Prints the presets: a table, or what another program needs to offer them.
pub fn presets(json: bool) -> anyhow::Result<()> {
    let mut listed = Vec::new();
    for preset in presets::PRESETS {
        let config = preset.config()?;
        let objective = match config.model.dit().objective {
            Objective::Flow => "flow",
            Objective::Diffusion => "diffusion",
        };
        if json {
            listed.push(serde_json::json!({
                "name": preset.name,
                "objective": objective,
                "resolution": config.resolution,
                "batch": config.batch,
                "steps": config.steps,
            }));
        } else {
            println!(
                "{:20} {objective:9} {:>4} px  batch {:>3}  {} updates",
                preset.name, config.resolution, config.batch, config.steps
            );
        }
    }
    if json {
        println!("{}", serde_json::to_string(&listed)?);
    }
    Ok(())
}
