//! Learning rate over the updates, as diffusers' schedulers count it (docs/reference.md section 5).

use crate::config::{RateConfig, Schedule};

/// Learning rate of an update, counted from 0, in a run of `steps` updates: linearly from 0 over
/// the warm-up, then along the schedule, and down to 0 within a cool-down, if there is one.
pub fn learning_rate(rate: &RateConfig, update: u64, steps: u64) -> f64 {
    let cooldown = rate.cooldown.map_or(1.0, |(start, updates)| {
        cooldown_multiplier(update, start, updates)
    });
    rate.base * schedule_multiplier(rate.schedule, update, rate.warmup, steps) * cooldown
}

/// Factor on the base rate of update `update`, counted from 0. It runs linearly from 0 over
/// `warmup` updates, then follows the shape up to `total`.
pub fn schedule_multiplier(schedule: Schedule, update: u64, warmup: u64, total: u64) -> f64 {
    if update < warmup {
        return update as f64 / warmup.max(1) as f64;
    }
    let rest = total.saturating_sub(warmup).max(1) as f64;
    match schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => (total.saturating_sub(update) as f64 / rest).max(0.0),
        Schedule::Cosine => {
            let progress = (update - warmup) as f64 / rest;
            (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0)
        }
    }
}

/// Further factor that ends a run early: 1 before `start`, then linearly to 0 within `updates`.
fn cooldown_multiplier(update: u64, start: u64, updates: u64) -> f64 {
    1.0 - (update.saturating_sub(start) as f64 / updates.max(1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_warms_up_from_zero() {
        for schedule in [Schedule::Cosine, Schedule::Linear, Schedule::Constant] {
            assert_eq!(schedule_multiplier(schedule, 0, 10, 100), 0.0);
            assert_eq!(schedule_multiplier(schedule, 5, 10, 100), 0.5);
            assert_eq!(schedule_multiplier(schedule, 10, 10, 100), 1.0);
        }
        assert_eq!(schedule_multiplier(Schedule::Linear, 100, 10, 100), 0.0);
        assert!(schedule_multiplier(Schedule::Cosine, 100, 10, 100) < 1e-12);
        assert_eq!(
            schedule_multiplier(Schedule::Constant, 1_000_000, 10, 100),
            1.0
        );
    }

    #[test]
    fn a_cooldown_ends_at_zero_and_stays_there() {
        assert_eq!(cooldown_multiplier(10, 20, 10), 1.0);
        assert_eq!(cooldown_multiplier(25, 20, 10), 0.5);
        assert_eq!(cooldown_multiplier(90, 20, 10), 0.0);
    }
}
