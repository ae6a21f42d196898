//! Which values a run can use: every door (files, presets, single settings, the authors' YAML,
//! checkpoints) passes here.

use mmface_engine::job::Objective;
use mmface_engine::{Error, Result};

use super::{Config, TimeSampling};

/// The most updates of a run: far more than any, and small enough to count samples in 64 bits.
const STEPS: u64 = 1_000_000_000_000;
/// The most samples in an update.
const BATCH: usize = 1 << 20;
/// The most augmented variants of a photo.
const VARIANTS: usize = 64;
/// The longest side in pixels.
const RESOLUTION: usize = 1024;
/// The most checkpoints that are kept.
const KEEP: usize = 1_000_000;
/// The smallest epsilon that stays above 0 in f32 beside any moment.
const EPSILON: f64 = 1e-30;
/// How far the mean of the logit may lie from 0, and its deviation: beyond, all times are 0 or 1.
const LOGIT: f32 = 10.0;

impl Config {
    /// Rejects values that no run can use.
    ///
    /// # Errors
    /// With one line that names the configuration, the setting, and what it may be.
    pub fn check(&self) -> Result<()> {
        self.check_sizes()
            .and_then(|()| self.check_optimizer())
            .and_then(|()| self.check_rate())
            .and_then(|()| self.check_objective())
            .and_then(|()| self.check_intervals())
            .map_err(|what| Error::Input(format!("training configuration `{}`: {what}", self.name)))
    }

    /// Rejects a number of processes that the batch cannot be divided over.
    ///
    /// # Errors
    /// With both numbers.
    pub fn check_ranks(&self, ranks: usize) -> Result<()> {
        let parts = ranks.checked_mul(self.accumulation);
        if parts.is_some_and(|parts| parts > 0 && self.batch.is_multiple_of(parts)) {
            return Ok(());
        }
        Err(Error::Input(format!(
            "the global batch {} is no multiple of {ranks} processes × accumulation {}",
            self.batch, self.accumulation
        )))
    }

    /// What a run can be made of, but hardly as it was meant, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        let (steps, rate) = (self.steps, &self.rate);
        if steps > 0 && rate.warmup >= steps {
            found.push(format!(
                "the warm-up of {} updates is not over when the run ends after {steps}: the learning rate never reaches rate.base; lower rate.warmup",
                rate.warmup
            ));
        }
        if let Some((start, _)) = rate.cooldown
            && steps > 0
            && start >= steps
        {
            found.push(format!(
                "rate.cooldown begins at update {start}, when the run has ended after {steps}"
            ));
        }
        if self.time != TimeSampling::Uniform && self.model.dit().objective == Objective::Diffusion
        {
            found.push("time has no effect: the diffusion objective draws times uniformly".into());
        }
        found
    }

    fn check_sizes(&self) -> Result<(), String> {
        let dit = self.model.dit();
        dit.check().map_err(|what| format!("model: {what}"))?;
        let side = 8 * dit.patch;
        if self.resolution == 0
            || !self.resolution.is_multiple_of(side)
            || self.resolution > RESOLUTION
        {
            return Err(format!(
                "resolution {} must be a multiple of {side} up to {RESOLUTION}",
                self.resolution
            ));
        }
        if self.batch == 0
            || self.accumulation == 0
            || !self.batch.is_multiple_of(self.accumulation)
        {
            return Err(format!(
                "batch {} must be a positive multiple of accumulation {}",
                self.batch, self.accumulation
            ));
        }
        at_most("batch", self.batch as f64, BATCH as f64)?;
        if self.variants == 0 || self.variants > VARIANTS {
            return Err(format!(
                "variants {} must lie between 1 and {VARIANTS}",
                self.variants
            ));
        }
        if self.steps == 0 && self.epochs.is_none() || self.epochs == Some(0) {
            return Err("steps (or epochs) must be at least 1".into());
        }
        at_most("steps", self.steps as f64, STEPS as f64)
    }

    fn check_optimizer(&self) -> Result<(), String> {
        let optimizer = &self.optimizer;
        for (name, value) in [
            ("optimizer.beta1", optimizer.beta1),
            ("optimizer.beta2", optimizer.beta2),
            ("ema_decay", self.ema_decay),
        ] {
            if !(0.0..1.0).contains(&value) {
                return Err(format!("{name} {value} must be at least 0 and below 1"));
            }
        }
        if !(EPSILON..=1.0).contains(&optimizer.epsilon) {
            return Err(format!(
                "optimizer.epsilon {:e} must lie between {EPSILON:e} and 1",
                optimizer.epsilon
            ));
        }
        let decay = optimizer.weight_decay;
        if !(decay >= 0.0 && decay * self.rate.base <= 1.0) {
            return Err(format!(
                "optimizer.weight_decay {decay} must be at least 0, and at most 1 times rate.base {}",
                self.rate.base
            ));
        }
        match optimizer.max_grad_norm {
            Some(norm) if !(norm >= 0.0 && norm.is_finite()) => Err(format!(
                "optimizer.max_grad_norm {norm} must be positive; 0 or None does not clip"
            )),
            _ => Ok(()),
        }
    }

    fn check_rate(&self) -> Result<(), String> {
        let rate = &self.rate;
        if !(rate.base > 0.0 && rate.base <= 1.0) {
            return Err(format!(
                "rate.base {} must be above 0 and at most 1",
                rate.base
            ));
        }
        at_most("rate.warmup", rate.warmup as f64, STEPS as f64)?;
        match rate.cooldown {
            Some((_, 0)) => {
                Err("rate.cooldown must take at least 1 update; None leaves it out".into())
            }
            Some((start, updates)) => {
                at_most("rate.cooldown", start as f64, STEPS as f64)?;
                at_most("rate.cooldown", updates as f64, STEPS as f64)
            }
            None => Ok(()),
        }
    }

    fn check_objective(&self) -> Result<(), String> {
        for (name, value) in [
            ("condition", self.dropout.condition),
            ("text", self.dropout.text),
            ("pooled", self.dropout.pooled),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("dropout.{name} {value} must lie between 0 and 1"));
            }
        }
        if let TimeSampling::LogitNormal { mean, deviation } = self.time {
            if !(-LOGIT..=LOGIT).contains(&mean) {
                return Err(format!(
                    "time: mean {mean} must lie between -{LOGIT} and {LOGIT}"
                ));
            }
            if !(deviation > 0.0 && deviation <= LOGIT) {
                return Err(format!(
                    "time: deviation {deviation} must be above 0 and at most {LOGIT}"
                ));
            }
        }
        match self.min_snr_gamma {
            Some(gamma) if !(gamma > 0.0 && gamma.is_finite()) => Err(format!(
                "min_snr_gamma {gamma} must be positive; None weighs all times alike"
            )),
            _ => Ok(()),
        }
    }

    fn check_intervals(&self) -> Result<(), String> {
        let every = &self.every;
        if every.log == 0
            || every.heldout == 0
            || every.checkpoint == 0
            || every.keep == 0
            || every.sample == Some(0)
        {
            return Err("every.* must be at least 1".into());
        }
        at_most("every.keep", every.keep as f64, KEEP as f64)
    }
}

fn at_most(name: &str, value: f64, most: f64) -> Result<(), String> {
    if value > most {
        return Err(format!("{name} {value} must be at most {most}"));
    }
    Ok(())
}
