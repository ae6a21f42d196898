//! The text tower under both activations and both end-of-text rules.

use anyhow::Context as _;
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use mmface_engine::kernels::Route;
use mmface_engine::model::LoadOptions;
use mmface_engine::model::clip_text::{ClipText, ClipTextConfig};
use mmface_tests::golden::{Fixture, Report};

/// Runs one fixture.
pub(crate) fn run(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let pad = fixture.config()["pad_in_ids"]
        .as_u64()
        .context("config lacks pad_in_ids")?;
    let config = ClipTextConfig::from_transformers(fixture.config(), u32::try_from(pad)?)
        .map_err(anyhow::Error::msg)?;
    let ids = fixture
        .input("input_ids")?
        .to_dtype(DType::U32)?
        .to_vec2::<u32>()?;
    for options in [
        LoadOptions::frozen(Route::Fused),
        LoadOptions::trainable(Route::Fused),
        LoadOptions::frozen(Route::Composed),
    ] {
        let vb = VarBuilder::from_tensors(fixture.weights(), DType::F32, &Device::Cpu);
        let output = ClipText::load(vb, config.clone(), options)?.outputs(&ids)?;
        for (name, tensor) in [
            ("penultimate", &output.penultimate),
            ("last", &output.last),
            ("pooled", &output.pooled),
        ] {
            report.compare(name, tensor, &fixture.output(name)?)?;
        }
    }
    Ok(())
}
