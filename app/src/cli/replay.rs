//! `mmface replay`: draws a picture again from the recipe that it carries.

use std::path::PathBuf;

use clap::Args;
use mmface_engine::contract::{ModelSummary, PreviewPolicy};
use mmface_engine::job::Job;
use mmface_engine::kernels::{Precision, Storage};
use mmface_engine::picture::{RgbImage, read};
use mmface_engine::provenance::{Recipe, read_bytes};
use serde_json::json;

use super::args::{ComputeArgs, MemoryArg, ModelArgs, OutputArgs, PrecisionArg};
use super::session::Session;
use super::{output, picture};
use crate::failure::{Failure, Result};
use mmface_engine::device::DeviceChoice;

/// Options of `mmface replay`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A picture that mmface wrote
    picture: PathBuf,
    /// Compare the pixels with the picture's, and write nothing
    #[arg(long, conflicts_with = "out")]
    verify: bool,
    /// Where the new picture goes [default: beside the old one, as NAME-replay.png]
    #[arg(long, value_name = "F")]
    out: Option<PathBuf>,
    /// Another model than the recipe's
    #[arg(long, value_name = "NAME|DIR")]
    model: Option<String>,
    /// auto, cpu, cuda or cuda:N [default: as in the recipe, where it can be had]
    #[arg(long)]
    device: Option<DeviceChoice>,
    /// Threads on the CPU [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    threads: Option<u16>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Draws the picture again.
///
/// # Errors
/// When the picture has no recipe, its model is not found, drawing fails or is cancelled, the
/// target cannot be written, or `--verify` finds other pixels.
pub fn run(arguments: Arguments) -> Result<()> {
    let bytes = read::read_bytes(&arguments.picture)?;
    let recipe = recipe(&bytes, &arguments)?;
    let target = arguments
        .out
        .clone()
        .unwrap_or_else(|| output::numbered(&arguments.picture, "replay"));
    if !arguments.verify {
        output::check_writable(&target)?;
    }
    let session = Session::open(
        &model(&recipe, &arguments),
        PreviewPolicy::Off,
        arguments.output,
    )?;
    if session.summary.sha256 != recipe.sha256 {
        session.warn(&format!(
            "the model {} has other weights than those that drew the picture; the pixels will differ",
            session.summary.name
        ));
    }
    let drawn = session.run(recipe.job.clone(), "drawing again")?;
    let Some(drawn) = drawn.first() else {
        return Err(Failure::bug("the engine gave no picture"));
    };
    if arguments.verify {
        let before = read::decode(&bytes, &arguments.picture)?.to_rgb();
        return verify(&before, &drawn.image, &recipe, &session);
    }
    let job: &Job = &recipe.job;
    picture::write(&target, drawn, job, recipe.template.as_deref(), &session)?;
    session.json(&json!({ "event": "picture", "path": target, "seed": drawn.seed }));
    session.say(&format!("{} (seed {})", target.display(), drawn.seed));
    Ok(())
}

fn recipe(bytes: &[u8], arguments: &Arguments) -> Result<Recipe> {
    let path = arguments.picture.display();
    let found = read_bytes(bytes, &arguments.picture)?;
    match (found.recipe, found.problem) {
        (Some(recipe), _) => Ok(recipe),
        (None, Some(problem)) => Err(Failure::content(format!(
            "{problem} ({path}); use a newer mmface"
        ))),
        (None, None) => Err(Failure::content(format!(
            "the picture has no recipe of mmface ({path}); choose one that mmface wrote and nobody re-saved"
        ))),
    }
}

/// Model and arithmetic as the recipe has them, unless the person says otherwise.
fn model(recipe: &Recipe, arguments: &Arguments) -> ModelArgs {
    let device = arguments
        .device
        .or_else(|| recipe.device.parse().ok())
        .unwrap_or_default();
    ModelArgs {
        model: Some(
            arguments
                .model
                .clone()
                .unwrap_or_else(|| recipe.model.clone()),
        ),
        compute: ComputeArgs {
            device,
            threads: arguments.threads,
            precision: match recipe.precision {
                Precision::Exact => PrecisionArg::Exact,
                Precision::Fast => PrecisionArg::Fast,
            },
            memory: match recipe.storage {
                Storage::Q8_0 => MemoryArg::Low,
                Storage::F32 | Storage::Bf16 => MemoryArg::Auto,
            },
        },
    }
}

fn verify(before: &RgbImage, after: &RgbImage, recipe: &Recipe, session: &Session) -> Result<()> {
    if (before.width, before.height) != (after.width, after.height) {
        return Err(Failure::content(format!(
            "different: the picture is {} x {}, the replay {} x {}; it was resized after it was drawn",
            before.width, before.height, after.width, after.height
        )));
    }
    let differences = before
        .pixels
        .iter()
        .zip(&after.pixels)
        .map(|(a, b)| a.abs_diff(*b));
    let (count, most) = differences.fold((0usize, 0u8), |(count, most), difference| {
        (count + usize::from(difference > 0), most.max(difference))
    });
    session.json(&json!({
        "event": "verified", "identical": count == 0, "different_values": count, "largest_difference": most,
        "values": before.pixels.len(),
    }));
    if count == 0 {
        session.say("identical");
        return Ok(());
    }
    Err(Failure::content(format!(
        "different: {count} of {} values, by at most {most} of 255 (drawn by {} {} on {}); {}",
        before.pixels.len(),
        recipe.model,
        recipe.version,
        recipe.device,
        reason(recipe, &session.summary),
    )))
}

fn reason(recipe: &Recipe, model: &ModelSummary) -> &'static str {
    if recipe.sha256 != model.sha256 {
        "the model's weights are others: install the model of the recipe"
    } else if recipe.device != model.device {
        "another kind of device rounds otherwise: verify on the same"
    } else {
        "the picture was changed after it was drawn, or another processor rounds otherwise"
    }
}
