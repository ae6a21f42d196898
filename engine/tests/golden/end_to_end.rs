//! Whole pictures: guided Euler steps through the pipeline's own loop, then the tiny decoder.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mmface_engine::contract::Cancel;
use mmface_engine::job::{Draw, Job, Sampler};
use mmface_engine::kernels::Route;
use mmface_engine::model::LoadOptions;
use mmface_engine::model::autoencoder_tiny::{AutoencoderTiny, AutoencoderTinyConfig};
use mmface_engine::model::clip_text::TextFeatures;
use mmface_engine::model::dit::Dit;
use mmface_engine::picture::convert;
use mmface_engine::pipeline::sample::{Conditioning, Evaluator, sample};
use mmface_engine::sampling::{NoiseSchedule, Walk};
use mmface_tests::golden::{Fixture, Report};

use crate::dit::dit_config;

fn part(weights: &HashMap<String, Tensor>, prefix: &str) -> VarBuilder<'static> {
    let tensors = weights.iter().filter_map(|(name, tensor)| {
        Some((name.strip_prefix(prefix)?.to_string(), tensor.clone()))
    });
    VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu)
}

/// Kind `end_to_end`, by either route.
pub(crate) fn end_to_end(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    for route in [Route::Fused, Route::Composed] {
        draw(route, fixture, report)?;
    }
    Ok(())
}

fn draw(route: Route, fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = fixture.config();
    let weights = fixture.weights();
    let dit = Dit::load(
        part(&weights, "dit."),
        dit_config(&config["dit"])?,
        LoadOptions::frozen(route),
    )?;
    let tiny: AutoencoderTinyConfig = serde_json::from_value(config["tae"].clone())?;
    let tiny = AutoencoderTiny::load(part(&weights, "tae."), &tiny, route)?;
    let features = |branch: &str| -> anyhow::Result<TextFeatures> {
        Ok(TextFeatures {
            sequence: fixture.input(&format!("seq_{branch}"))?,
            pooled: fixture.input(&format!("pooled_{branch}"))?,
        })
    };
    let modality = fixture
        .input("modality")?
        .to_dtype(DType::U32)?
        .to_vec1::<u32>()?;
    let steps = usize::try_from(config["steps"].as_u64().unwrap_or(1))?;
    let job = Job {
        draw: Draw {
            steps,
            guidance: config["guidance"].as_f64().unwrap_or(1.0),
            ..Draw::default()
        },
        ..Job::default()
    };
    let conditioning = Conditioning {
        latent: &fixture.input("cond_latent")?,
        modality: modality.first().copied().unwrap_or(0),
        prompt: &features("cond")?,
        negative: &features("uncond")?,
    };
    let mut walk = Walk::new(
        Sampler::Euler,
        steps,
        &NoiseSchedule::default(),
        fixture.input("z")?,
    )?;
    let mut evaluator = Evaluator::new(&dit, &conditioning, &job, &walk)?;
    let mut trajectory = vec![walk.latent().clone()];
    let latent = sample(&mut evaluator, &mut walk, &Cancel::new(), |walk| {
        trajectory.push(walk.latent().clone());
        Ok(())
    })?;
    report.compare(
        "trajectory",
        &Tensor::stack(&trajectory, 0)?,
        &fixture.output("trajectory")?,
    )?;
    let shift = config["latent_shift_for_tae"].as_f64().unwrap_or(0.0);
    let decoded = tiny.decode(&(latent - shift)?)?;
    report.compare("decoded", &decoded, &fixture.output("decoded")?)?;
    // Truncation turns a difference of 1e-7 into a level: one level is allowed, two are not.
    let image = convert::from_tensor(&decoded)?;
    let expected = fixture
        .output("image")?
        .flatten_all()?
        .to_dtype(DType::U8)?
        .to_vec1::<u8>()?;
    let most = image
        .pixels
        .iter()
        .zip(&expected)
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    anyhow::ensure!(
        image.pixels.len() == expected.len(),
        "the picture has another size"
    );
    anyhow::ensure!(
        most.unwrap_or(0) <= 1,
        "the picture differs by {most:?} levels"
    );
    Ok(())
}
