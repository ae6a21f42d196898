//! Noise kinds: torch's CPU generator and the diffusion schedule.

use anyhow::{Context as _, ensure};
use candle_core::{DType, Device, Tensor};
use mmface_engine::sampling::{NoiseSchedule, TorchGenerator, torch_randn};
use mmface_tests::golden::{Fixture, Report};

/// Draws after one seed, named `seed{S}_{what}` by the fixture.
pub(crate) fn torch(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let device = &Device::Cpu;
    for name in fixture.names("out") {
        let expected = fixture.output(&name)?;
        let (seed, what) = name
            .strip_prefix("seed")
            .and_then(|rest| rest.split_once('_'))
            .with_context(|| format!("cannot read the name {name}"))?;
        let seed: u64 = seed.parse()?;
        let mut generator = TorchGenerator::new(seed);
        let count = expected.elem_count();
        let actual = if let Some(bound) = what.strip_prefix("randint") {
            let bound = bound.split('_').next().unwrap_or_default().parse()?;
            let values = generator.randint(bound, count);
            let equal = values == expected.to_vec1::<i64>()?;
            ensure!(equal, "{name}: integers must be equal");
            Tensor::from_vec(values, count, device)?
        } else if what.starts_with("rand") {
            let values = generator.rand(count);
            ensure!(
                values == expected.to_vec1::<f32>()?,
                "{name}: uniform values must be equal"
            );
            Tensor::from_vec(values, count, device)?
        } else if what == "two_draws_b" {
            generator.randn(
                fixture
                    .output(&format!("seed{seed}_two_draws_a"))?
                    .elem_count(),
            );
            Tensor::from_vec(generator.randn(count), count, device)?
        } else {
            torch_randn(seed, expected.dims(), device)?
        };
        report.compare(&name, &actual, &expected)?;
    }
    Ok(())
}

/// Betas, signal-to-noise ratios, Min-SNR weights, noisy latents and velocities.
pub(crate) fn schedule(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let config = fixture.config();
    let number = |key: &str| config[key].as_f64().with_context(|| format!("no {key}"));
    let steps = number("num_train_timesteps")? as usize;
    let schedule = NoiseSchedule::scaled_linear(number("beta_start")?, number("beta_end")?, steps);
    ensure!(
        schedule == NoiseSchedule::default(),
        "the default is another schedule"
    );
    let gamma = number("gamma")?;
    let row = |values: Vec<f32>| Tensor::from_vec(values, steps, &Device::Cpu);
    let of_time = |f: &dyn Fn(usize) -> f64| row((0..steps).map(|t| f(t) as f32).collect());

    report.compare(
        "betas",
        &row(schedule.betas().to_vec())?,
        &fixture.output("betas")?,
    )?;
    let alphas = row(schedule.alphas_cumprod().to_vec())?;
    report.compare(
        "alphas_cumprod",
        &alphas,
        &fixture.output("alphas_cumprod")?,
    )?;
    // The ratio spans seven orders of magnitude: each entry is compared with itself.
    let snr = of_time(&|t| schedule.snr(t))?;
    let relative = (&snr / fixture.output("snr")?)?;
    report.compare_within("snr, entry by entry", &relative, &snr.ones_like()?, 1e-3)?;
    let weight = of_time(&|t| schedule.min_snr_weight(t, gamma))?;
    report.compare(
        "min_snr_weight",
        &weight,
        &fixture.output("min_snr_weight")?,
    )?;

    let timesteps: Vec<usize> = fixture
        .input("t")?
        .to_dtype(DType::I64)?
        .to_vec1::<i64>()?
        .iter()
        .map(|&t| t as usize)
        .collect();
    let (x, noise) = (fixture.input("x")?, fixture.input("noise")?);
    let noisy = schedule.add_noise(&x, &noise, &timesteps)?;
    report.compare("noisy", &noisy, &fixture.output("noisy")?)?;
    let velocity = schedule.velocity(&x, &noise, &timesteps)?;
    report.compare("velocity", &velocity, &fixture.output("velocity")?)
}
