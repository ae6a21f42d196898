//! What one generation is asked to do: the recipe that is written into a picture and replayed.

mod fork;
mod sweep;

use serde::{Deserialize, Serialize};

pub use fork::Fork;
pub use sweep::{Cell, Sweep, has_groups};

use crate::labels::LabelImage;
use crate::picture::GrayImage;
use crate::{Error, Result};

/// What the face must follow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// A 19-class face mask.
    Mask(LabelImage),
    /// A drawing, dark lines on white.
    Sketch(GrayImage),
    /// Nothing: the prompt alone.
    #[default]
    None,
}

/// How the sampler walks from noise to picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sampler {
    /// Flow objective, first order.
    #[default]
    Euler,
    /// Flow objective, second order, two evaluations a step.
    Heun,
    /// Diffusion objective, DPM-Solver++ 2M.
    DpmPp2M,
    /// Diffusion objective, DDIM without noise.
    Ddim,
    /// Diffusion objective, UniPC of order 2.
    UniPc,
}

/// What the other branch of guidance is told, the one that the picture is pushed away from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guide {
    /// The negative prompt with the same condition: guidance strengthens the words. The authors'
    /// way (reference.md section 4).
    #[default]
    Words,
    /// The negative prompt with an empty condition, as condition dropout trains it: guidance
    /// strengthens words and drawing alike.
    WordsAndDrawing,
}

impl Guide {
    /// The authors' way; it is left out of recipes.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One generation (design.md section 5). Serialisable: it is what `replay` runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What the face must follow.
    pub condition: Condition,
    /// What the face should look like; empty = unconditional.
    pub prompt: String,
    /// What guidance moves away from; usually empty.
    pub negative: String,
    /// Picture i is drawn from noise of seed + i.
    pub seed: u64,
    /// Number of pictures, at least 1.
    pub count: usize,
    /// Side in pixels, a multiple of 16 from 64 to 1024.
    pub size: usize,
    /// Sampling steps, at least 1.
    pub steps: usize,
    /// The sampler; must fit the model's objective.
    pub sampler: Sampler,
    /// Guidance weight w: out = u + w · (c − u); 1 = no guidance.
    pub guidance: f64,
    /// Fractions of the sampling in which guidance acts, `(from, to)` in 0..=1.
    pub guidance_interval: (f64, f64),
    /// What guidance strengthens.
    #[serde(default, skip_serializing_if = "Guide::is_default")]
    pub guide: Guide,
    /// Where to go on from, instead of from noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

/// Smallest and largest side of a picture in pixels.
pub const SIZES: std::ops::RangeInclusive<usize> = 64..=1024;
/// Sides are multiples of this: eight pixels a latent, two latents a patch.
pub const SIZE_STEP: usize = 16;
/// Most sampling steps: beyond it the diffusion samplers would visit a timestep twice.
pub const MAX_STEPS: usize = 999;
/// Most pictures of one job: beyond it a person has mistyped.
pub const MAX_COUNT: usize = 1000;
/// Largest guidance weight: far above it every picture is saturated.
pub const MAX_GUIDANCE: f64 = 100.0;
/// Largest side of a condition picture that is kept in a job.
pub const MAX_CONDITION_SIDE: usize = 8192;

impl Default for Job {
    /// One unconditional picture: 256², 20 Euler steps, the paper's guidance of 7.5.
    fn default() -> Self {
        Self {
            condition: Condition::None,
            prompt: String::new(),
            negative: String::new(),
            seed: 0,
            count: 1,
            size: 256,
            steps: 20,
            sampler: Sampler::Euler,
            guidance: 7.5,
            guidance_interval: (0.0, 1.0),
            guide: Guide::default(),
            fork: None,
        }
    }
}

impl Job {
    /// Sampling steps of all pictures together.
    pub fn total_steps(&self) -> usize {
        let skipped = self.fork.as_ref().map_or(0, |fork| fork.step);
        self.count
            .saturating_mul(self.steps.saturating_sub(skipped))
    }

    /// Checks every value that does not depend on the model.
    pub fn validate(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::Argument(text));
        if !SIZES.contains(&self.size) || !self.size.is_multiple_of(SIZE_STEP) {
            return wrong(format!(
                "size {} is not a multiple of {SIZE_STEP} from {} to {}",
                self.size,
                SIZES.start(),
                SIZES.end()
            ));
        }
        if !(1..=MAX_STEPS).contains(&self.steps) {
            return wrong(format!(
                "{} steps are not from 1 to {MAX_STEPS}",
                self.steps
            ));
        }
        if !(1..=MAX_COUNT).contains(&self.count) {
            return wrong(format!(
                "{} pictures are not from 1 to {MAX_COUNT}",
                self.count
            ));
        }
        if self.seed.checked_add(self.count as u64).is_none() {
            return wrong(format!(
                "seed {} leaves no room for {} pictures",
                self.seed, self.count
            ));
        }
        if !(0.0..=MAX_GUIDANCE).contains(&self.guidance) {
            return wrong(format!(
                "guidance {} is not from 0 to {MAX_GUIDANCE}",
                self.guidance
            ));
        }
        let (from, to) = self.guidance_interval;
        if !(0.0..=1.0).contains(&from) || !(from..=1.0).contains(&to) {
            return wrong(format!("guidance interval {from}..{to} is not within 0..1"));
        }
        let (width, height) = match &self.condition {
            Condition::Mask(mask) => {
                mask.check()?;
                (mask.width, mask.height)
            }
            Condition::Sketch(sketch) => {
                sketch.check()?;
                (sketch.width, sketch.height)
            }
            Condition::None => (1, 1),
        };
        if width.max(height) > MAX_CONDITION_SIDE {
            return wrong(format!(
                "the condition is {width} x {height}; at most {MAX_CONDITION_SIDE} a side"
            ));
        }
        match &self.fork {
            Some(fork) if fork.step >= self.steps => wrong(format!(
                "the fork starts after step {}, but there are {} steps",
                fork.step, self.steps
            )),
            _ => Ok(()),
        }
    }

    /// Whether guidance acts on step `index` (from 0) of `steps`: the step's middle must lie in
    /// the interval.
    pub fn guides(&self, index: usize) -> bool {
        let (from, to) = self.guidance_interval;
        let middle = (index as f64 + 0.5) / self.steps as f64;
        self.guidance != 1.0 && (from..=to).contains(&middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_named() {
        let wrong = |change: &dyn Fn(&mut Job)| {
            let mut job = Job::default();
            change(&mut job);
            job.validate().expect_err("must be refused").to_string()
        };
        assert!(Job::default().validate().is_ok());
        assert!(wrong(&|job| job.size = 130).contains("size 130 is not a multiple of 16"));
        assert!(wrong(&|job| job.size = 48).contains("from 64 to 1024"));
        assert!(wrong(&|job| job.steps = 0).contains("0 steps"));
        assert!(wrong(&|job| job.count = 0).contains("0 pictures"));
        assert!(wrong(&|job| job.seed = u64::MAX).contains("leaves no room"));
        assert!(wrong(&|job| job.guidance = f64::NAN).contains("guidance NaN"));
        assert!(wrong(&|job| job.guidance_interval = (0.7, 0.2)).contains("interval"));
        assert!(
            wrong(&|job| job.fork = Some(Fork {
                step: 20,
                latent: vec![]
            }))
            .contains("fork")
        );
        let label = |labels: Vec<u8>| {
            Condition::Mask(LabelImage {
                width: 2,
                height: 1,
                labels,
            })
        };
        assert!(wrong(&|job| job.condition = label(vec![0, 19])).contains("class 19"));
        assert!(wrong(&|job| job.condition = label(vec![0])).contains("2 x 1"));
    }

    #[test]
    fn interval_counts_the_middle_of_a_step() {
        let job = Job {
            steps: 4,
            guidance_interval: (0.2, 0.8),
            ..Job::default()
        };
        let guided: Vec<bool> = (0..4).map(|index| job.guides(index)).collect();
        assert_eq!(guided, [false, true, true, false]);
        assert!(
            !Job {
                guidance: 1.0,
                ..Job::default()
            }
            .guides(0)
        );
    }
}
