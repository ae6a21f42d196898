//! `mmface sweep`: a grid that compares the alternatives of a prompt.

use std::path::PathBuf;

use clap::Args;
use mmface_engine::contract::PreviewPolicy;
use mmface_engine::file::{self, Overwrite};
use mmface_engine::job::{Draw, Job, Sweep};
use serde_json::json;

use super::args::{ModelArgs, OutputArgs, SampleArgs, default_path};
use super::condition::ConditionArgs;
use super::session::Session;
use super::{generate, output, picture};
use crate::failure::{Failure, Result};
use crate::grid::Grid;
use crate::project::{SweepIndex, SweepNote};

/// Options of `mmface sweep`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    condition: ConditionArgs,
    /// The prompt with one or two groups, such as "[young|old] man with [red|grey] hair"
    #[arg(long, value_name = "P")]
    prompt: String,
    #[command(flatten)]
    sample: SampleArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// The labelled grid; tiles and an index go beside it [default: sweep.png]
    #[arg(long, value_name = "F")]
    out: Option<PathBuf>,
    /// Write the tiles and the index only
    #[arg(long)]
    no_grid: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Draws the cells and the grid.
///
/// # Errors
/// When the prompt is no sweep, a target cannot be written, condition or model cannot be read, or
/// drawing fails or is cancelled.
pub fn run(arguments: Arguments) -> Result<()> {
    let sweep = Sweep::parse(&arguments.prompt)?;
    let target = default_path(arguments.out, "sweep.png");
    output::check_writable(&target)?;
    let start = arguments
        .condition
        .start(Some(arguments.prompt.clone()), arguments.output)?;
    let session = Session::open(&arguments.model, PreviewPolicy::Off, arguments.output)?;
    let count = sweep.cells.len();
    session.say(&format!(
        "{} x {} cells: {count} pictures",
        sweep.rows(),
        sweep.columns()
    ));
    let base = generate::job(start, &arguments.sample, 1, &session.summary);
    let mut grid = Grid::new(&sweep, base.draw.size);
    let mut cells = Vec::with_capacity(count);
    for (number, cell) in sweep.cells.iter().enumerate() {
        // Seed, noise and condition are the base's: only the words differ.
        let job = Job {
            draw: Draw {
                prompt: cell.prompt.clone(),
                ..base.draw.clone()
            },
            ..base.clone()
        };
        let label = format!("{} of {count}: {}", number + 1, cell.words.join(", "));
        let drawn = session.run(job.clone(), &label)?;
        let Some(drawn) = drawn.first() else {
            return Err(Failure::bug("the engine gave no picture"));
        };
        let tile = output::numbered(&target, format!("r{}-c{}", cell.row + 1, cell.column + 1));
        picture::write(&tile, drawn, &job, Some(&sweep.template), &session)?;
        grid.put(cell, &drawn.image);
        let object = json!({
            "row": cell.row, "column": cell.column, "words": cell.words, "prompt": cell.prompt,
            "seed": job.draw.seed, "file": tile.file_name().map(|name| name.to_string_lossy()),
        });
        session.json(&json!({ "event": "cell", "cell": object, "path": tile }));
        cells.push(object);
    }
    let note = SweepNote::new(&sweep.template, 0, &base);
    let index = SweepIndex::new(&note, &sweep, &session.summary.name, &cells).json()?;
    let index_path = target.with_extension("json");
    file::write(&index_path, &index, Overwrite::Replace)?;
    if !arguments.no_grid {
        file::write(&target, &note.png(&grid.finish())?, Overwrite::Replace)?;
        session.json(&json!({ "event": "grid", "path": target, "index": index_path }));
        session.say(&format!("{} ({count} pictures)", target.display()));
    }
    Ok(())
}
