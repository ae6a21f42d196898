//! What a run will take, before it starts: updates, learning rate, memory, disk, and, after a short
//! probe, time.

mod memory;

use std::time::Instant;

use candle_core::Device;
use mmface_engine::Result;
use mmface_engine::kernels::Precision;
use mmface_engine::model::dit::{DitConfig, Objective};
use serde::Serialize;

use crate::bench::random_batch;
use crate::checkpoint::expected_bytes;
use crate::config::Config;
use crate::model;
use crate::optim::Gradients;
use crate::report::plain::{bytes, duration};
use crate::run::rate;
use crate::step::Training;
use crate::words::grouped;
pub use memory::{MemoryEstimate, advice, memory_estimate};

/// Points of the learning-rate curve.
const CURVE: u64 = 40;

/// Time of an update, measured on small parts of the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// Seconds for the gradients of one sample.
    pub seconds_per_sample: f64,
    /// Seconds for clipping, AdamW and average.
    pub seconds_per_apply: f64,
    /// Threads that were used.
    pub threads: usize,
}

impl Probe {
    /// Seconds of one update, `ranks` processes being as fast as this one.
    pub fn update(&self, config: &Config, ranks: usize) -> f64 {
        self.seconds_per_sample * (config.batch as f64 / ranks as f64) + self.seconds_per_apply
    }
}

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
        let mut settings = crate::step::Settings::from(config);
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

/// The whole plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Name of the configuration.
    pub name: String,
    /// `flow` or `diffusion`.
    pub objective: &'static str,
    /// Trained parameters.
    pub parameters: usize,
    /// Side of the pictures.
    pub resolution: usize,
    /// Tokens of a picture and of a caption.
    pub tokens: [usize; 2],
    /// Samples in the training set.
    pub samples: usize,
    /// Global batch.
    pub batch: usize,
    /// Processes.
    pub ranks: usize,
    /// Parts of each process's share.
    pub accumulation: usize,
    /// Samples that a process computes at once.
    pub samples_at_once: usize,
    /// Updates in an epoch.
    pub steps_per_epoch: u64,
    /// Updates in all.
    pub steps: u64,
    /// Passes over the training set.
    pub epochs: f64,
    /// Updates and rates along the run.
    pub rates: Vec<(u64, f64)>,
    /// Memory of one process.
    pub memory: MemoryEstimate,
    /// Sum of the items.
    pub memory_total: u64,
    /// Bytes of a checkpoint.
    pub checkpoint_bytes: u64,
    /// Bytes of the checkpoints at their most: those kept, the best, and the one being written.
    pub disk_checkpoints: u64,
    /// Bytes of the prepared latents.
    pub disk_latents: u64,
    /// Arithmetic of the products.
    pub precision: &'static str,
    /// Measured speed, if a probe was asked for.
    pub probe: Option<Probe>,
    /// Seconds of an update by the probe.
    pub seconds_per_update: Option<f64>,
    /// Seconds of the run by the probe.
    pub seconds: Option<f64>,
}

impl Plan {
    /// Works the plan out. `samples` is the size of the training set.
    pub fn new(config: &Config, samples: usize, ranks: usize, tokens: usize) -> Self {
        let mut config = config.clone();
        config.count_steps(samples);
        let dit = config.model.dit();
        let memory = memory_estimate(&config, ranks, tokens, true);
        let checkpoint_bytes = expected_bytes(&config);
        let latent = dit.channels / 2 * (config.resolution / 8).pow(2) * 2;
        let points = CURVE.min(config.steps.max(2) - 1);
        let grid = config.resolution / 8 / dit.patch;
        Self {
            name: config.name.clone(),
            objective: match dit.objective {
                Objective::Flow => "flow",
                Objective::Diffusion => "diffusion",
            },
            parameters: dit.parameter_count(),
            resolution: config.resolution,
            tokens: [grid * grid, tokens],
            samples,
            batch: config.batch,
            ranks,
            accumulation: config.accumulation,
            samples_at_once: config.batch / (ranks * config.accumulation).max(1),
            steps_per_epoch: config.steps_per_epoch(samples),
            steps: config.steps,
            epochs: config.steps as f64 * config.batch as f64 / samples.max(1) as f64,
            rates: (0..=points)
                .map(|point| {
                    let update = point * (config.steps.max(1) - 1) / points.max(1);
                    (update, rate(&config, update))
                })
                .collect(),
            memory,
            memory_total: memory.total(),
            checkpoint_bytes,
            disk_checkpoints: checkpoint_bytes * (config.every.keep as u64 + 2),
            disk_latents: (samples * config.variants * 3 * latent) as u64,
            precision: match config.precision {
                Precision::Exact => "f32",
                Precision::Fast => "bf16 products, f32 sums and weights",
            },
            probe: None,
            seconds_per_update: None,
            seconds: None,
        }
    }

    /// Adds measured speed.
    pub fn with_probe(mut self, config: &Config, probe: Probe) -> Self {
        let update = probe.update(config, self.ranks);
        self.probe = Some(probe);
        self.seconds_per_update = Some(update);
        self.seconds = Some(update * self.steps as f64);
        self
    }

    /// The plan as a table for people.
    pub fn table(&self) -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row("run", format!("{} ({})", self.name, self.objective));
        row(
            "transformer",
            format!(
                "{} parameters, {}",
                grouped(self.parameters as u64),
                self.precision
            ),
        );
        row(
            "input",
            format!(
                "{0} × {0} pixels: {1} picture tokens, {2} text tokens",
                self.resolution, self.tokens[0], self.tokens[1]
            ),
        );
        row(
            "global batch",
            format!(
                "{} = {} process{} × {} part{} × {} samples",
                self.batch,
                self.ranks,
                if self.ranks == 1 { "" } else { "es" },
                self.accumulation,
                if self.accumulation == 1 { "" } else { "s" },
                self.samples_at_once
            ),
        );
        row("training samples", grouped(self.samples as u64));
        row("updates an epoch", grouped(self.steps_per_epoch));
        row(
            "updates in all",
            format!("{} ({:.1} epochs)", grouped(self.steps), self.epochs),
        );
        row("learning rate", self.curve());
        let memory = &self.memory;
        row(
            "memory, a process",
            format!("about {}", bytes(self.memory_total)),
        );
        row("  weights", bytes(memory.weights));
        row("  average", bytes(memory.average));
        row("  AdamW moments", bytes(memory.optimizer));
        row("  gradients", bytes(memory.gradients));
        row("  copies of weights", bytes(memory.copies));
        row(
            "  activations",
            format!(
                "{} (checkpointing none {}, selective {}, full {})",
                bytes(memory.activations),
                bytes(memory.activations_plain),
                bytes(memory.activations_selective),
                bytes(memory.activations_checkpointed)
            ),
        );
        row("  the rest", bytes(memory.rest));
        row(
            "disk",
            format!(
                "{} a checkpoint, {} at most; latents {}",
                bytes(self.checkpoint_bytes),
                bytes(self.disk_checkpoints),
                bytes(self.disk_latents)
            ),
        );
        match (&self.probe, self.seconds_per_update, self.seconds) {
            (Some(probe), Some(update), Some(all)) => row(
                "time on this CPU",
                format!(
                    "{update:.2} s an update with {} thread{}, {} in all",
                    probe.threads,
                    if probe.threads == 1 { "" } else { "s" },
                    duration(all)
                ),
            ),
            _ => row(
                "time",
                "add --probe to measure a few steps on this CPU".into(),
            ),
        }
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        rows.iter()
            .map(|(name, value)| format!("{name:width$}  {value}\n"))
            .collect()
    }

    /// The learning rate as a row of bars, with its ends.
    fn curve(&self) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let top = self.rates.iter().fold(0f64, |top, point| top.max(point.1));
        let bars: String = self
            .rates
            .iter()
            .map(|point| BARS[((point.1 / top.max(1e-300)) * 7.0).round().clamp(0.0, 7.0) as usize])
            .collect();
        let last = self.rates.last().map_or(0.0, |point| point.1);
        format!("{bars}  up to {top:.1e}, at the end {last:.1e}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::presets;

    #[test]
    fn the_papers_totals_come_out() {
        for (name, steps, epoch) in [
            ("paper-256-flow", 440_700, 1469),
            ("paper-512-flow", 146_900, 2938),
            ("paper-256-diffusion", 440_700, 1469),
            ("paper-512-diffusion", 146_900, 2938),
        ] {
            let preset = presets::find(name).unwrap();
            let plan = Plan::new(
                &preset.config().unwrap(),
                preset.samples,
                preset.ranks,
                preset.tokens,
            );
            assert_eq!((plan.steps, plan.steps_per_epoch), (steps, epoch), "{name}");
            assert_eq!(plan.parameters, 1_345_298_624);
            let table = plan.table();
            let shown = grouped(steps);
            assert!(table.contains(&shown), "{table}");
            assert!(plan.rates[0].1 == 0.0 && plan.rates.last().unwrap().1 < 1e-9);
        }
    }

    #[test]
    fn a_probe_is_extended_to_the_whole_run() {
        let preset = presets::find("demo").unwrap();
        let mut config = preset.config().unwrap();
        config.model = crate::config::Model::Custom(DitConfig {
            hidden: 32,
            depth: 3,
            heads: 2,
            channels: 8,
            text_dim: 8,
            ..DitConfig::demo()
        });
        config.resolution = 32;
        let probe = probe(&config, 1, 4).unwrap();
        assert!(probe.seconds_per_sample > 0.0 && probe.seconds_per_apply > 0.0);
        let plan = Plan::new(&config, 900, 1, 4).with_probe(&config, probe);
        assert!(plan.seconds.unwrap() >= plan.seconds_per_update.unwrap() * 59_999.0);
        assert!(plan.table().contains("s an update"));
    }
}
