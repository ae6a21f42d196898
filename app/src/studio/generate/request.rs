//! What a person has set for the next pictures, as plain values that a project file keeps.

use std::hash::{BuildHasher, RandomState};

use mmface_engine::contract::ModelSummary;
use mmface_engine::job::{
    Condition, Guide, Job, MAX_GUIDANCE, MAX_STEPS, SIZE_STEP, SIZES, Sampler,
};
use serde::{Deserialize, Serialize};

/// Most pictures that the panel offers at once.
pub const MAX_PICTURES: usize = 64;

/// What the face follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Follow {
    /// The painted classes.
    #[default]
    Mask,
    /// The drawn lines.
    Sketch,
    /// The prompt alone.
    None,
}

impl Follow {
    /// All, in the order of the switch.
    pub const ALL: [Self; 3] = [Self::Mask, Self::Sketch, Self::None];

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Mask => "Mask",
            Self::Sketch => "Sketch",
            Self::None => "None",
        }
    }
}

/// What a person has set for the next pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// What the face follows.
    pub follow: Follow,
    /// What the face should look like; may hold groups of alternatives.
    pub prompt: String,
    /// What guidance moves away from.
    pub negative: String,
    /// Seed of the next picture.
    pub seed: u64,
    /// The seed stays as it is from one generation to the next.
    pub seed_locked: bool,
    /// Side in pixels.
    pub size: usize,
    /// Sampling steps.
    pub steps: usize,
    /// Guidance weight.
    pub guidance: f64,
    /// Fractions of the sampling in which guidance acts.
    pub guidance_interval: (f64, f64),
    /// What guidance strengthens.
    pub guide: Guide,
    /// The sampler.
    pub sampler: Sampler,
    /// Number of pictures.
    pub count: usize,
}

impl Default for Request {
    fn default() -> Self {
        let job = Job::default();
        Self {
            follow: Follow::default(),
            prompt: job.prompt,
            negative: job.negative,
            seed: job.seed,
            seed_locked: false,
            size: job.size,
            steps: job.steps,
            guidance: job.guidance,
            guidance_interval: job.guidance_interval,
            guide: job.guide,
            sampler: job.sampler,
            count: job.count,
        }
    }
}

impl Request {
    /// The job of these values.
    pub fn job(&self, condition: Condition) -> Job {
        Job {
            condition,
            prompt: self.prompt.trim().to_string(),
            negative: self.negative.trim().to_string(),
            seed: self.seed,
            count: self.count,
            size: self.size,
            steps: self.steps,
            sampler: self.sampler,
            guidance: self.guidance,
            guidance_interval: self.guidance_interval,
            guide: self.guide,
            fork: None,
        }
    }

    /// Takes on the values of a job: a result comes back. The seed's lock stays as it is.
    pub fn take(&mut self, job: &Job) {
        *self = Self {
            follow: match job.condition {
                Condition::Mask(_) => Follow::Mask,
                Condition::Sketch(_) => Follow::Sketch,
                Condition::None => Follow::None,
            },
            prompt: job.prompt.clone(),
            negative: job.negative.clone(),
            seed: job.seed,
            seed_locked: self.seed_locked,
            size: job.size,
            steps: job.steps,
            guidance: job.guidance,
            guidance_interval: job.guidance_interval,
            guide: job.guide,
            sampler: job.sampler,
            count: job.count,
        };
    }

    /// Puts every value into the range that a job takes: fields are typed into, files are edited.
    pub fn tidy(&mut self) {
        self.size = near_size(self.size);
        self.steps = self.steps.clamp(1, MAX_STEPS);
        self.count = self.count.clamp(1, MAX_PICTURES);
        self.seed = self.seed.min(u64::MAX - MAX_PICTURES as u64 - 1);
        if !self.guidance.is_finite() {
            self.guidance = Job::default().guidance;
        }
        self.guidance = self.guidance.clamp(0.0, MAX_GUIDANCE);
        let (from, to) = self.guidance_interval;
        if !from.is_finite() || !to.is_finite() {
            self.guidance_interval = (0.0, 1.0);
        } else {
            let from = from.clamp(0.0, 1.0);
            self.guidance_interval = (from, to.clamp(from, 1.0));
        }
    }

    /// Rolls the seed unless it is locked.
    pub fn next_seed(&mut self) {
        if !self.seed_locked {
            self.seed = random_seed();
        }
    }
}

/// The nearest side that a job takes.
pub fn near_size(size: usize) -> usize {
    let size = size.clamp(*SIZES.start(), *SIZES.end());
    (size + SIZE_STEP / 2) / SIZE_STEP * SIZE_STEP
}

/// The next smaller side to try when memory ran out; `None` at the smallest.
pub fn smaller_size(size: usize) -> Option<usize> {
    let smaller = size * 3 / 4 / SIZE_STEP * SIZE_STEP;
    (smaller >= *SIZES.start()).then_some(smaller)
}

/// A seed that nobody chose, short enough to be read out.
pub fn random_seed() -> u64 {
    // Every `RandomState` has keys of its own from the system's random numbers.
    RandomState::new().hash_one(0u8) >> 32
}

/// The samplers of an objective (`flow` or `diffusion`).
pub fn samplers(objective: &str) -> &'static [Sampler] {
    match objective {
        "flow" => &[Sampler::Euler, Sampler::Heun],
        _ => &[Sampler::DpmPp2M, Sampler::UniPc, Sampler::Ddim],
    }
}

/// What a model suggests. Values that a person has not touched follow from model to model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suggested {
    /// Side in pixels.
    pub size: usize,
    /// Guidance weight.
    pub guidance: f64,
    /// What guidance strengthens.
    pub guide: Guide,
    /// The sampler.
    pub sampler: Sampler,
}

impl Default for Suggested {
    fn default() -> Self {
        let job = Job::default();
        Self {
            size: job.size,
            guidance: job.guidance,
            guide: job.guide,
            sampler: job.sampler,
        }
    }
}

impl Suggested {
    /// What a model suggests.
    pub fn of(model: &ModelSummary) -> Self {
        Self {
            size: near_size(model.resolution),
            guidance: model.default_guidance,
            guide: model.default_guide,
            sampler: model.default_sampler,
        }
    }

    /// Changes the values that still are what the model before suggested, and the sampler where it
    /// does not fit the new one.
    pub fn follow(self, before: Self, objective: &str, request: &mut Request) {
        if request.size == before.size {
            request.size = self.size;
        }
        if request.guidance == before.guidance {
            request.guidance = self.guidance;
        }
        if request.guide == before.guide {
            request.guide = self.guide;
        }
        if request.sampler == before.sampler || !samplers(objective).contains(&request.sampler) {
            request.sampler = self.sampler;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn untouched_values_follow_the_model_and_touched_ones_stay() {
        let model = ModelSummary {
            resolution: 128,
            default_guidance: 1.5,
            objective: "flow".into(),
            ..ModelSummary::default()
        };
        let mut request = Request {
            guidance: 4.0,
            ..Request::default()
        };
        let first = Suggested::of(&model);
        first.follow(Suggested::default(), "flow", &mut request);
        assert_eq!((request.size, request.guidance), (128, 4.0));
        let other = Suggested {
            size: 512,
            guidance: 7.5,
            guide: first.guide,
            sampler: Sampler::DpmPp2M,
        };
        request.sampler = Sampler::Heun;
        other.follow(first, "diffusion", &mut request);
        assert_eq!((request.size, request.guidance), (512, 4.0));
        assert_eq!(request.sampler, Sampler::DpmPp2M, "Heun does not fit");
    }

    #[test]
    fn seeds_roll_unless_locked() {
        let mut request = Request::default();
        request.next_seed();
        let first = request.seed;
        request.next_seed();
        assert!(request.seed != first && request.seed <= u64::from(u32::MAX));
        request.seed_locked = true;
        let kept = request.seed;
        request.next_seed();
        assert_eq!(request.seed, kept);
    }

    #[test]
    fn a_job_comes_back_as_the_request_that_made_it() {
        let mut request = Request {
            follow: Follow::None,
            prompt: "a face".into(),
            seed: 7,
            count: 3,
            guidance_interval: (0.1, 0.9),
            ..Request::default()
        };
        let mut back = Request::default();
        back.take(&request.job(Condition::None));
        assert_eq!(back, request);
        request.prompt = " padded ".into();
        assert_eq!(request.job(Condition::None).prompt, "padded");
    }

    #[test]
    fn smaller_sizes_end() {
        let mut size = 1024;
        let mut sizes = Vec::new();
        while let Some(next) = smaller_size(size) {
            size = next;
            sizes.push(size);
        }
        assert_eq!(sizes[..3], [768, 576, 432]);
        assert!(sizes.iter().all(|size| *size == near_size(*size)));
        assert_eq!(smaller_size(64), None);
    }

    proptest! {
        #[test]
        fn any_tidied_request_is_a_valid_job(
            size in 0usize..5000, steps in 0usize..100_000, count in 0usize..5000,
            seed: u64, guidance: f64, from: f64, to: f64,
        ) {
            let mut request = Request { size, steps, count, seed, guidance,
                guidance_interval: (from, to), ..Request::default() };
            request.tidy();
            prop_assert!(request.job(Condition::None).validate().is_ok());
        }
    }
}
