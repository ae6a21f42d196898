//! Events as lines for people.

use std::io::Write;

use super::{Sink, TrainEvent};

/// Writes lines to standard error.
#[derive(Debug, Default)]
pub struct Plain;

impl Sink for Plain {
    fn hear(&mut self, event: &TrainEvent) -> mmface_engine::Result<()> {
        // A closed terminal must not end a run.
        let _ = writeln!(std::io::stderr(), "{}", line(event));
        Ok(())
    }
}

/// An event in one line.
pub fn line(event: &TrainEvent) -> String {
    match event {
        TrainEvent::Started {
            name,
            step,
            steps,
            parameters,
            samples,
        } => {
            format!(
                "{name}: update {step} of {steps}, {:.1} M parameters, {samples} photos",
                *parameters as f64 / 1e6
            )
        }
        TrainEvent::Progress {
            step,
            loss,
            smooth,
            rate,
            grad_norm,
            samples_per_second,
            eta_seconds,
        } => format!(
            "step {step}  loss {loss:.4}  smooth {smooth:.4}  lr {rate:.2e}  grad {grad_norm:.3}  {samples_per_second:.1} samples/s  eta {}",
            duration(*eta_seconds)
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
        TrainEvent::Checkpoint { step, folder } => format!("step {step}  saved {folder}"),
        TrainEvent::Skipped {
            step,
            position,
            loss,
        } => format!(
            "step {step}  SKIPPED: loss {loss} or its gradient is not finite (samples from {position})"
        ),
        TrainEvent::Finished { step, reason } => format!("step {step}  finished: {reason}"),
    }
}

fn duration(seconds: f64) -> String {
    let minutes = (seconds.clamp(0.0, 1e9) / 60.0).round() as u64;
    if minutes >= 60 {
        format!("{}h{:02}m", minutes / 60, minutes % 60)
    } else {
        format!("{minutes}m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(duration(30.0), "1m");
        assert_eq!(duration(3720.0), "1h02m");
        assert_eq!(duration(f64::INFINITY), duration(1e9));
    }
}
