//! What a run is: every number of a training run, read from one RON file.
//!
//! Unknown keys are errors. The effective configuration is stored in each checkpoint, and its
//! hash guards against resuming a different run by accident.

use std::path::Path;

use mmface_engine::format::{hex, similar};
use mmface_engine::kernels::Precision;
use mmface_engine::model::dit::DitConfig;
use mmface_engine::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::optim::Schedule;
use crate::optim::lr_schedule::cooldown_multiplier;

/// Which transformer is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Model {
    /// The small transformer of the bundled demo.
    Demo,
    /// The paper's 1.345 B parameters.
    Paper,
    /// Any other shape.
    Custom(DitConfig),
}

impl Model {
    /// The transformer's shape.
    pub fn dit(&self) -> DitConfig {
        match self {
            Self::Demo => DitConfig::demo(),
            Self::Paper => DitConfig::paper(),
            Self::Custom(config) => config.clone(),
        }
    }
}

/// How the optimizer keeps its two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moments {
    /// Four bytes a value.
    #[default]
    F32,
    /// Block-wise 8-bit codes, f32 for tensors below 4096 values (reference.md section 8).
    Bits8,
}

/// Which blocks are computed again in the backward pass instead of keeping what it needs.
///
/// `true` and `false` of older files are read as `Full` and `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checkpointing {
    /// No block: the most memory, the least time.
    #[default]
    #[serde(alias = "false")]
    None,
    /// Every second block: half of what `Full` saves for half of what it costs. Choosing parts of
    /// a block instead is no better bargain: the MLP alone is two thirds of a block's arithmetic
    /// and holds half of what it keeps, attention alone a third and a third.
    Selective,
    /// Every block: about one more forward pass in each update.
    #[serde(alias = "true")]
    Full,
}

impl Checkpointing {
    /// Whether block `index` of `depth` is computed again. The last block is kept if any is: its
    /// backward pass comes first.
    pub fn again(self, index: usize, depth: usize) -> bool {
        match self {
            Self::None => false,
            Self::Selective => (depth - 1 - index) % 2 == 1,
            Self::Full => true,
        }
    }
}

/// AdamW and gradient clipping (reference.md section 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Storage of the moments.
    pub moments: Moments,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay, on every parameter.
    pub weight_decay: f64,
    /// Largest global gradient norm; `None` leaves gradients as they are.
    pub max_grad_norm: Option<f64>,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            moments: Moments::F32,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            max_grad_norm: Some(0.5),
        }
    }
}

/// Learning rate over the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateConfig {
    /// Rate after the warm-up.
    pub base: f64,
    /// Shape after the warm-up.
    pub schedule: Schedule,
    /// Updates of linear warm-up.
    pub warmup: u64,
    /// Last stretch of the run, on top of the schedule: from this update on, the rate falls
    /// linearly to zero within so many updates.
    pub cooldown: Option<(u64, u64)>,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self {
            base: 1e-4,
            schedule: Schedule::Cosine,
            warmup: 200,
            cooldown: None,
        }
    }
}

impl RateConfig {
    /// Learning rate of an update, counted from 0, in a run of so many updates.
    pub fn at(&self, update: u64, steps: u64) -> f64 {
        let cooldown = self.cooldown.map_or(1.0, |(start, updates)| {
            cooldown_multiplier(update, start, updates)
        });
        self.base * self.schedule.multiplier(update, self.warmup, steps) * cooldown
    }
}

/// Distribution of the flow time during training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum TimeSampling {
    /// Uniform in `[0, 1)`, the paper's.
    #[default]
    Uniform,
    /// The logistic function of a normal number: more steps in the middle of the path.
    LogitNormal {
        /// Mean of the normal number; 0 is symmetric.
        mean: f32,
        /// Its standard deviation.
        deviation: f32,
    },
}

/// Probabilities of leaving an input out, independent of each other (reference.md section 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dropout {
    /// The condition latent becomes zeros.
    pub condition: f32,
    /// The caption becomes the empty string.
    pub text: f32,
    /// The pooled text becomes the learned null feature.
    pub pooled: f32,
}

impl Default for Dropout {
    fn default() -> Self {
        Self {
            condition: 0.05,
            text: 0.05,
            pooled: 0.05,
        }
    }
}

/// How often things happen, in updates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Every {
    /// A line in the log.
    pub log: u64,
    /// A held-out loss.
    pub heldout: u64,
    /// A checkpoint.
    pub checkpoint: u64,
    /// Checkpoints kept, besides the best one.
    pub keep: usize,
    /// Sheets of samples, if any are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<u64>,
}

impl Default for Every {
    fn default() -> Self {
        Self {
            log: 20,
            heldout: 500,
            checkpoint: 500,
            keep: 2,
            sample: None,
        }
    }
}

/// One training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the run, for people.
    pub name: String,
    /// The transformer.
    pub model: Model,
    /// Side of the pictures in pixels.
    pub resolution: usize,
    /// Augmented variants of each photo.
    #[serde(default = "default_variants")]
    pub variants: usize,
    /// Seed of everything random in the run.
    #[serde(default)]
    pub seed: u64,
    /// Samples in one update, over all devices and accumulation steps.
    pub batch: usize,
    /// Parts that a batch is computed in, one after the other.
    #[serde(default = "one")]
    pub accumulation: usize,
    /// Updates in the run; with `epochs`, what follows from the number of samples.
    #[serde(default)]
    pub steps: u64,
    /// Passes over the training set, in place of a number of updates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// AdamW.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// Learning rate.
    #[serde(default)]
    pub rate: RateConfig,
    /// Decay of the averaged weights.
    #[serde(default = "default_ema")]
    pub ema_decay: f64,
    /// Distribution of the flow time; the diffusion objective always draws uniformly.
    #[serde(default)]
    pub time: TimeSampling,
    /// Gamma of Min-SNR for the diffusion objective; `None` weighs all times alike.
    #[serde(default = "default_gamma")]
    pub min_snr_gamma: Option<f64>,
    /// What is left out at random.
    #[serde(default)]
    pub dropout: Dropout,
    /// Arithmetic of the products.
    #[serde(default)]
    pub precision: Precision,
    /// Which blocks are computed again in the backward pass instead of keeping what it needs.
    #[serde(default, alias = "block_checkpointing")]
    pub checkpointing: Checkpointing,
    /// Intervals.
    #[serde(default)]
    pub every: Every,
}

fn default_variants() -> usize {
    8
}
fn one() -> usize {
    1
}
fn default_ema() -> f64 {
    0.9999
}
fn default_gamma() -> Option<f64> {
    Some(5.0)
}

impl Config {
    /// Reads and checks a configuration file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(Error::file("read the training configuration", path))?;
        let config: Self = parse_ron(&text)
            .map_err(|what| Error::content(path, what, "compare with trainer/configs"))?;
        config.check()?;
        Ok(config)
    }

    /// Rejects values that no run can use.
    pub fn check(&self) -> Result<()> {
        let fail = |what: String| {
            Err(Error::Input(format!(
                "training configuration `{}`: {what}",
                self.name
            )))
        };
        let dit = self.model.dit();
        if self.resolution == 0
            || !self.resolution.is_multiple_of(8 * dit.patch)
            || self.resolution > 1024
        {
            return fail(format!(
                "resolution {} must be a multiple of {} up to 1024",
                self.resolution,
                8 * dit.patch
            ));
        }
        if self.batch == 0
            || self.accumulation == 0
            || !self.batch.is_multiple_of(self.accumulation)
        {
            return fail(format!(
                "batch {} must be a positive multiple of accumulation {}",
                self.batch, self.accumulation
            ));
        }
        if self.variants == 0 || self.variants > 64 {
            return fail(format!(
                "variants {} must lie between 1 and 64",
                self.variants
            ));
        }
        if self.steps == 0 && self.epochs.is_none_or(|epochs| epochs == 0) {
            return fail("steps (or epochs) must be at least 1".into());
        }
        for (name, value) in [
            ("condition", self.dropout.condition),
            ("text", self.dropout.text),
            ("pooled", self.dropout.pooled),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return fail(format!("dropout.{name} {value} must lie between 0 and 1"));
            }
        }
        if !(self.rate.base > 0.0 && self.rate.base.is_finite()) {
            return fail(format!("rate.base {} must be positive", self.rate.base));
        }
        if !(0.0..1.0).contains(&self.ema_decay) {
            return fail(format!(
                "ema_decay {} must lie between 0 and 1",
                self.ema_decay
            ));
        }
        if self.every.log == 0
            || self.every.heldout == 0
            || self.every.checkpoint == 0
            || self.every.keep == 0
            || self.every.sample == Some(0)
        {
            return fail("every.* must be at least 1".into());
        }
        Ok(())
    }

    /// Updates in which every one of `samples` is seen once.
    pub fn steps_per_epoch(&self, samples: usize) -> u64 {
        samples.div_ceil(self.batch.max(1)) as u64
    }

    /// Turns `epochs`, if given, into updates.
    pub fn count_steps(&mut self, samples: usize) {
        if let Some(epochs) = self.epochs {
            self.steps = epochs.saturating_mul(self.steps_per_epoch(samples));
        }
    }

    /// The configuration as RON text.
    pub fn to_ron(&self) -> Result<String> {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default())
            .map_err(Error::unwritable("the configuration"))
    }

    /// SHA-256 of the effective configuration, in hexadecimal.
    pub fn hash(&self) -> Result<String> {
        Ok(hex(&Sha256::digest(self.to_ron()?.as_bytes())))
    }
}

/// Reads RON with `Some(...)` written or left out, and says where an error is.
pub fn parse_ron<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
        .from_str(text)
        .map_err(|error| match &error.code {
            ron::Error::NoSuchStructField {
                expected, found, ..
            } => unknown("key", found, expected, error.span.start),
            ron::Error::NoSuchEnumVariant {
                expected, found, ..
            } => unknown("choice", found, expected, error.span.start),
            _ => error.to_string(),
        })
}

fn unknown(kind: &str, found: &str, expected: &[&str], place: ron::error::Position) -> String {
    let hint = match similar(found, expected) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", expected.join(", ")),
    };
    format!("line {}: unknown {kind} `{found}`: {hint}", place.line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SMALL: &str = "(name: \"small\", model: Demo, resolution: 128, batch: 4, steps: 10)";

    #[test]
    fn a_short_file_gets_the_reference_defaults() {
        let config: Config = parse_ron(SMALL).unwrap();
        config.check().unwrap();
        assert_eq!(config.optimizer.max_grad_norm, Some(0.5));
        assert_eq!(config.ema_decay, 0.9999);
        assert_eq!(config.min_snr_gamma, Some(5.0));
        assert_eq!(
            parse_ron::<Config>(&config.to_ron().unwrap()).unwrap(),
            config
        );
    }

    #[test]
    fn an_unknown_key_is_named() {
        for (from, to, hint) in [
            (
                "batch",
                "batsh",
                "line 1: unknown key `batsh`: did you mean `batch`?",
            ),
            ("Demo", "Dmo", "unknown choice `Dmo`: did you mean `Demo`?"),
            (
                "steps: 10",
                "steps: 10, rate: (bse: 1.0)",
                "did you mean `base`?",
            ),
            ("steps: 10", "steps: 10, zebra: 1", "there are name, model"),
        ] {
            let error = parse_ron::<Config>(&SMALL.replace(from, to)).unwrap_err();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn impossible_values_are_refused() {
        let good: Config = parse_ron(SMALL).unwrap();
        for change in [
            |c: &mut Config| c.resolution = 130,
            |c: &mut Config| c.batch = 0,
            |c: &mut Config| c.accumulation = 3,
            |c: &mut Config| c.dropout.text = 1.5,
            |c: &mut Config| c.rate.base = f64::NAN,
        ] {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(bad.check().is_err());
        }
    }

    #[test]
    fn new_fields_leave_the_text_of_old_configurations_as_it_was() {
        let text = parse_ron::<Config>(SMALL).unwrap().to_ron().unwrap();
        assert!(
            !text.contains("epochs") && !text.contains("sample"),
            "{text}"
        );
    }

    #[test]
    fn older_files_said_checkpointing_as_yes_or_no() {
        for (text, wanted) in [
            ("block_checkpointing: true", Checkpointing::Full),
            ("block_checkpointing: false", Checkpointing::None),
            ("checkpointing: Selective", Checkpointing::Selective),
            ("checkpointing: None", Checkpointing::None),
        ] {
            let text = SMALL.replace("steps: 10", &format!("steps: 10, {text}"));
            let config: Config = parse_ron(&text).unwrap();
            assert_eq!(config.checkpointing, wanted, "{text}");
            assert_eq!(
                parse_ron::<Config>(&config.to_ron().unwrap()).unwrap(),
                config
            );
        }
    }

    #[test]
    fn epochs_become_updates() {
        let mut config: Config = parse_ron(&SMALL.replace("steps: 10", "epochs: 3")).unwrap();
        config.check().unwrap();
        config.count_steps(9);
        assert_eq!(config.steps, 9);
    }

    #[test]
    fn the_bundled_configurations_are_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Config::read(&entry.unwrap().path()).unwrap();
            seen += 1;
        }
        assert!(seen >= 2);
    }
}
