//! Learning rate and average over the updates.

use anyhow::Context as _;
use candle_core::{Device, Tensor, Var};
use mmface_engine::kernels::Route;
use mmface_tests::golden::{Fixture, Report};
use mmface_trainer::config::Schedule;
use mmface_trainer::optim::lr_schedule::schedule_multiplier;
use mmface_trainer::optim::{Ema, Parameters};

/// Factors of the first updates, past the end of the run.
pub(crate) fn lr_schedule(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = fixture.config();
    let schedule = match config["name"].as_str() {
        Some("cosine") => Schedule::Cosine,
        Some("linear") => Schedule::Linear,
        Some("constant" | "constant_with_warmup") => Schedule::Constant,
        other => anyhow::bail!("unknown schedule {other:?}"),
    };
    let number = |key: &str| config[key].as_u64().context("config lacks a number");
    let (warmup, total) = (number("warmup")?, number("total")?);
    let expected = fixture.output("multiplier")?;
    let actual: Vec<f64> = (0..expected.elem_count() as u64)
        .map(|update| schedule_multiplier(schedule, update, warmup, total))
        .collect();
    report.compare("multiplier", &Tensor::new(actual, &Device::Cpu)?, &expected)
}

/// Decays of the calls, and the average itself.
pub(crate) fn ema(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let decay = fixture.config()["decay"].as_f64().context("no decay")?;
    let decays: Vec<f64> = fixture
        .input("call")?
        .to_vec1::<i64>()?
        .iter()
        .map(|&call| Ema::decay_of(decay, call as u64))
        .collect();
    report.compare(
        "decay",
        &Tensor::new(decays, &Device::Cpu)?,
        &fixture.output("decay")?,
    )?;

    let (params, shadow) = (fixture.input("params")?, fixture.output("shadow")?);
    for route in [Route::Fused, Route::Composed] {
        let parameters = Parameters::from([("p".to_owned(), Var::from_tensor(&params.get(0)?)?)]);
        let mut ema = Ema::new(decay, &parameters, route)?;
        let mut shadows = Vec::new();
        for call in 0..params.dim(0)? {
            parameters["p"].set(&params.get(call)?)?;
            ema.update(&parameters)?;
            shadows.push(ema.shadow["p"].as_detached_tensor().copy()?);
        }
        report.compare("shadow", &Tensor::stack(&shadows, 0)?, &shadow)?;
    }
    Ok(())
}
