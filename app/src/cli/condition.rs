//! What a portrait starts from: a mask, a sketch, a template, or nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use mmface_engine::condition::{self, FitMode};
use mmface_engine::job::{Condition, ConditionKind, Named as _};

use super::args::OutputArgs;
use super::session::warn;
use crate::assets::Templates;
use crate::failure::Result;

/// Options that choose the condition.
#[derive(Clone, Debug, Default, Args)]
pub struct ConditionArgs {
    /// A class mask of numbers or colours, or a folder with one mask a class (00000_hair.png, …)
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
    /// What a mask or drawing that is not square becomes: pad, crop or stretch
    #[arg(long, value_name = "HOW", default_value_t)]
    fit: FitMode,
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
    /// The file of a kind of condition.
    fn file(&self, kind: ConditionKind) -> Option<&Path> {
        match kind {
            ConditionKind::Mask => self.mask.as_deref(),
            ConditionKind::Sketch => self.sketch.as_deref(),
            ConditionKind::None => None,
        }
    }

    /// Reads the condition. Without any option it is the first template, with its prompt and seed.
    ///
    /// # Errors
    /// When the file or the template cannot be found or read.
    pub fn start(&self, prompt: Option<String>, output: OutputArgs) -> Result<Start> {
        let plain = |condition| Start {
            condition,
            prompt: prompt.clone().unwrap_or_default(),
            seed: 0,
        };
        let mut given = ConditionKind::ALL
            .iter()
            .map(|&kind| (kind, self.file(kind)));
        if let Some((kind, Some(path))) = given.find(|(_, path)| path.is_some()) {
            return read(path, kind, self.fit, output).map(plain);
        }
        if self.no_condition {
            return Ok(plain(Condition::None));
        }
        let templates = Templates::load()?;
        let template = templates.find(self.template.as_deref())?;
        let condition = read(&templates.path(template), template.kind, self.fit, output)?;
        let prompt = prompt.unwrap_or_else(|| template.prompt.clone());
        Ok(Start {
            condition,
            prompt,
            seed: template.seed,
        })
    }
}

/// Reads a condition, and says what was guessed, mended, or done to it.
fn read(path: &Path, kind: ConditionKind, fit: FitMode, output: OutputArgs) -> Result<Condition> {
    let (condition, warnings) = condition::read(path, kind, fit)?;
    for warning in warnings {
        warn(
            output,
            &format!("{} ({})", warning.trim_end_matches('.'), path.display()),
        );
    }
    Ok(condition)
}
