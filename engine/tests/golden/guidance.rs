//! Guidance: the combination alone, and around a transformer.

use anyhow::Context as _;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mmface_engine::kernels::Route;
use mmface_engine::model::LoadOptions;
use mmface_engine::model::dit::{Dit, DitInput};
use mmface_engine::sampling::guidance;
use mmface_tests::golden::{Fixture, Report};

use crate::dit::dit_config;

/// One output a scale, or the guided output of a whole model.
pub(crate) fn run(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    if fixture.input("z").is_ok() {
        return model(fixture, report);
    }
    let (uncond, cond) = (fixture.input("uncond")?, fixture.input("cond")?);
    let scales = fixture.input("scales")?.to_vec1::<f32>()?;
    for (i, scale) in scales.into_iter().enumerate() {
        let name = format!("y{i}");
        let guided = guidance::combine(&uncond, &cond, f64::from(scale))?;
        report.compare(&name, &guided, &fixture.output(&name)?)?;
    }
    Ok(())
}

/// One batch of both branches: only the text differs between them.
pub(crate) fn guided_output(
    dit: &Dit,
    fixture: &Fixture,
    latent: &Tensor,
    time: f64,
    weight: f64,
) -> anyhow::Result<Tensor> {
    let twice = |name: &str| -> anyhow::Result<Tensor> {
        let value = fixture.input(name)?;
        Ok(Tensor::cat(&[&value, &value], 0)?)
    };
    let text = |name: &str| -> anyhow::Result<Tensor> {
        let uncond = fixture.input(&format!("{name}_uncond"))?;
        Ok(Tensor::cat(
            &[uncond, fixture.input(&format!("{name}_cond"))?],
            0,
        )?)
    };
    let latents = Tensor::cat(&[latent, latent], 0)?;
    let output = dit.forward(&DitInput {
        latent: &Tensor::cat(&[&latents, &twice("cond_latent")?], 1)?,
        time: &Tensor::full(time as f32, 2, &Device::Cpu)?,
        pooled: &text("pooled")?,
        sequence: &text("seq")?,
        modality: &twice("modality")?.to_dtype(DType::U32)?,
    })?;
    Ok(guidance::combine_halves(&output, weight)?)
}

/// The transformer of a fixture; names of other parts are left alone.
pub(crate) fn load(
    fixture: &Fixture,
    config: &serde_json::Value,
    prefix: &str,
    route: Route,
) -> anyhow::Result<Dit> {
    let builder = VarBuilder::from_tensors(fixture.weights(), DType::F32, &Device::Cpu);
    let builder = if prefix.is_empty() {
        builder
    } else {
        builder.pp(prefix)
    };
    Ok(Dit::load(
        builder,
        dit_config(config)?,
        LoadOptions::frozen(route),
    )?)
}

fn model(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = fixture.config();
    let weight = config["guidance"].as_f64().context("no guidance")?;
    let time = f64::from(fixture.input("t")?.to_vec1::<f32>()?[0]);
    for route in [Route::Fused, Route::Composed] {
        let dit = load(fixture, config, "", route)?;
        let actual = guided_output(&dit, fixture, &fixture.input("z")?, time, weight)?;
        report.compare("y", &actual, &fixture.output("y")?)?;
    }
    Ok(())
}
