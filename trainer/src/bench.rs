//! Timing of a training step, with the fields of the PyTorch reference.

use std::time::Instant;

use candle_core::{Device, Tensor};
use mmface_engine::kernels::{Precision, Route};
use mmface_engine::model::dit::DitConfig;
use mmface_engine::{Error, Result};
use serde::Serialize;

use crate::config::{Checkpointing, OptimizerConfig};
use crate::data::batches::Batch;
use crate::model;
use crate::rng::{Purpose, fill_normal, stream};
use crate::step::{Settings, Training};

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// What was timed.
    pub what: &'static str,
    /// The preset.
    pub config: String,
    /// Side of the pictures.
    pub size: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// `f32` or `bf16` (products in bf16, sums and weights in f32).
    pub dtype: &'static str,
    /// Where.
    pub device: &'static str,
    /// Threads of the pool.
    pub threads: usize,
    /// Steps timed.
    pub runs: usize,
    /// Median of the steps in seconds.
    pub median_s: f64,
    /// Fastest step in seconds.
    pub min_s: f64,
    /// Largest memory of the process.
    pub peak_rss_mb: f64,
    /// Trained parameters.
    pub params: usize,
    /// Which blocks were computed again in the backward pass.
    pub checkpointing: Checkpointing,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Case {
    /// `demo`, `paper` or `tiny`.
    pub config: String,
    /// Side of the pictures.
    pub size: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// Arithmetic of the products.
    pub precision: Precision,
    /// Steps to time, after one that is not.
    pub runs: usize,
    /// Which blocks are computed again in the backward pass.
    pub checkpointing: Checkpointing,
}

/// Times whole updates: gradients, clipping at 0.5, AdamW, average.
///
/// # Errors
/// On an unknown preset or impossible sizes.
pub fn bench_train_step(case: &Case) -> Result<Timing> {
    let (dit, tokens) = match case.config.as_str() {
        "demo" => (DitConfig::demo(), 48),
        "paper" => (DitConfig::paper(), 77),
        "tiny" => {
            let tiny = DitConfig {
                hidden: 64,
                depth: 2,
                heads: 4,
                text_dim: 32,
                channels: 8,
                ..DitConfig::paper()
            };
            (tiny, 8)
        }
        other => {
            return Err(Error::Argument(format!(
                "unknown --config {other}; expected demo, paper or tiny"
            )));
        }
    };
    if case.batch == 0
        || case.runs == 0
        || !case.size.is_multiple_of(8 * dit.patch)
        || case.size == 0
    {
        return Err(Error::Argument(format!(
            "--batch and --runs must be at least 1, and --size {} a multiple of {}",
            case.size,
            8 * dit.patch
        )));
    }
    let settings = Settings {
        dit: dit.clone(),
        optimizer: OptimizerConfig::default(),
        ema_decay: 0.9999,
        min_snr_gamma: None,
        precision: case.precision,
        checkpointing: case.checkpointing,
        route: Route::of(&Device::Cpu),
    };
    let parameters = model::initialise(&dit, 1, &Device::Cpu)?;
    let mut training = Training::new(settings, parameters, &Device::Cpu)?;
    let batch = random_batch(&dit, tokens, case.batch, case.size)?;
    let mut times = Vec::new();
    for run in 0..=case.runs {
        let start = Instant::now();
        training.update(&batch, 1e-4)?;
        if run > 0 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(Timing {
        what: "train",
        config: case.config.clone(),
        size: case.size,
        batch: case.batch,
        dtype: if case.precision == Precision::Exact {
            "f32"
        } else {
            "bf16"
        },
        device: "cpu",
        threads: rayon::current_num_threads(),
        runs: case.runs,
        median_s: times[times.len() / 2],
        min_s: times[0],
        peak_rss_mb: mmface_engine::system::memory::peak() as f64 / f64::from(1 << 20),
        params: dit.parameter_count(),
        checkpointing: case.checkpointing,
    })
}

/// A batch of random numbers of the right shapes.
///
/// # Errors
/// When memory does not suffice.
pub fn random_batch(dit: &DitConfig, tokens: usize, count: usize, size: usize) -> Result<Batch> {
    let side = size / 8;
    let mut index = 0;
    let mut normal = |shape: &[usize]| -> Result<Tensor> {
        index += 1;
        let mut values = vec![0.0; shape.iter().product()];
        fill_normal(&mut stream(1, Purpose::Bench, index), &mut values);
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    };
    let latent = [count, dit.channels / 2, side, side];
    let times: Vec<f32> = (0..count)
        .map(|i| (i as f32 + 0.5) / count as f32)
        .collect();
    let modality: Vec<u32> = (0..count as u32).map(|i| i % 2).collect();
    Ok(Batch {
        data: normal(&latent)?,
        condition: normal(&latent)?,
        noise: normal(&latent)?,
        time: Tensor::from_vec(times, count, &Device::Cpu)?,
        pooled: normal(&[count, dit.text_dim])?,
        sequence: normal(&[count, tokens, dit.text_dim])?,
        modality: Tensor::from_vec(modality, count, &Device::Cpu)?,
        drop_pooled: Tensor::from_vec(vec![0f32; count], count, &Device::Cpu)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_tiny_step_is_timed_and_bad_sizes_are_refused() {
        let case = Case {
            config: "tiny".into(),
            size: 32,
            batch: 2,
            precision: Precision::Exact,
            runs: 1,
            checkpointing: Checkpointing::None,
        };
        let timing = bench_train_step(&case).unwrap();
        assert!(timing.median_s > 0.0 && timing.params > 0);
        assert!(
            bench_train_step(&Case {
                size: 30,
                ..case.clone()
            })
            .is_err()
        );
        assert!(
            bench_train_step(&Case {
                config: "huge".into(),
                ..case
            })
            .is_err()
        );
    }
}
