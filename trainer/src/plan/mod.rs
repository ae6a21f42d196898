//! What a run will take, before it starts: updates, learning rate, memory, disk, and, after a short
//! probe, time.

mod memory;
mod probe;
mod table;

use candle_core::Device;
use mmface_engine::Result;
use mmface_engine::job::Named as _;
use mmface_engine::kernels::{Precision, Route};
use mmface_run_protocol::plan::{Plan, Probe};

use crate::checkpoint::expected_bytes;
use crate::config::Config;
use crate::optim::lr_schedule::learning_rate;
pub use memory::{advice, memory_estimate};
pub use probe::probe;
pub use table::table;

/// Points of the learning-rate curve.
const CURVE: u64 = 40;

/// Works the plan out. `samples` is the size of the training set, `tokens` the length of a caption.
///
/// # Errors
/// When the configuration cannot be used, or not by so many processes.
pub fn plan_run(config: &Config, samples: usize, ranks: usize, tokens: usize) -> Result<Plan> {
    let mut config = config.clone();
    config.count_steps(samples)?;
    config.check_ranks(ranks)?;
    let dit = config.model.dit();
    let route = config.route_on(&Device::Cpu);
    let memory = memory_estimate(&config, ranks, tokens, route);
    let checkpoint_bytes = expected_bytes(&config);
    let latent = dit.channels / 2 * (config.resolution / 8).pow(2) * 2;
    let points = CURVE.min(config.steps.max(2) - 1);
    let grid = config.resolution / 8 / dit.patch;
    Ok(Plan {
        name: config.name.clone(),
        objective: dit.objective.name().into(),
        parameters: dit.parameter_count() as u64,
        resolution: config.resolution as u64,
        tokens: [grid * grid, tokens].map(|tokens| tokens as u64),
        samples: samples as u64,
        batch: config.batch as u64,
        ranks: ranks as u64,
        accumulation: config.accumulation as u64,
        samples_at_once: (config.batch / (ranks * config.accumulation).max(1)) as u64,
        steps_per_epoch: config.steps_per_epoch(samples),
        steps: config.steps,
        epochs: config.steps as f64 * config.batch as f64 / samples.max(1) as f64,
        rates: (0..=points)
            .map(|point| {
                let update = point * (config.steps.max(1) - 1) / points.max(1);
                (update, learning_rate(&config.rate, update, config.steps))
            })
            .collect(),
        memory,
        memory_total: memory.total(),
        checkpoint_bytes,
        disk_checkpoints: checkpoint_bytes * (config.every.keep as u64 + 2),
        disk_latents: (samples as u64).saturating_mul((config.variants * 3 * latent) as u64),
        precision: match (config.precision, route) {
            // The composed route knows no other products.
            (Precision::Exact, _) | (_, Route::Composed) => "f32".into(),
            (Precision::Fast, Route::Fused) => "bf16 products, f32 sums and weights".into(),
        },
        probe: None,
        seconds_per_update: None,
        seconds: None,
        warnings: config.warnings(),
    })
}

/// Adds measured speed to the plan of this configuration.
pub fn with_probe(mut plan: Plan, probe: Probe) -> Plan {
    let share = plan.batch as f64 / plan.ranks.max(1) as f64;
    let update = probe.seconds_per_sample * share + probe.seconds_per_apply;
    plan.probe = Some(probe);
    plan.seconds_per_update = Some(update);
    plan.seconds = Some(update * plan.steps as f64);
    plan
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use mmface_engine::model::dit::DitConfig;

    use super::*;
    use crate::presets;
    use mmface_engine::format::grouped;

    #[test]
    fn the_papers_totals_come_out() {
        for (name, steps, epoch) in [
            ("paper-256-flow", 440_700, 1469),
            ("paper-512-flow", 146_900, 2938),
            ("paper-256-diffusion", 440_700, 1469),
            ("paper-512-diffusion", 146_900, 2938),
        ] {
            let preset = presets::find(name).unwrap();
            let plan = plan_run(
                &preset.config().unwrap(),
                preset.samples,
                preset.ranks,
                preset.tokens,
            )
            .unwrap();
            assert_eq!((plan.steps, plan.steps_per_epoch), (steps, epoch), "{name}");
            assert_eq!(plan.parameters, 1_345_298_624);
            let table = table(&plan);
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
        let plan = with_probe(plan_run(&config, 900, 1, 4).unwrap(), probe);
        assert!(plan.seconds.unwrap() >= plan.seconds_per_update.unwrap() * 59_999.0);
        assert!(table(&plan).contains("s an update"));
    }
}
