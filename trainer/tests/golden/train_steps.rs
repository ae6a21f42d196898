//! Five updates of a small transformer under both objectives, by either route and with each kind of
//! checkpointing.

use anyhow::{Context as _, ensure};
use candle_core::{DType, Device, Tensor, Var};
use mmface_engine::kernels::{Precision, Route};
use mmface_tests::golden::{Fixture, Report};
use mmface_trainer::config::{Checkpointing, Moments};
use mmface_trainer::data::batches::Batch;
use mmface_trainer::optim::Parameters;
use mmface_trainer::step::{Settings, Training};

use crate::optimizer;
use crate::shapes::dit_config;

/// The batch of one step.
fn batch(fixture: &Fixture, step: usize) -> anyhow::Result<Batch> {
    let part = |name: &str, dtype: DType| -> anyhow::Result<Tensor> {
        Ok(fixture.input(name)?.get(step)?.to_dtype(dtype)?)
    };
    Ok(Batch {
        data: part("latents", DType::F32)?,
        condition: part("cond", DType::F32)?,
        noise: part("noise", DType::F32)?,
        time: part("t", DType::F32)?,
        pooled: part("pooled", DType::F32)?,
        sequence: part("seq", DType::F32)?,
        modality: part("modality", DType::U32)?,
        drop_pooled: part("drop_pooled", DType::F32)?,
    })
}

/// Losses, norms, final weights and averages.
pub(crate) fn run(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let all = [
        Checkpointing::None,
        Checkpointing::Selective,
        Checkpointing::Full,
    ];
    let both = |checkpointing| [Route::Fused, Route::Composed].map(|route| (route, checkpointing));
    for (route, checkpointing) in all.into_iter().flat_map(both) {
        let training = train(fixture, report, route, checkpointing)?;
        for (name, parameter) in &training.parameters {
            let named = format!("{name}, {route:?}");
            report.compare(&named, parameter, &fixture.output(&format!("w.{name}"))?)?;
            report.compare(
                &named,
                &training.ema.shadow[name],
                &fixture.output(&format!("ema.{name}"))?,
            )?;
        }
    }
    Ok(())
}

fn train(
    fixture: &Fixture,
    report: &mut Report,
    route: Route,
    checkpointing: Checkpointing,
) -> anyhow::Result<Training> {
    let config = fixture.config();
    let settings = Settings {
        dit: dit_config(config)?,
        optimizer: optimizer::config(config, Moments::F32)?,
        ema_decay: config["ema_decay"].as_f64().context("no ema_decay")?,
        min_snr_gamma: config["gamma"].as_f64(),
        precision: Precision::Exact,
        checkpointing,
        route,
    };
    let rate = config["lr"].as_f64().context("no lr")?;
    let mut parameters = Parameters::new();
    for (name, tensor) in fixture.weights() {
        parameters.insert(name, Var::from_tensor(&tensor)?);
    }
    let mut training = Training::new(settings, parameters, &Device::Cpu)?;
    let expected = fixture.output("loss")?;
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for step in 0..expected.elem_count() {
        let outcome = training.update(&batch(fixture, step)?, rate)?;
        ensure!(outcome.applied, "update {step} was skipped");
        losses.push(outcome.loss);
        norms.push(outcome.grad_norm);
    }
    report.compare("loss", &Tensor::new(losses, &Device::Cpu)?, &expected)?;
    report.compare(
        "grad_norm",
        &Tensor::new(norms, &Device::Cpu)?,
        &fixture.output("grad_norm")?,
    )?;
    // These never get a gradient, so neither updates nor decay.
    let without: Vec<&str> = config["no_gradient"]
        .as_array()
        .context("no list")?
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    for name in training.parameters.keys() {
        let updated = training.optimizer.slots.contains_key(name);
        ensure!(
            updated != without.contains(&name.as_str()),
            "{name}: updated is {updated}"
        );
    }
    Ok(training)
}
