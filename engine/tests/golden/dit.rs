//! Transformer kinds: whole model, one block, RoPE, time features, gradients.

use std::collections::HashMap;

use anyhow::Context as _;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use mmface_engine::job::Objective;
use mmface_engine::kernels::{self, RopeTable, Route};
use mmface_engine::model::dit::{Attention, Block, Dit, DitConfig, DitInput, time_features};
use mmface_engine::model::rope::{self, TextRope};
use mmface_engine::model::{LoadOptions, linear::Linear};
use mmface_tests::golden::{Fixture, Report};
use serde_json::Value;

fn number(config: &Value, key: &str) -> anyhow::Result<usize> {
    let value = config[key]
        .as_u64()
        .with_context(|| format!("config lacks {key}"))?;
    Ok(usize::try_from(value)?)
}

fn text_rope(config: &Value) -> TextRope {
    if config["text_rope"] == "sequential" {
        TextRope::Sequential
    } else {
        TextRope::Zero
    }
}

/// The transformer's configuration in the fixtures' spelling.
pub(crate) fn dit_config(config: &Value) -> anyhow::Result<DitConfig> {
    let flag = |key: &str, default: bool| config[key].as_bool().unwrap_or(default);
    Ok(DitConfig {
        hidden: number(config, "hidden")?,
        depth: number(config, "depth")?,
        heads: number(config, "heads")?,
        mlp_ratio: config["mlp_ratio"].as_f64().unwrap_or(4.0),
        patch: number(config, "patch")?,
        channels: number(config, "in_channels")?,
        text_dim: number(config, "text_dim")?,
        objective: if config["objective"] == "diffusion" {
            Objective::Diffusion
        } else {
            Objective::Flow
        },
        text_rope: text_rope(config),
        modality_embedder: flag("modality_embedder", true),
        dual_stream: flag("dual_stream", true),
        rope: flag("rope", true),
        learn_sigma: flag("learn_sigma", false),
    })
}

fn builder(tensors: HashMap<String, Tensor>) -> VarBuilder<'static> {
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

/// Inference and training load the weights differently, and each runs by either route; all must give
/// the reference's numbers.
fn all_modes() -> [LoadOptions; 4] {
    [
        LoadOptions::frozen(Route::Fused),
        LoadOptions::trainable(Route::Fused),
        LoadOptions::frozen(Route::Composed),
        LoadOptions::trainable(Route::Composed),
    ]
}

fn variables(fixture: &Fixture) -> anyhow::Result<HashMap<String, Var>> {
    fixture
        .weights()
        .into_iter()
        .map(|(name, tensor)| Ok((name, Var::from_tensor(&tensor)?)))
        .collect()
}

fn tensors(variables: &HashMap<String, Var>) -> HashMap<String, Tensor> {
    variables
        .iter()
        .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
        .collect()
}

struct Inputs {
    latent: Tensor,
    time: Tensor,
    pooled: Tensor,
    sequence: Tensor,
    modality: Tensor,
}

impl Inputs {
    fn read(fixture: &Fixture) -> anyhow::Result<Self> {
        Ok(Self {
            latent: fixture.input("x")?,
            time: fixture.input("t")?.to_dtype(DType::F32)?,
            pooled: fixture.input("pooled")?,
            sequence: fixture.input("seq")?,
            modality: fixture.input("modality")?.to_dtype(DType::U32)?,
        })
    }

    fn get(&self) -> DitInput<'_> {
        DitInput {
            latent: &self.latent,
            time: &self.time,
            pooled: &self.pooled,
            sequence: &self.sequence,
            modality: &self.modality,
        }
    }
}

pub(crate) fn forward(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = dit_config(fixture.config())?;
    let inputs = Inputs::read(fixture)?;
    for options in all_modes() {
        let dit = Dit::load(
            builder(tensors(&variables(fixture)?)),
            config.clone(),
            options,
        )?;
        let condition = dit.condition(&inputs.time, &inputs.pooled, &inputs.modality)?;
        report.compare("c", &condition, &fixture.output("c")?)?;
        report.compare("y", &dit.forward(&inputs.get())?, &fixture.output("y")?)?;
    }
    Ok(())
}

fn grid_rope(
    config: &DitConfig,
    grid: usize,
    text_tokens: usize,
) -> anyhow::Result<Option<RopeTable>> {
    if !config.rope {
        return Ok(None);
    }
    Ok(Some(rope::table(
        &rope::positions(grid, text_tokens, config.text_rope),
        config.head_dim(),
        &Device::Cpu,
    )?))
}

pub(crate) fn block(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = dit_config(fixture.config())?;
    let (image, text, condition) = (
        fixture.input("image")?,
        fixture.input("text")?,
        fixture.input("c")?,
    );
    let rope = grid_rope(&config, number(fixture.config(), "grid")?, text.dim(1)?)?;
    for options in all_modes() {
        let block = Block::load(&builder(tensors(&variables(fixture)?)), &config, options)?;
        let modulation = block.modulation(&condition)?;
        report.compare("modulation", &modulation, &fixture.output("modulation")?)?;
        let text_chunk = if config.dual_stream { 6 } else { 0 };
        let normalise = |x: &Tensor, chunk| {
            let LoadOptions {
                precision, route, ..
            } = options;
            kernels::layer_norm_modulate(x, &modulation, chunk, chunk + 1, precision, route)
        };
        let (attn_image, attn_text) = block.attention().forward(
            &normalise(&image, 0)?,
            &normalise(&text, text_chunk)?,
            rope.as_ref(),
        )?;
        report.compare("attn_image", &attn_image, &fixture.output("attn_image")?)?;
        report.compare("attn_text", &attn_text, &fixture.output("attn_text")?)?;
        let (new_image, new_text) = block.forward(&image, &text, &modulation, rope.as_ref())?;
        report.compare("image", &new_image, &fixture.output("image")?)?;
        report.compare("text", &new_text, &fixture.output("text")?)?;
    }
    Ok(())
}

pub(crate) fn rope(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = fixture.config();
    let positions = rope::positions(
        number(config, "grid")?,
        number(config, "text_tokens")?,
        text_rope(config),
    );
    let flat: Vec<i64> = positions
        .iter()
        .flat_map(|(r, c)| {
            [
                i64::try_from(*r).unwrap_or(-1),
                i64::try_from(*c).unwrap_or(-1),
            ]
        })
        .collect();
    let flat = Tensor::from_vec(flat, (positions.len(), 2), &Device::Cpu)?;
    report.compare_within("positions", &flat, &fixture.output("positions")?, 0.0)?;
    let table = rope::table(&positions, number(config, "head_dim")?, &Device::Cpu)?;
    report.compare("cos", &table.cos, &fixture.output("cos")?)?;
    report.compare("sin", &table.sin, &fixture.output("sin")?)?;
    let query = fixture.input("q")?.transpose(1, 2)?.contiguous()?;
    let rotated = kernels::plain::rotate(&query, &table)?.transpose(1, 2)?;
    report.compare("q", &rotated, &fixture.output("q")?)
}

pub(crate) fn timestep_embedding(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let scale = fixture.config()["scale"].as_f64().unwrap_or(1.0);
    let time = (fixture.input("t")?.to_dtype(DType::F32)? * scale)?;
    let features = time_features(&time)?;
    let names = fixture.names("out");
    let weights = fixture.weights();
    if weights.is_empty() {
        return report.compare("y", &features, &fixture.output("y")?);
    }
    let layer = |name: &str| -> anyhow::Result<Linear> {
        // Prefixes differ between fixtures; the layer's index does not.
        let get = |part: &str| {
            let ending = format!("{name}.{part}");
            weights
                .iter()
                .find(|(key, _)| key.ends_with(&ending))
                .map(|(_, t)| t.clone())
                .context(ending)
        };
        Ok(Linear::new(
            get("weight")?,
            Some(get("bias")?),
            LoadOptions::frozen(Route::Fused),
        )?)
    };
    let y = layer("2")?.forward(&layer("0")?.forward(&features)?.silu()?)?;
    for name in names {
        let value = if fixture.output(&name)?.dim(1)? == features.dim(1)? && name != "y" {
            &features
        } else {
            &y
        };
        report.compare(&name, value, &fixture.output(&name)?)?;
    }
    Ok(())
}

/// Gradient of `sum(a · ga) + sum(b · gb)` with respect to inputs and variables, by either route.
pub(crate) fn gradients(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    for route in [Route::Fused, Route::Composed] {
        gradients_by(route, fixture, report)?;
    }
    Ok(())
}

/// What fused branches leave of a weight's gradient; the composed route leaves nothing.
type LeftGradients = Box<dyn Fn(&Tensor) -> Option<Tensor>>;

fn gradients_by(route: Route, fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = dit_config(fixture.config())?;
    let variables = variables(fixture)?;
    let vb = builder(tensors(&variables));
    let options = LoadOptions::trainable(route);
    let mut left: LeftGradients = Box::new(|_| None);
    let case = fixture
        .file
        .trim_end_matches(".safetensors")
        .rsplit("__")
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut inputs: Vec<(&str, Var)> = Vec::new();
    for name in ["image", "text", "c", "x", "pooled", "seq"] {
        if fixture.output(&format!("d_{name}")).is_ok() {
            inputs.push((name, Var::from_tensor(&fixture.input(name)?)?));
        }
    }
    let input = |name: &str| -> anyhow::Result<Tensor> {
        match inputs.iter().find(|(n, _)| *n == name) {
            Some((_, var)) => Ok(var.as_tensor().clone()),
            None => fixture.input(name),
        }
    };
    let loss = if case.starts_with("dit") && fixture.input("x").is_ok() {
        let dit = Dit::load(vb, config, options)?;
        let (latent, pooled, sequence) = (input("x")?, input("pooled")?, input("seq")?);
        let time = fixture.input("t")?.to_dtype(DType::F32)?;
        let modality = fixture.input("modality")?.to_dtype(DType::U32)?;
        let y = dit.forward(&DitInput {
            latent: &latent,
            time: &time,
            pooled: &pooled,
            sequence: &sequence,
            modality: &modality,
        })?;
        if let Ok(expected) = fixture.output("y") {
            report.compare("y", &y, &expected)?;
        }
        left = Box::new(move |weight| dit.take_leaf_gradient(weight));
        (y * fixture.input("g_y")?)?.sum_all()?
    } else {
        let (image, text) = (input("image")?, input("text")?);
        let rope = grid_rope(&config, number(fixture.config(), "grid")?, text.dim(1)?)?;
        let (y_image, y_text) = if fixture.input("c").is_ok() {
            let block = Block::load(&vb, &config, options)?;
            let modulation = block.modulation(&input("c")?)?;
            let outputs = block.forward(&image, &text, &modulation, rope.as_ref())?;
            left = Box::new(move |weight| block.take_leaf_gradient(weight));
            outputs
        } else {
            Attention::load(&vb.pp("attn"), &config, options)?.forward(
                &image,
                &text,
                rope.as_ref(),
            )?
        };
        report.compare("image", &y_image, &fixture.output("image")?)?;
        report.compare("text", &y_text, &fixture.output("text")?)?;
        ((y_image * fixture.input("g_image")?)?.sum_all()?
            + (y_text * fixture.input("g_text")?)?.sum_all()?)?
    };
    let gradients = loss.backward()?;
    for (name, var) in &inputs {
        let gradient = gradients
            .get(var)
            .with_context(|| format!("no gradient of {name}"))?;
        report.compare(
            &format!("d_{name}"),
            gradient,
            &fixture.output(&format!("d_{name}"))?,
        )?;
    }
    for name in fixture.names("out") {
        let Some(parameter) = name.strip_prefix("d.") else {
            continue;
        };
        let var = variables
            .get(parameter)
            .with_context(|| format!("no variable {parameter}"))?;
        let expected = fixture.output(&name)?;
        let gradient = match (gradients.get(var), left(var)) {
            (Some(gradient), Some(left)) => (gradient + left)?,
            (Some(gradient), None) => gradient.clone(),
            (None, Some(left)) => left,
            (None, None) => expected.zeros_like()?,
        };
        report.compare(&name, &gradient, &expected)?;
    }
    Ok(())
}
