//! Sampler kinds: whole runs on a toy model, and guidance.

use anyhow::{Context as _, bail};
use candle_core::{DType, Device, Tensor};
use mmface_engine::job::Sampler;
use mmface_engine::sampling::{NoiseSchedule, Walk};
use mmface_tests::golden::{Fixture, Report};

/// The trajectory of m(x, τ) = a·x + b·τ·k, and the times that it was asked at.
pub(crate) fn run(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = fixture.config();
    let number = |key: &str| config[key].as_f64().with_context(|| format!("no {key}"));
    let (steps, a, b) = (number("steps")? as usize, number("a")?, number("b")?);
    let (sampler, unit) = match config["sampler"].as_str() {
        Some("flow_euler") => (Sampler::Euler, 1.0),
        Some("flow_heun") => (Sampler::Heun, 1.0),
        Some("dpmpp_2m") => (Sampler::DpmPp2M, 1000.0),
        Some("ddim") => (Sampler::Ddim, 1000.0),
        Some("unipc") => (Sampler::UniPc, 1000.0),
        other => bail!("unknown sampler {other:?}"),
    };
    let k = fixture.input("k")?;
    let x = fixture.input("x")?;
    let mut walk = Walk::new(sampler, steps, &NoiseSchedule::default(), x.clone())?;
    let mut trajectory = vec![x];
    while let Some(evaluation) = walk.next() {
        let output = ((walk.input() * a)? + (&k * (b * evaluation.time / unit))?)?;
        if walk.advance(&output)? {
            trajectory.push(walk.latent().clone());
        }
    }
    let trajectory = Tensor::stack(&trajectory, 0)?;
    report.compare("trajectory", &trajectory, &fixture.output("trajectory")?)?;

    // The fixture lists one time a step, at which the step starts.
    let per_step = walk.times().len() / steps;
    let starts: Vec<f32> = walk
        .times()
        .iter()
        .step_by(per_step)
        .map(|&t| t as f32)
        .collect();
    let starts = Tensor::from_vec(starts, steps, &Device::Cpu)?;
    match fixture.output("t") {
        Ok(times) => report.compare("t", &starts, &times),
        Err(_) => {
            let timesteps = fixture.output("timesteps")?.to_dtype(DType::F32)?;
            report.compare_within("timesteps", &starts, &timesteps, 0.0)
        }
    }
}
