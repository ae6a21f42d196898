//! The fixtures' spelling of a transformer's shape.

use anyhow::Context as _;
use mmface_engine::job::Objective;
use mmface_engine::model::dit::DitConfig;
use mmface_engine::model::rope::TextRope;

/// Reads the shape from a fixture's configuration.
pub(crate) fn dit_config(config: &serde_json::Value) -> anyhow::Result<DitConfig> {
    let number = |key: &str| -> anyhow::Result<usize> {
        Ok(usize::try_from(
            config[key].as_u64().with_context(|| format!("no {key}"))?,
        )?)
    };
    let flag = |key: &str| config[key].as_bool().with_context(|| format!("no {key}"));
    Ok(DitConfig {
        hidden: number("hidden")?,
        depth: number("depth")?,
        heads: number("heads")?,
        mlp_ratio: config["mlp_ratio"].as_f64().context("no mlp_ratio")?,
        patch: number("patch")?,
        channels: number("in_channels")?,
        text_dim: number("text_dim")?,
        objective: if config["objective"] == "diffusion" {
            Objective::Diffusion
        } else {
            Objective::Flow
        },
        text_rope: if config["text_rope"] == "sequential" {
            TextRope::Sequential
        } else {
            TextRope::Zero
        },
        modality_embedder: flag("modality_embedder")?,
        dual_stream: flag("dual_stream")?,
        rope: flag("rope")?,
        learn_sigma: flag("learn_sigma")?,
    })
}
