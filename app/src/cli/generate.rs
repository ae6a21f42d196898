//! `mmface generate`: portraits of one condition and one prompt.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use mmface_engine::contract::{ModelSummary, PreviewPolicy};
use mmface_engine::job::{Draw, Job, has_groups};

use super::args::{ModelArgs, OutputArgs, SampleArgs, default_path, parse_count};
use super::condition::{ConditionArgs, Start};
use super::session::Session;
use super::{output, picture};
use crate::failure::Result;

/// Options of `mmface generate`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    condition: ConditionArgs,
    /// What the face should look like; empty = whatever the model likes [default: the template's]
    #[arg(long, value_name = "P")]
    prompt: Option<String>,
    /// Number of pictures; picture i has seed + i
    #[arg(long, value_name = "N", value_parser = parse_count, default_value_t = 1)]
    num_samples: usize,
    #[command(flatten)]
    sample: SampleArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Where the picture goes; several are numbered [default: portrait.png]
    #[arg(long, value_name = "F")]
    out: Option<PathBuf>,
    /// Make previews although nobody sees them: for measuring what they cost
    #[arg(long, value_enum, default_value_t, hide = true)]
    previews: Previews,
    #[command(flatten)]
    output: OutputArgs,
}

/// `--previews`, for tests and measurements.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Previews {
    #[default]
    Off,
    Auto,
    Linear,
    Vae,
}

/// Draws the pictures.
///
/// # Errors
/// When a target cannot be written, condition or model cannot be read, or drawing fails or is
/// cancelled.
pub fn run(arguments: Arguments) -> Result<()> {
    let began = Instant::now();
    let target = default_path(arguments.out, "portrait.png");
    let paths = output::paths(&target, arguments.num_samples);
    for path in &paths {
        output::check_writable(path)?;
    }
    let start = arguments
        .condition
        .start(arguments.prompt, arguments.output)?;
    if has_groups(&start.prompt) {
        super::session::warn(
            arguments.output,
            "the prompt's [a|b] groups are taken literally here; `mmface sweep` compares them",
        );
    }
    let previews = match arguments.previews {
        Previews::Off => PreviewPolicy::Off,
        Previews::Auto => PreviewPolicy::Auto,
        Previews::Linear => PreviewPolicy::Linear,
        Previews::Vae => PreviewPolicy::Vae,
    };
    let session = Session::open(&arguments.model, previews, arguments.output)?;
    let job = job(
        start,
        &arguments.sample,
        arguments.num_samples,
        &session.summary,
    );
    let pictures = session.run(job.clone(), "drawing")?;
    for (drawn, path) in pictures.iter().zip(&paths) {
        picture::write(path, drawn, &job, None, &session)?;
        let seconds = began.elapsed().as_secs_f64();
        session.json(&serde_json::json!({
            "event": "picture", "path": path, "seed": drawn.seed, "width": drawn.image.width,
            "height": drawn.image.height, "seconds": seconds,
        }));
        session.say(&format!(
            "{} (seed {}, {seconds:.1} s)",
            path.display(),
            drawn.seed
        ));
    }
    Ok(())
}

/// The job that the arguments describe, on this model.
pub fn job(start: Start, sample: &SampleArgs, count: usize, model: &ModelSummary) -> Job {
    let mut draw = Draw {
        prompt: start.prompt,
        seed: start.seed,
        count,
        ..Draw::default()
    };
    model.suggested.apply(&mut draw);
    sample.changes().apply(&mut draw);
    Job {
        draw,
        condition: start.condition,
        fork: None,
    }
}
