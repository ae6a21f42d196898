//! The authors' YAML configurations: read into our own, unknown keys refused with a suggestion.
//!
//! Their files say nothing of the objective (each has its own script), give the batch of one GPU,
//! and hold some keys that their code never reads; those are accepted and named.

mod build;
mod keys;
mod values;
mod yaml;

use std::path::{Path, PathBuf};

use mmface_engine::job::{Named as _, Objective};
use mmface_engine::{Error, Result};

use self::build::build;
use self::keys::check_keys;
use self::values::{File, Wrong};
use self::yaml::parse;
use crate::config::Config;
use crate::data::source::Source;

/// What such a file becomes.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The configuration.
    pub config: Config,
    /// Where the data lies, as far as the file says.
    pub source: Option<Source>,
    /// Folder of the run.
    pub out: Option<PathBuf>,
    /// Weights to start from.
    pub init_from: Option<PathBuf>,
    /// Sentences for a person.
    pub notes: Vec<String>,
}

/// Which objective a file is for: its path says so in the authors' repository.
pub fn objective_of(path: &Path) -> Objective {
    let text = path.to_string_lossy().to_lowercase();
    let mut others = Objective::ALL
        .iter()
        .filter(|&&objective| objective != Objective::default());
    others
        .find(|objective| text.contains(objective.name()))
        .copied()
        .unwrap_or_default()
}

/// Reads a file. `ranks` is the number of processes, which the batch is multiplied by; so many
/// samples are held out of folders.
///
/// # Errors
/// With line and key, when something is unknown, missing or of another kind.
pub fn read(path: &Path, objective: Objective, ranks: usize, heldout: usize) -> Result<Imported> {
    let text = std::fs::read_to_string(path)
        .map_err(Error::file("read the training configuration", path))?;
    import(&text, path, objective, ranks, heldout)
}

fn import(
    text: &str,
    path: &Path,
    objective: Objective,
    ranks: usize,
    heldout: usize,
) -> Result<Imported> {
    let bad = |what: String| {
        Error::content(
            path,
            what,
            "compare with the authors' configs, or use a RON file of ours",
        )
    };
    let tree = parse(text.trim_start_matches('\u{feff}')).map_err(bad)?;
    check_keys(&tree).map_err(bad)?;
    let file = File { tree: &tree };
    build(&file, path, objective, ranks, heldout).map_err(|error| match error {
        Wrong::Value(what) => bad(what),
        Wrong::Engine(error) => error,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use mmface_engine::model::dit::DitConfig;

    use super::*;
    use crate::config::{Checkpointing, Moments};

    // Our own words for a file of the authors' form.
    const STAGE_TWO: &str = "
# second stage
model:
  base_model_id: './text'   # frozen
  resolution: 512
data:
  data_root: faces
  image_folder: images
  mask_suffix: .png
  text_root: words
ffhq_data:
  data_root: ffhq
  mask_data_root: ffhq/coloured
conditioning:
  method: concat_latent
dit:
  hidden_size: 1152
  depth: 28
  num_heads: 16
  in_channels: 32
  attention:
    type: full
training:
  output_dir: runs/512
  train_batch_size: 8
  gradient_accumulation_steps: 2
  num_train_epochs: 50
  learning_rate: 5e-6
  force_lr: 1.0e-06
  lr_warmup_steps: 100
  use_8bit_adam: true
  gradient_checkpointing: yes
  mixed_precision: \"bf16\"
  source_checkpoint_256: runs/256/checkpoint-440700
logging:
  checkpointing_steps: 1_000
  validation_prompts:
    - a smiling woman
    - 'a man: serious'
";

    fn read_text(text: &str, objective: Objective, ranks: usize) -> Result<Imported> {
        import(text, Path::new("configs/stage.yml"), objective, ranks, 10)
    }

    #[test]
    fn the_second_stage_becomes_the_papers_plan() {
        let imported = read_text(STAGE_TWO, Objective::Flow, 2).unwrap();
        let mut config = imported.config;
        assert_eq!(
            (config.batch, config.accumulation, config.resolution),
            (32, 2, 512)
        );
        assert_eq!(config.rate.base, 1e-6);
        assert_eq!(config.optimizer.moments, Moments::Bits8);
        assert_eq!(config.min_snr_gamma, None);
        assert_eq!(config.checkpointing, Checkpointing::Full);
        config.count_steps(94_000).unwrap();
        assert_eq!(config.steps, 146_900);
        assert_eq!(config.model.dit(), DitConfig::paper());
        assert_eq!(imported.out, Some("runs/512".into()));
        assert!(imported.init_from.unwrap().ends_with("checkpoint-440700"));
        let Some(Source::Folders(layouts, 10)) = imported.source else {
            panic!("no folders")
        };
        assert_eq!(layouts[0].masks, Path::new("faces/masks"));
        assert_eq!(layouts[0].suffixes[1], ".png");
        assert_eq!(layouts[1].masks, Path::new("ffhq/coloured"));
        assert!(
            imported
                .notes
                .iter()
                .any(|note| note.contains("global batch 32"))
        );
    }

    #[test]
    fn a_typo_is_an_error_with_a_suggestion() {
        for (from, to, hint) in [
            ("train_batch_size", "train_batchsize", "train_batch_size"),
            ("training:", "trainig:", "training"),
            ("num_heads", "num_head", "num_heads"),
        ] {
            let text = STAGE_TWO.replace(from, to);
            let error = read_text(&text, Objective::Flow, 2)
                .unwrap_err()
                .to_string();
            assert!(error.contains(&format!("did you mean `{hint}`")), "{error}");
            assert!(error.contains("line "), "{error}");
        }
    }

    #[test]
    fn values_of_another_kind_are_named() {
        for (from, to, part) in [
            ("depth: 28", "depth: many", "dit.depth"),
            ("use_8bit_adam: true", "use_8bit_adam: 3", "use_8bit_adam"),
            ("num_heads: 16", "num_heads: 7", "section dit"),
            (
                "learning_rate: 5e-6",
                "lr_scheduler: polynomial",
                "lr_scheduler",
            ),
        ] {
            let error = read_text(&STAGE_TWO.replace(from, to), Objective::Flow, 2).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_eq!(
            objective_of(Path::new("configs/diffusion/a.yml")),
            Objective::Diffusion
        );
        assert_eq!(
            objective_of(Path::new("configs/flow/a.yml")),
            Objective::Flow
        );
    }
}
