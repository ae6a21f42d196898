//! Compares a checkpoint's forward pass with outputs of another implementation, and says how much
//! memory it took:
//!
//! `cargo run --release -p mmface-engine --example check_checkpoint -- MODEL IO.safetensors [f32|bf16|q8_0] [exact|fast]`
//!
//! MODEL is a package or a transformer's weights; IO holds `x`, `t`, `pooled`, `seq`, `modality`,
//! and the expected `y`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use candle_core::{DType, Device, Tensor};
use mmface_engine::kernels::{self, Precision, Storage};
use mmface_engine::model::LoadOptions;
use mmface_engine::model::dit::{Dit, DitInput};
use mmface_engine::weights::upstream::{self, Hints};
use mmface_engine::weights::{Package, Part, TensorFile};

fn main() -> Result<()> {
    // SAFETY: no other thread runs yet.
    unsafe { kernels::setup() };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, io, words @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: check_checkpoint MODEL IO [f32|bf16|q8_0] [exact|fast]");
    };
    let mut options = LoadOptions::for_device(&Device::Cpu);
    for word in words {
        match word.as_str() {
            "f32" => options.storage = Storage::F32,
            "bf16" => options.storage = Storage::Bf16,
            "q8_0" => options.storage = Storage::Q8_0,
            "exact" => options.precision = Precision::Exact,
            "fast" => options.precision = Precision::Fast,
            other => anyhow::bail!("`{other}` is neither storage nor precision"),
        }
    }
    let (file, config) = match Package::open(Path::new(model)) {
        Ok(package) => (package.weights(Part::Dit)?, package.manifest().dit.clone()),
        Err(_) => {
            let file = TensorFile::open(Path::new(model))?;
            let config = upstream::dit_config(&file, Hints::default())?;
            (Arc::new(file), config)
        }
    };
    let started = Instant::now();
    let dit = file.load(
        &Device::Cpu,
        |_, _| true,
        |vb| Dit::load(vb, config, options),
    )?;
    println!(
        "loaded {} parameters in {:.1} s, {}",
        file.parameter_count(),
        started.elapsed().as_secs_f64(),
        memory()?
    );
    let io = candle_core::safetensors::load(io, &Device::Cpu)?;
    let tensor = |name: &str| -> Result<Tensor> {
        Ok(io
            .get(name)
            .with_context(|| format!("no tensor {name}"))?
            .clone())
    };
    let modality = tensor("modality")?.to_dtype(DType::U32)?;
    let started = Instant::now();
    let y = dit.forward(&DitInput {
        latent: &tensor("x")?,
        time: &tensor("t")?,
        pooled: &tensor("pooled")?,
        sequence: &tensor("seq")?,
        modality: &modality,
    })?;
    let expected = tensor("y")?;
    let largest = |t: Tensor| -> Result<f32> { Ok(t.abs()?.max_all()?.to_scalar::<f32>()?) };
    let rms = |t: Tensor| -> Result<f32> { Ok(t.sqr()?.mean_all()?.sqrt()?.to_scalar::<f32>()?) };
    println!(
        "forward {:.1} s, {}\nerror: max {:.2e} of max, RMS {:.2e} of RMS",
        started.elapsed().as_secs_f64(),
        memory()?,
        largest((&y - &expected)?)? / largest(expected.clone())?,
        rms((&y - &expected)?)? / rms(expected)?,
    );
    Ok(())
}

/// What the system says about this process's memory.
fn memory() -> Result<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status.lines().filter(|line| {
        ["VmRSS", "VmHWM", "RssAnon"]
            .iter()
            .any(|key| line.starts_with(key))
    });
    Ok(lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", "))
}
