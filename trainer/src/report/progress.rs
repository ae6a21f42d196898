//! Figures since the last line of the log: means, speed, and the time left.

use std::time::Instant;

use super::{Step, TrainEvent};
use crate::config::Config;
use crate::step::Outcome;

/// Share of the old value in the smoothed loss.
const SMOOTHING: f64 = 0.99;

/// Collects updates until they are told.
#[derive(Debug)]
pub struct Progress {
    loss: f64,
    norm: f64,
    updates: f64,
    seconds: f64,
    since: Option<Instant>,
    smooth: Option<f64>,
    /// Training samples, for the epoch.
    samples: u64,
}

impl Progress {
    /// Starts the clock. `samples` is the size of the training set.
    pub fn new(samples: u64) -> Self {
        Self {
            loss: 0.0,
            norm: 0.0,
            updates: 0.0,
            seconds: 0.0,
            since: Some(Instant::now()),
            smooth: None,
            samples: samples.max(1),
        }
    }

    /// Notes an update.
    pub fn add(&mut self, outcome: &Outcome) {
        let loss = f64::from(outcome.loss);
        self.loss += loss;
        self.norm += outcome.grad_norm;
        self.updates += 1.0;
        self.smooth = Some(
            self.smooth
                .map_or(loss, |old| SMOOTHING * old + (1.0 - SMOOTHING) * loss),
        );
        self.pause();
        self.go_on();
    }

    /// Stops the clock until the next update: saving and measuring are not training.
    pub fn pause(&mut self) {
        if let Some(since) = self.since.take() {
            self.seconds += since.elapsed().as_secs_f64();
        }
    }

    /// Starts the clock again.
    pub fn go_on(&mut self) {
        self.since = Some(Instant::now());
    }

    /// The event of the updates since the one before, if there were any.
    pub fn event(
        &mut self,
        step: u64,
        seen: u64,
        config: &Config,
        rate: f64,
    ) -> Option<TrainEvent> {
        let smooth = self.smooth?;
        if self.updates == 0.0 {
            return None;
        }
        let speed = self.updates / self.seconds.max(1e-9);
        let event = TrainEvent::Step(Step {
            step,
            loss: self.loss / self.updates,
            smooth,
            rate,
            grad_norm: self.norm / self.updates,
            updates_per_second: speed,
            samples_per_second: speed * config.batch as f64,
            eta_seconds: config.steps.saturating_sub(step) as f64 / speed.max(1e-9),
            memory: mmface_engine::system::memory::resident(),
            epoch: seen as f64 / self.samples as f64,
        });
        *self = Self {
            smooth: self.smooth,
            since: self.since,
            ..Self::new(self.samples)
        };
        Some(event)
    }
}
