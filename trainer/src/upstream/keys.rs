//! The keys that the authors' files may hold.

use mmface_engine::format::similar;

use super::yaml::Node;

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
pub(super) const WITHOUT_EFFECT: [&str; 8] = [
    "conditioning.dit_additional_in_channels",
    "dit.use_cross_attn",
    "dit.attention",
    "training.allow_tf32",
    "training.optimizer_set_to_none",
    "training.dataloader_num_workers",
    "logging.report_to",
    "sampling.scheduler_type",
];

/// Compares every key with the known ones.
pub(super) fn check_keys(tree: &Node) -> Result<(), String> {
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
