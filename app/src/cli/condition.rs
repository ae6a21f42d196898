//! What a portrait starts from: a mask, a sketch, a template, or nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use mmface_engine::condition::{read_mask, read_sketch};
use mmface_engine::job::Condition;

use super::args::OutputArgs;
use super::session::warn;
use crate::assets::{Kind, Templates};
use crate::failure::Result;

/// Options that choose the condition.
#[derive(Clone, Debug, Default, Args)]
pub struct ConditionArgs {
    /// A class mask: index or colour PNG
    #[arg(long, value_name = "F", conflicts_with_all = ["sketch", "template"])]
    mask: Option<PathBuf>,
    /// A drawing, dark on white
    #[arg(long, value_name = "F", conflicts_with = "template")]
    sketch: Option<PathBuf>,
    /// A bundled mask or sketch by name
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Nothing to follow: the prompt alone
    #[arg(long, conflicts_with_all = ["mask", "sketch", "template"])]
    no_condition: bool,
}

/// Where a job begins.
pub struct Start {
    /// What to follow.
    pub condition: Condition,
    /// What it should look like.
    pub prompt: String,
    /// Seed unless the person chose one.
    pub seed: u64,
}

impl ConditionArgs {
    /// Reads the condition. Without any option it is the first template, with its prompt and seed.
    pub fn start(&self, prompt: Option<String>, output: OutputArgs) -> Result<Start> {
        let plain = |condition| Start {
            condition,
            prompt: prompt.clone().unwrap_or_default(),
            seed: 0,
        };
        if let Some(path) = &self.mask {
            return read(path, Kind::Mask, output).map(plain);
        }
        if let Some(path) = &self.sketch {
            return read(path, Kind::Sketch, output).map(plain);
        }
        if self.no_condition {
            return Ok(plain(Condition::None));
        }
        let templates = Templates::load()?;
        let template = templates.find(self.template.as_deref())?;
        let condition = read(&templates.path(template), template.kind, output)?;
        let prompt = prompt.unwrap_or_else(|| template.prompt.clone());
        Ok(Start {
            condition,
            prompt,
            seed: template.seed,
        })
    }
}

/// Reads a condition, and says what was guessed or mended.
fn read(path: &Path, kind: Kind, output: OutputArgs) -> Result<Condition> {
    let (condition, warnings) = match kind {
        Kind::Mask => {
            let (mask, report) = read_mask(path)?;
            (Condition::Mask(mask), report.warnings)
        }
        Kind::Sketch => {
            let (sketch, report) = read_sketch(path)?;
            (Condition::Sketch(sketch), report.warnings)
        }
    };
    for warning in warnings {
        warn(
            output,
            &format!("{} ({})", warning.trim_end_matches('.'), path.display()),
        );
    }
    Ok(condition)
}
