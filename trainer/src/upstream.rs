//! The authors' YAML configurations: read into our own, unknown keys refused with a suggestion.
//!
//! Their files say nothing of the objective (each has its own script), give the batch of one GPU,
//! and hold some keys that their code never reads; those are accepted and named.

mod yaml;

use std::path::{Path, PathBuf};

use mmface_engine::kernels::Precision;
use mmface_engine::model::dit::{DitConfig, Objective};
use mmface_engine::{Error, Result};

use self::yaml::{Node, parse};
use crate::config::{Config, Dropout, Every, Model, Moments, OptimizerConfig, RateConfig};
use crate::data::folders::Layout;
use crate::data::source::Source;
use crate::data::webdataset::Form;
use crate::optim::Schedule;
use crate::plan::similar;

/// Keys of each section. A star stands for any beginning or end.
const KEYS: [(&str, &[&str]); 9] = [
    ("model", &["base_model_id", "revision", "resolution"]),
    (
        "data",
        &[
            "latents_root",
            "data_root",
            "text_root",
            "image_folder",
            "mask_folder",
            "sketch_folder",
            "resolution",
            "*_suffix",
        ],
    ),
    (
        "ffhq_data",
        &[
            "data_root",
            "mask_data_root",
            "sketch_data_root",
            "text_root",
            "resolution",
            "*_suffix",
        ],
    ),
    ("conditioning", &["method", "dit_additional_in_channels"]),
    (
        "dit",
        &[
            "patch_size",
            "in_channels",
            "hidden_size",
            "depth",
            "num_heads",
            "mlp_ratio",
            "learn_sigma",
            "use_cross_attn",
            "attention",
        ],
    ),
    (
        "training",
        &[
            "output_dir",
            "resume_from_checkpoint",
            "is_progressive_switch",
            "source_checkpoint_256",
            "resume_from_checkpoint_512",
            "force_lr",
            "seed",
            "train_batch_size",
            "num_train_epochs",
            "max_train_steps",
            "learning_rate",
            "lr_scheduler",
            "lr_warmup_steps",
            "adam_beta1",
            "adam_beta2",
            "adam_weight_decay",
            "adam_epsilon",
            "max_grad_norm",
            "gradient_accumulation_steps",
            "mixed_precision",
            "allow_tf32",
            "use_8bit_adam",
            "gradient_checkpointing",
            "text_dropout_prob",
            "mask_dropout_prob",
            "sketch_dropout_prob",
            "snr_gamma",
            "dataloader_num_workers",
            "optimizer_set_to_none",
            "enable_xformers*",
            "use_ema",
            "ema_decay",
        ],
    ),
    (
        "logging",
        &[
            "report_to",
            "checkpointing_steps",
            "validation_steps",
            "num_validation_images",
            "validation_prompts",
            "log_level",
        ],
    ),
    ("sampling", &["scheduler_type"]),
    ("vae", &["scaling_factor", "shift"]),
];

/// Keys that change nothing here, and why a reader may have expected otherwise.
const WITHOUT_EFFECT: [&str; 8] = [
    "conditioning.dit_additional_in_channels",
    "dit.use_cross_attn",
    "dit.attention",
    "training.allow_tf32",
    "training.optimizer_set_to_none",
    "training.dataloader_num_workers",
    "logging.report_to",
    "sampling.scheduler_type",
];

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
    if text.contains("diffusion") {
        Objective::Diffusion
    } else {
        Objective::Flow
    }
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
    let tree = parse(text).map_err(bad)?;
    check_keys(&tree).map_err(bad)?;
    let file = File { tree: &tree };
    build(&file, path, objective, ranks, heldout).map_err(|error| match error {
        Wrong::Value(what) => bad(what),
        Wrong::Engine(error) => error,
    })
}

/// Compares every key with the known ones.
fn check_keys(tree: &Node) -> Result<(), String> {
    let sections: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    for (section, line, node) in tree.entries() {
        let Some((_, known)) = KEYS.iter().find(|(name, _)| *name == section) else {
            return Err(unknown(section, *line, &sections));
        };
        for (key, line, _) in node.entries() {
            let fits = |pattern: &&str| match pattern.split_once('*') {
                Some(("", end)) => key.ends_with(end),
                Some((start, _)) => key.starts_with(start),
                None => key == *pattern,
            };
            if !known.iter().any(fits) {
                return Err(unknown(&format!("{section}.{key}"), *line, known));
            }
        }
    }
    Ok(())
}

fn unknown(key: &str, line: usize, known: &[&str]) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let hint = match similar(last, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "no key like it is known".into(),
    };
    format!("line {line}: unknown key `{key}`: {hint}")
}

/// What can be wrong beside the keys.
enum Wrong {
    Value(String),
    Engine(Error),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

struct File<'a> {
    tree: &'a Node,
}

impl File<'_> {
    /// A value by `section.key`; an empty one and `null` count as absent.
    fn text(&self, key: &str) -> Option<&str> {
        let (section, key) = key.split_once('.')?;
        self.tree.get(section)?.get(key)?.scalar()
    }

    fn value<T: std::str::FromStr>(&self, key: &str, kind: &str) -> Result<Option<T>, Wrong> {
        self.text(key)
            .map(|text| {
                text.replace('_', "")
                    .parse()
                    .map_err(|_| Wrong::Value(format!("`{key}: {text}` is not {kind}")))
            })
            .transpose()
    }

    fn whole(&self, key: &str) -> Result<Option<u64>, Wrong> {
        self.value(key, "a whole number")
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, Wrong> {
        Ok(self.value(key, "a number")?.unwrap_or(default))
    }

    fn switch(&self, key: &str, default: bool) -> Result<bool, Wrong> {
        match self.text(key).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("true" | "yes" | "on") => Ok(true),
            Some("false" | "no" | "off") => Ok(false),
            Some(other) => Err(Wrong::Value(format!(
                "`{key}: {other}` is neither true nor false"
            ))),
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }
}

fn build(
    file: &File<'_>,
    path: &Path,
    objective: Objective,
    ranks: usize,
    heldout: usize,
) -> Result<Imported, Wrong> {
    let mut notes = Vec::new();
    let whole = |key: &str, default: u64| Ok::<u64, Wrong>(file.whole(key)?.unwrap_or(default));
    let dit = DitConfig {
        hidden: whole("dit.hidden_size", 1152)? as usize,
        depth: whole("dit.depth", 28)? as usize,
        heads: whole("dit.num_heads", 16)? as usize,
        mlp_ratio: file.number("dit.mlp_ratio", 4.0)?,
        patch: whole("dit.patch_size", 2)? as usize,
        channels: whole("dit.in_channels", 32)? as usize,
        learn_sigma: file.switch("dit.learn_sigma", false)?,
        objective,
        ..DitConfig::paper()
    };
    dit.check()
        .map_err(|what| Wrong::Value(format!("section dit: {what}")))?;
    let accumulation = whole("training.gradient_accumulation_steps", 1)?.max(1) as usize;
    let each = whole("training.train_batch_size", 32)? as usize;
    let batch = each * accumulation * ranks;
    notes.push(format!(
        "global batch {batch} = {ranks} process{} × {accumulation} part{} × train_batch_size {each}",
        if ranks == 1 { "" } else { "es" },
        if accumulation == 1 { "" } else { "s" },
    ));
    let schedule = match file.text("training.lr_scheduler").unwrap_or("cosine") {
        "cosine" => Schedule::Cosine,
        "linear" => Schedule::Linear,
        "constant" | "constant_with_warmup" => Schedule::Constant,
        other => {
            return Err(Wrong::Value(format!(
                "`training.lr_scheduler: {other}`: cosine, linear, constant are known"
            )));
        }
    };
    let base = file.number("training.learning_rate", 1e-4)?;
    let forced: Option<f64> = file.value("training.force_lr", "a number")?;
    if let Some(forced) = forced {
        notes.push(format!(
            "force_lr {forced:e} takes the place of learning_rate {base:e}"
        ));
    }
    let mask = file.number("training.mask_dropout_prob", 0.05)?;
    let sketch = file.number("training.sketch_dropout_prob", 0.05)?;
    if mask != sketch {
        return Err(Wrong::Value(format!(
            "mask_dropout_prob {mask} and sketch_dropout_prob {sketch} differ: one value for both is supported"
        )));
    }
    let text = file.number("training.text_dropout_prob", 0.05)? as f32;
    let precision = match file.text("training.mixed_precision").unwrap_or("bf16") {
        "no" | "false" | "fp32" => Precision::Exact,
        "bf16" | "fp16" => Precision::Fast,
        other => {
            return Err(Wrong::Value(format!(
                "`training.mixed_precision: {other}`: no, fp16, bf16 are known"
            )));
        }
    };
    let gamma: Option<f64> = file.value("training.snr_gamma", "a number")?;
    let ema = if file.switch("training.use_ema", true)? {
        file.number("training.ema_decay", 0.9999)?
    } else {
        0.0
    };
    let steps = file
        .whole("training.max_train_steps")?
        .filter(|steps| *steps > 0);
    let epochs = match steps {
        Some(_) => None,
        None => Some(whole("training.num_train_epochs", 300)?),
    };
    let checkpoint = whole("logging.checkpointing_steps", 500)?.max(1);
    let validation = whole("logging.validation_steps", checkpoint)?.max(1);
    for key in WITHOUT_EFFECT {
        let (section, name) = key.split_once('.').unwrap_or((key, ""));
        if file
            .tree
            .get(section)
            .and_then(|node| node.get(name))
            .is_some()
        {
            notes.push(format!("{key} has no effect"));
        }
    }
    let name = path.file_stem().map_or_else(
        || "upstream".into(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let config = Config {
        name,
        model: Model::Custom(dit),
        resolution: file
            .whole("model.resolution")?
            .or(file.whole("data.resolution")?)
            .unwrap_or(256) as usize,
        variants: 1,
        seed: whole("training.seed", 42)?,
        batch,
        accumulation,
        steps: steps.unwrap_or(0),
        epochs,
        optimizer: OptimizerConfig {
            moments: if file.switch("training.use_8bit_adam", false)? {
                Moments::Bits8
            } else {
                Moments::F32
            },
            beta1: file.number("training.adam_beta1", 0.9)?,
            beta2: file.number("training.adam_beta2", 0.999)?,
            epsilon: file.number("training.adam_epsilon", 1e-8)?,
            weight_decay: file.number("training.adam_weight_decay", 0.01)?,
            max_grad_norm: Some(file.number("training.max_grad_norm", 0.5)?),
        },
        rate: RateConfig {
            base: forced.unwrap_or(base),
            schedule,
            warmup: whole("training.lr_warmup_steps", 0)?,
            cooldown: None,
        },
        ema_decay: ema,
        time: Default::default(),
        min_snr_gamma: gamma.filter(|gamma| *gamma > 0.0),
        dropout: Dropout {
            condition: mask as f32,
            text,
            pooled: text,
        },
        precision,
        block_checkpointing: file.switch("training.gradient_checkpointing", false)?,
        every: Every {
            log: 50,
            heldout: validation,
            checkpoint,
            keep: 3,
            sample: Some(validation),
        },
    };
    config.check()?;
    let switch = file.switch("training.is_progressive_switch", false)?;
    let init_from = file.path("training.source_checkpoint_256").or_else(|| {
        switch
            .then(|| file.path("training.resume_from_checkpoint"))
            .flatten()
    });
    Ok(Imported {
        config,
        source: source(file, heldout)?,
        out: file.path("training.output_dir"),
        init_from,
        notes,
    })
}

/// The data sets that the file names.
fn source(file: &File<'_>, heldout: usize) -> Result<Option<Source>, Wrong> {
    if file.text("conditioning.method") == Some("concat_latent")
        && let Some(root) = file.path("data.latents_root")
        && root.is_dir()
    {
        return Ok(Some(Source::Folders(
            Layout::discover(&root, None)?,
            heldout,
        )));
    }
    let mut layouts = Vec::new();
    let suffix = |section: &str, kind: &str| {
        file.text(&format!("{section}.{kind}_suffix"))
            .unwrap_or_default()
            .to_owned()
    };
    let suffixes = |section: &str| ["image", "mask", "sketch"].map(|kind| suffix(section, kind));
    if let Some(root) = file.path("data.data_root") {
        let below = |key: &str, default: &str| root.join(file.text(key).unwrap_or(default));
        layouts.push(Layout {
            name: "CelebA-HQ".into(),
            photos: below("data.image_folder", "images"),
            masks: below("data.mask_folder", "masks"),
            sketches: below("data.sketch_folder", "sketches"),
            captions: file
                .path("data.text_root")
                .unwrap_or_else(|| root.join("text")),
            suffixes: suffixes("data"),
            form: Form::Foreign,
        });
    }
    if let Some(root) = file.path("ffhq_data.data_root") {
        layouts.push(Layout {
            name: "FFHQ".into(),
            masks: file
                .path("ffhq_data.mask_data_root")
                .unwrap_or_else(|| root.join("masks")),
            sketches: file
                .path("ffhq_data.sketch_data_root")
                .unwrap_or_else(|| root.join("sketches")),
            captions: file
                .path("ffhq_data.text_root")
                .unwrap_or_else(|| root.join("text")),
            photos: root,
            suffixes: suffixes("ffhq_data"),
            form: Form::Foreign,
        });
    }
    Ok((!layouts.is_empty()).then_some(Source::Folders(layouts, heldout)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

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
        assert!(config.block_checkpointing);
        config.count_steps(94_000);
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
