//! The time of an update, measured before a run.

use std::time::Instant;

use candle_core::Device;
use mmface_engine::Result;
use mmface_engine::model::dit::DitConfig;
use mmface_run_protocol::plan::Probe;

use crate::bench::random_batch;
use crate::config::Config;
use crate::model;
use crate::optim::Gradients;
use crate::step::{Settings, Training};

/// Times models of one and of two blocks and extends the line to the whole depth, on the CPU.
///
/// # Errors
/// When memory does not suffice.
pub fn probe(config: &Config, ranks: usize, tokens: usize) -> Result<Probe> {
    let dit = config.model.dit();
    let part = (config.batch / (ranks * config.accumulation).max(1)).clamp(1, 2);
    let mut measured = [(0.0, 0.0); 2];
    for (depth, figures) in [1, 2].into_iter().zip(&mut measured) {
        let small = DitConfig {
            depth,
            ..dit.clone()
        };
        let mut settings = Settings::of(config, &Device::Cpu);
        settings.dit = small.clone();
        let parameters = model::initialise(&small, 1, &Device::Cpu)?;
        let mut training = Training::new(settings, parameters, &Device::Cpu)?;
        let batch = random_batch(&small, tokens, part, config.resolution)?;
        // The first run pays for pages and caches.
        for _ in 0..2 {
            let mut gradients = Gradients::new();
            let start = Instant::now();
            let loss = training.accumulate(&batch, 1.0, &mut gradients)?;
            let middle = Instant::now();
            training.apply(loss, &gradients, 1e-5)?;
            *figures = (
                (middle - start).as_secs_f64() / part as f64,
                middle.elapsed().as_secs_f64(),
            );
        }
    }
    let whole = |one: f64, two: f64| one + (two - one).max(0.0) * (dit.depth as f64 - 1.0);
    Ok(Probe {
        seconds_per_sample: whole(measured[0].0, measured[1].0),
        seconds_per_apply: whole(measured[0].1, measured[1].1),
        threads: rayon::current_num_threads(),
    })
}
