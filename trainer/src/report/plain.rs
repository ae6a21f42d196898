//! Events as lines for people.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use mmface_engine::format::{bytes, duration, parameters};

use super::{Preparing, Sink, TrainEvent};

/// Writes lines to standard error; preparation is a bar on a terminal, a line now and then elsewhere.
#[derive(Debug, Default)]
pub struct Plain {
    bar: Option<ProgressBar>,
    told: Option<Instant>,
}

impl Plain {
    fn prepare(&mut self, part: &Preparing) {
        if std::io::stderr().is_terminal() {
            let bar = self.bar.get_or_insert_with(|| {
                let bar = ProgressBar::new(part.of);
                if let Ok(style) =
                    ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {per_sec} eta {eta}")
                {
                    bar.set_style(style);
                }
                bar
            });
            bar.set_message(part.what.clone());
            bar.set_length(part.of);
            bar.set_position(part.done);
            if part.done >= part.of
                && let Some(bar) = self.bar.take()
            {
                bar.finish_and_clear();
            }
            return;
        }
        let due = self.told.is_none_or(|told| told.elapsed().as_secs() >= 10);
        if due || part.done >= part.of {
            self.told = Some(Instant::now());
            // A closed terminal must not end a preparation.
            writeln!(
                std::io::stderr(),
                "{}",
                line(&TrainEvent::Preparing(part.clone()))
            )
            .ok();
        }
    }
}

impl Sink for Plain {
    fn on_event(&mut self, event: &TrainEvent) -> mmface_engine::Result<()> {
        if let TrainEvent::Preparing(part) = event {
            self.prepare(part);
            return Ok(());
        }
        // The program ends with the cause; here it would be told twice.
        if let TrainEvent::Failed { step, .. } = event {
            if *step > 0 {
                writeln!(std::io::stderr(), "step {step}  failed").ok();
            }
            return Ok(());
        }
        // A closed terminal must not end a run.
        writeln!(std::io::stderr(), "{}", line(event)).ok();
        Ok(())
    }
}

/// An event in a few words; the table of the data has several lines.
pub fn line(event: &TrainEvent) -> String {
    match event {
        TrainEvent::Preparing(part) => {
            let rate = if part.per_second > 0.0 {
                format!(", {:.1} a second", part.per_second)
            } else {
                String::new()
            };
            format!("{}: {} of {}{rate}", part.what, part.done, part.of)
        }
        TrainEvent::Data(table) => {
            let mut text = format!(
                "{}: {} samples; without photo {}, mask {}, sketch {}, captions {}; empty captions {}; left out {}",
                table.split,
                table.samples,
                table.without_photo,
                table.without_mask,
                table.without_sketch,
                table.without_captions,
                table.empty_captions,
                table.left_out.len()
            );
            for entry in &table.left_out {
                text += &format!("\n  left out {entry}");
            }
            text
        }
        TrainEvent::Started(plan) => format!(
            "{}: update {} of {}, {} parameters, {} photos, batch {}{}",
            plan.name,
            plan.step,
            plan.steps,
            parameters(plan.parameters),
            plan.samples,
            plan.batch,
            if plan.ranks > 1 {
                format!(" over {} processes", plan.ranks)
            } else {
                String::new()
            }
        ),
        TrainEvent::Step(step) => format!(
            "step {}  loss {:.4}  smooth {:.4}  lr {:.2e}  grad {:.3}  {:.1} samples/s  {}  eta {}",
            step.step,
            step.loss,
            step.smooth,
            step.rate,
            step.grad_norm,
            step.samples_per_second,
            bytes(step.memory),
            duration(step.eta_seconds)
        ),
        TrainEvent::HeldOut(report) => {
            let list = |values: &[f64]| {
                values
                    .iter()
                    .map(|value| format!("{value:.4}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            format!(
                "step {}  held-out {:.5}  mask [{}]  sketch [{}]",
                report.step,
                report.loss,
                list(&report.mask),
                list(&report.sketch)
            )
        }
        TrainEvent::Sample {
            step,
            path,
            weights,
        } => {
            let which = weights.name();
            format!("step {step}  samples of the {which} weights: {path}")
        }
        TrainEvent::Checkpoint { step, path, .. } => format!("step {step}  saved {path}"),
        TrainEvent::Skipped {
            step,
            position,
            loss,
            samples,
        } => format!(
            "step {step}  SKIPPED: loss {loss} or its gradient is not finite (samples from {position}: {})",
            samples.join(" ")
        ),
        TrainEvent::Warning { step, message } => format!("step {step}  warning: {message}"),
        TrainEvent::Paused { step, reason } => format!("step {step}  paused: {reason}"),
        TrainEvent::Resumed { step } => format!("step {step}  continues"),
        TrainEvent::Stopped { step, reason } => format!("step {step}  stopped: {reason}"),
        TrainEvent::Finished { step, reason } => format!("step {step}  finished: {reason}"),
        TrainEvent::Failed { step, error } => format!("step {step}  failed: {error}"),
        TrainEvent::Unknown => "an event of another version".into(),
    }
}
