//! From the authors' values to a configuration and its data sets of ours.

use std::path::Path;

use mmface_engine::format::count;
use mmface_engine::job::Objective;
use mmface_engine::kernels::Precision;
use mmface_engine::model::dit::DitConfig;

use super::Imported;
use super::keys::WITHOUT_EFFECT;
use super::values::{File, Wrong};
use crate::config::{
    Checkpointing, Config, Dropout, Every, Model, Moments, OptimizerConfig, RateConfig, Schedule,
};
use crate::data::folders::Layout;
use crate::data::source::Source;
use crate::data::webdataset::Form;

/// Translates a file whose keys are known.
pub(super) fn build(
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
    // Too large a product is refused with the configuration.
    let batch = each.saturating_mul(accumulation).saturating_mul(ranks);
    notes.push(format!(
        "global batch {batch} = {} × {} × train_batch_size {each}",
        count(ranks as u64, "process"),
        count(accumulation as u64, "part"),
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
    let clip = file.number("training.max_grad_norm", 0.5)?;
    if clip == 0.0 {
        notes.push("max_grad_norm 0: gradients are not clipped".into());
    }
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
            max_grad_norm: Some(clip),
        },
        rate: RateConfig {
            base: forced.unwrap_or(base),
            schedule,
            warmup: whole("training.lr_warmup_steps", 0)?,
            cooldown: None,
        },
        ema_decay: ema,
        time: Default::default(),
        min_snr_gamma: gamma.filter(|gamma| *gamma != 0.0),
        dropout: Dropout {
            condition: mask as f32,
            text,
            pooled: text,
        },
        precision,
        route: None,
        checkpointing: if file.switch("training.gradient_checkpointing", false)? {
            Checkpointing::Full
        } else {
            Checkpointing::None
        },
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
