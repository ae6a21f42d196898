//! A plan as a person reads it on the terminal.

use mmface_engine::format::{bytes, count, duration, grouped};
use mmface_run_protocol::plan::Plan;

/// The plan as lines of a table.
pub fn table(plan: &Plan) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    row("run", format!("{} ({})", plan.name, plan.objective));
    row(
        "transformer",
        format!(
            "{} parameters, {}",
            grouped(plan.parameters),
            plan.precision
        ),
    );
    row(
        "input",
        format!(
            "{0} × {0} pixels: {1} picture tokens, {2} text tokens",
            plan.resolution, plan.tokens[0], plan.tokens[1]
        ),
    );
    row(
        "global batch",
        format!(
            "{} = {} × {} × {} samples",
            plan.batch,
            count(plan.ranks, "process"),
            count(plan.accumulation, "part"),
            plan.samples_at_once
        ),
    );
    row("training samples", grouped(plan.samples));
    row("updates an epoch", grouped(plan.steps_per_epoch));
    row(
        "updates in all",
        format!("{} ({:.1} epochs)", grouped(plan.steps), plan.epochs),
    );
    row("learning rate", rate_curve(&plan.rates));
    let memory = &plan.memory;
    row(
        "memory, a process",
        format!("about {}", bytes(plan.memory_total)),
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
            bytes(plan.checkpoint_bytes),
            bytes(plan.disk_checkpoints),
            bytes(plan.disk_latents)
        ),
    );
    match (&plan.probe, plan.seconds_per_update, plan.seconds) {
        (Some(probe), Some(update), Some(all)) => row(
            "time on this CPU",
            format!(
                "{update:.2} s an update with {}, {} in all",
                count(probe.threads as u64, "thread"),
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

/// The learning rate along the run as a row of bars, with its ends.
fn rate_curve(rates: &[(u64, f64)]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = rates.iter().fold(0f64, |top, point| top.max(point.1));
    let bars: String = rates
        .iter()
        .map(|point| BARS[((point.1 / top.max(1e-300)) * 7.0).round().clamp(0.0, 7.0) as usize])
        .collect();
    let last = rates.last().map_or(0.0, |point| point.1);
    format!("{bars}  up to {top:.1e}, at the end {last:.1e}")
}
