//! AdamW with f32 and with 8-bit moments, by either route.

use anyhow::{Context as _, ensure};
use candle_core::{DType, Device, Tensor, Var};
use mmface_engine::kernels::Route;
use mmface_tests::golden::{Fixture, Report};
use mmface_trainer::config::{Moments, OptimizerConfig};
use mmface_trainer::optim::adamw8bit::{BLOCK, SIGNED, UNSIGNED, quantise_block};
use mmface_trainer::optim::clip::{clip_factor, global_norm};
use mmface_trainer::optim::{AdamW, Gradients, Parameters, StoredMoment};

/// The optimizer's settings in the fixtures' spelling.
pub(crate) fn config(
    config: &serde_json::Value,
    moments: Moments,
) -> anyhow::Result<OptimizerConfig> {
    let number = |key: &str| config[key].as_f64().with_context(|| format!("no {key}"));
    let beta = |index: usize, key: &str| {
        config["betas"][index]
            .as_f64()
            .or(config[key].as_f64())
            .context("no betas")
    };
    Ok(OptimizerConfig {
        moments,
        beta1: beta(0, "beta1")?,
        beta2: beta(1, "beta2")?,
        epsilon: number("eps")?,
        weight_decay: number("weight_decay")?,
        max_grad_norm: config["max_grad_norm"].as_f64(),
    })
}

/// Ten updates of two tensors under one clipping norm.
pub(crate) fn adamw(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    for route in [Route::Fused, Route::Composed] {
        adamw_by(route, fixture, report)?;
    }
    Ok(())
}

fn adamw_by(route: Route, fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let settings = config(fixture.config(), Moments::F32)?;
    let rate = fixture.config()["lr"].as_f64().context("no lr")?;
    let names = ["p0", "p1"];
    let mut parameters = Parameters::new();
    for name in names {
        parameters.insert(name.to_owned(), Var::from_tensor(&fixture.input(name)?)?);
    }
    let mut optimizer = AdamW::new(settings.clone(), route);
    let (mut norms, mut values) = (Vec::new(), [Vec::new(), Vec::new()]);
    for step in 0..fixture.output("grad_norm")?.elem_count() {
        let mut gradients = Gradients::new();
        for (name, gradient) in names.iter().zip(["g0", "g1"]) {
            gradients.insert((*name).to_owned(), fixture.input(gradient)?.get(step)?);
        }
        let norm = global_norm(&gradients, route)?;
        norms.push(norm);
        optimizer.update(
            &parameters,
            &gradients,
            rate,
            clip_factor(norm, settings.max_grad_norm),
        )?;
        for (name, values) in names.iter().zip(&mut values) {
            values.push(parameters[*name].as_detached_tensor().copy()?);
        }
    }
    report.compare(
        "grad_norm",
        &Tensor::new(norms, &Device::Cpu)?,
        &fixture.output("grad_norm")?,
    )?;
    for (name, values) in names.iter().zip(&values) {
        report.compare(name, &Tensor::stack(values, 0)?, &fixture.output(name)?)?;
    }
    Ok(())
}

/// Maps and rounding, or ten updates; which, the fixture's tensors say.
pub(crate) fn adamw8bit(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    if fixture.output("map_signed").is_ok() {
        quantise(fixture, report)
    } else {
        for route in [Route::Fused, Route::Composed] {
            steps(route, fixture, report)?;
        }
        Ok(())
    }
}

fn quantise(fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    for (name, map) in [("signed", &*SIGNED), ("unsigned", &*UNSIGNED)] {
        report.compare(
            "map",
            &Tensor::new(map, &Device::Cpu)?,
            &fixture.output(&format!("map_{name}"))?,
        )?;
        let values = fixture.input(name)?.to_vec1::<f32>()?;
        let (mut codes, mut scales, mut back) = (vec![0u8; values.len()], Vec::new(), Vec::new());
        for (values, codes) in values.chunks(BLOCK).zip(codes.chunks_mut(BLOCK)) {
            let scale = quantise_block(map, values, codes);
            back.extend(codes.iter().map(|&code| map[usize::from(code)] * scale));
            scales.push(scale);
        }
        let output = |part: &str| fixture.output(&format!("{name}_{part}"));
        report.compare(
            "absmax",
            &Tensor::new(scales, &Device::Cpu)?,
            &output("absmax")?,
        )?;
        // Within 1e-6 of a midpoint the code may be the neighbour, says the fixture's note.
        let expected = output("code")?.to_vec1::<u8>()?;
        ensure!(
            codes
                .iter()
                .zip(&expected)
                .all(|(a, b)| a.abs_diff(*b) <= 1),
            "{name}: a code is off by more than one"
        );
        same_bytes(&format!("{name}_code"), &codes, &expected)?;
        let expected = output("back")?.to_vec1::<f32>()?;
        mostly_within(&format!("{name}_back"), &back, &expected, fixture.tolerance)?;
    }
    Ok(())
}

/// A rounding tie may flip single bytes: 99.9 % must be equal.
fn same_bytes(name: &str, actual: &[u8], expected: &[u8]) -> anyhow::Result<()> {
    ensure!(
        actual.len() == expected.len(),
        "{name}: {} codes, expected {}",
        actual.len(),
        expected.len()
    );
    let equal = actual.iter().zip(expected).filter(|(a, b)| a == b).count();
    ensure!(
        equal * 1000 >= actual.len() * 999,
        "{name}: only {equal} of {} codes are equal",
        actual.len()
    );
    Ok(())
}

/// As the fixture's note has it: 99.9 % of the values within the tolerance of the largest.
fn mostly_within(
    name: &str,
    actual: &[f32],
    expected: &[f32],
    tolerance: f64,
) -> anyhow::Result<()> {
    ensure!(
        actual.len() == expected.len(),
        "{name}: {} values, expected {}",
        actual.len(),
        expected.len()
    );
    let scale = expected
        .iter()
        .fold(0f32, |scale, value| scale.max(value.abs()));
    let near = |(a, b): &(&f32, &f32)| f64::from((*a - *b).abs()) <= tolerance * f64::from(scale);
    let count = actual.iter().zip(expected).filter(near).count();
    ensure!(
        count * 1000 >= actual.len() * 999,
        "{name}: only {count} of {} values are within {tolerance}",
        actual.len()
    );
    Ok(())
}

fn steps(route: Route, fixture: &Fixture, report: &mut Report) -> anyhow::Result<()> {
    let rate = fixture.config()["lr"].as_f64().context("no lr")?;
    let mut optimizer = AdamW::new(config(fixture.config(), Moments::Bits8)?, route);
    let mut parameters = Parameters::new();
    for name in ["big", "small"] {
        parameters.insert(name.to_owned(), Var::from_tensor(&fixture.input(name)?)?);
    }
    let gradients = [fixture.input("grad_big")?, fixture.input("grad_small")?];
    let (mut big, mut small) = (Vec::new(), Vec::new());
    for step in 0..gradients[0].dim(0)? {
        let now = [("big", &gradients[0]), ("small", &gradients[1])]
            .into_iter()
            .map(|(name, all)| Ok((name.to_owned(), all.get(step)?)))
            .collect::<candle_core::Result<Gradients>>()?;
        optimizer.update(&parameters, &now, rate, 1.0)?;
        big.push(parameters["big"].as_detached_tensor().copy()?);
        small.push(parameters["small"].as_detached_tensor().copy()?);
        if step == 0 && fixture.output("step1_state1").is_ok() {
            states(fixture, report, &optimizer, "step1_")?;
        }
    }
    let (big, small, expected) = (
        Tensor::stack(&big, 0)?,
        Tensor::stack(&small, 0)?,
        fixture.output("small")?,
    );
    // bitsandbytes' own run keeps only the small tensor's end.
    let small = if expected.rank() == 1 {
        small.get(small.dim(0)? - 1)?
    } else {
        small
    };
    report.compare("small", &small, &expected)?;
    if fixture.output("state1").is_err() {
        return report.compare("big", &big, &fixture.output("big")?);
    }
    states(fixture, report, &optimizer, "")?;
    let values = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
    mostly_within(
        "big",
        &values(&big)?,
        &values(&fixture.output("big")?)?,
        fixture.tolerance,
    )
}

fn states(
    fixture: &Fixture,
    report: &mut Report,
    optimizer: &AdamW,
    prefix: &str,
) -> anyhow::Result<()> {
    let slot = optimizer
        .slots
        .get("big")
        .context("no state of the big tensor")?;
    let StoredMoment::Codes(state) = slot.moment.stored()? else {
        anyhow::bail!("the big tensor's moments are not 8-bit")
    };
    ensure!(
        matches!(
            optimizer.slots["small"].moment.stored()?,
            StoredMoment::Values { .. }
        ),
        "the small tensor's moments are not f32"
    );
    let output = |name: &str| fixture.output(&format!("{prefix}{name}"));
    same_bytes("state1", &state.first, &output("state1")?.to_vec1::<u8>()?)?;
    same_bytes("state2", &state.second, &output("state2")?.to_vec1::<u8>()?)?;
    report.compare(
        "absmax1",
        &Tensor::new(state.first_scale.as_slice(), &Device::Cpu)?,
        &output("absmax1")?,
    )?;
    report.compare(
        "absmax2",
        &Tensor::new(state.second_scale.as_slice(), &Device::Cpu)?,
        &output("absmax2")?,
    )
}
