//! What a run is: every number of a training run, read from one RON file.
//!
//! Unknown keys are errors. The effective configuration is stored in each checkpoint.

mod check;
#[cfg(test)]
mod check_tests;
mod number;
mod read;

use candle_core::Device;
use mmface_engine::format::hex;
use mmface_engine::kernels::{Precision, Route};
use mmface_engine::model::dit::DitConfig;
use mmface_engine::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use read::parse_ron;

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
    /// Block-wise 8-bit codes, f32 for tensors below 4096 values (docs/reference.md section 8).
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

/// AdamW and gradient clipping (docs/reference.md section 5).
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
    /// Largest global gradient norm; `None` or 0 leaves gradients as they are.
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

/// Shape of the learning rate after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schedule {
    /// Half a cosine down to zero at the end of the run.
    #[default]
    Cosine,
    /// A straight line down to zero at the end of the run.
    Linear,
    /// No change.
    Constant,
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
    #[serde(deserialize_with = "number::whole")]
    pub warmup: u64,
    /// Last stretch of the run, on top of the schedule: from this update on, the rate falls
    /// linearly to zero within so many updates.
    #[serde(deserialize_with = "number::optional_pair")]
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

/// Probabilities of leaving an input out, independent of each other (docs/reference.md section 5).
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
    #[serde(deserialize_with = "number::whole")]
    pub log: u64,
    /// A held-out loss.
    #[serde(deserialize_with = "number::whole")]
    pub heldout: u64,
    /// A checkpoint.
    #[serde(deserialize_with = "number::whole")]
    pub checkpoint: u64,
    /// Checkpoints kept, besides the best one.
    #[serde(deserialize_with = "number::whole")]
    pub keep: usize,
    /// Sheets of samples, if any are wanted.
    #[serde(
        deserialize_with = "number::optional",
        skip_serializing_if = "Option::is_none"
    )]
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
    /// Name of the run, as it is shown.
    pub name: String,
    /// The transformer.
    pub model: Model,
    /// Side of the pictures in pixels.
    #[serde(deserialize_with = "number::whole")]
    pub resolution: usize,
    /// Augmented variants of each photo.
    #[serde(default = "default_variants", deserialize_with = "number::whole")]
    pub variants: usize,
    /// Seed of everything random in the run.
    #[serde(default, deserialize_with = "number::whole")]
    pub seed: u64,
    /// Samples in one update, over all devices and accumulation steps.
    #[serde(deserialize_with = "number::whole")]
    pub batch: usize,
    /// Parts that a batch is computed in, one after the other.
    #[serde(default = "one", deserialize_with = "number::whole")]
    pub accumulation: usize,
    /// Updates in the run; with `epochs`, what follows from the number of samples.
    #[serde(default, deserialize_with = "number::whole")]
    pub steps: u64,
    /// Passes over the training set, in place of a number of updates.
    #[serde(
        default,
        deserialize_with = "number::optional",
        skip_serializing_if = "Option::is_none"
    )]
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
    /// Which implementation of every operation runs; left out, that of the device. `Composed` on the
    /// CPU runs what a card would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
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
    /// Which implementation of every operation runs on a device.
    pub fn route_on(&self, device: &Device) -> Route {
        self.route.unwrap_or(Route::of(device))
    }

    /// Updates in which every one of `samples` is seen once.
    pub fn steps_per_epoch(&self, samples: usize) -> u64 {
        samples.div_ceil(self.batch.max(1)) as u64
    }

    /// Turns `epochs`, if given, into updates.
    ///
    /// # Errors
    /// When these are more than a run can have.
    pub fn count_steps(&mut self, samples: usize) -> Result<()> {
        if let Some(epochs) = self.epochs {
            self.steps = epochs.saturating_mul(self.steps_per_epoch(samples));
        }
        self.check()
    }

    /// The configuration as RON text.
    ///
    /// # Errors
    /// Never for values of this type; the signature is serde's.
    pub fn to_ron(&self) -> Result<String> {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default())
            .map_err(Error::unwritable("the configuration"))
    }

    /// SHA-256 of the effective configuration, in hexadecimal: processes that train together
    /// compare it.
    ///
    /// # Errors
    /// Never for values of this type; the signature is serde's.
    pub fn hash(&self) -> Result<String> {
        Ok(hex(&Sha256::digest(self.to_ron()?.as_bytes())))
    }
}
