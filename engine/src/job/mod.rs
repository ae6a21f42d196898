//! What one generation is asked to do: the recipe that is written into a picture and replayed.

mod condition;
mod draw;
mod fork;
mod format_1;
mod guide;
mod named;
mod objective;
mod sampler;
mod sweep;

use serde::{Deserialize, Serialize};

pub use condition::{Condition, ConditionKind, MAX_CONDITION_SIDE};
pub use draw::{
    Draw, DrawChanges, MAX_COUNT, MAX_GUIDANCE, MAX_STEPS, SIZE_STEP, SIZES, Value, near_size,
};
pub use fork::Fork;
pub use guide::Guide;
#[cfg(feature = "clap")]
pub use named::parser;
pub use named::{Named, list};
pub use objective::Objective;
pub use sampler::Sampler;
pub use sweep::{Cell, Sweep, has_groups};

use crate::{Error, Result};

/// One generation (ARCHITECTURE.md, "One job"). Serialisable: it is what `replay` runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "format_1::EitherJob")]
pub struct Job {
    /// Prompt, seed, steps and the like.
    pub draw: Draw,
    /// What the face must follow.
    pub condition: Condition,
    /// Where to go on from, instead of from noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

impl Job {
    /// Sampling steps of all pictures together.
    pub fn total_steps(&self) -> usize {
        let skipped = self.fork.as_ref().map_or(0, |fork| fork.step);
        let steps = self.draw.steps.saturating_sub(skipped);
        self.draw.count.saturating_mul(steps)
    }

    /// Checks every value that does not depend on the model.
    ///
    /// # Errors
    /// [`Error::Argument`] with the first value that is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.draw.validate()?;
        self.condition.validate()?;
        match &self.fork {
            Some(fork) if fork.step >= self.draw.steps => Err(Error::Argument(format!(
                "the fork starts after step {}, but there are {} steps",
                fork.step, self.draw.steps
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelImage;

    #[test]
    fn wrong_values_are_named() {
        let wrong = |change: &dyn Fn(&mut Job)| {
            let mut job = Job::default();
            change(&mut job);
            job.validate().expect_err("must be refused").to_string()
        };
        assert!(Job::default().validate().is_ok());
        assert!(wrong(&|job| job.draw.steps = 0).contains("0 steps"));
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
}
