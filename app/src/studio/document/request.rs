//! What a person has set for the next pictures.

use mmface_engine::job::{Condition, ConditionKind, Draw, Job, SIZE_STEP, SIZES};

/// Most pictures that the panel offers at once.
pub const MAX_PICTURES: usize = 64;

/// What a person has set for the next pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// What the face follows.
    pub follow: ConditionKind,
    /// Prompt, seed, steps and the like; the prompt may hold groups of alternatives.
    pub draw: Draw,
    /// The seed stays as it is from one generation to the next.
    pub seed_locked: bool,
}

impl Request {
    /// The job of these values.
    pub fn job(&self, condition: Condition) -> Job {
        Job {
            draw: Draw {
                prompt: self.draw.prompt.trim().to_string(),
                negative: self.draw.negative.trim().to_string(),
                ..self.draw.clone()
            },
            condition,
            fork: None,
        }
    }

    /// Takes on the values of a job: a result comes back. The seed's lock stays as it is.
    pub fn take(&mut self, job: &Job) {
        self.follow = job.condition.kind();
        self.draw.clone_from(&job.draw);
    }

    /// Puts every value into the range that the panel offers: fields are typed into, files are
    /// edited.
    pub fn tidy(&mut self) {
        self.draw.tidy();
        self.draw.count = self.draw.count.min(MAX_PICTURES);
    }

    /// Rolls the seed unless it is locked.
    pub fn next_seed(&mut self) {
        if !self.seed_locked {
            self.draw.seed = random_seed();
        }
    }
}

/// The next smaller side to try when memory ran out; `None` at the smallest.
pub fn smaller_size(size: usize) -> Option<usize> {
    let smaller = size * 3 / 4 / SIZE_STEP * SIZE_STEP;
    (smaller >= *SIZES.start()).then_some(smaller)
}

/// A seed that nobody chose, short enough to be read out.
pub fn random_seed() -> u64 {
    mmface_engine::system::random() >> 32
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::near_size;

    use super::*;

    #[test]
    fn seeds_roll_unless_locked() {
        let mut request = Request::default();
        request.next_seed();
        let first = request.draw.seed;
        request.next_seed();
        assert!(request.draw.seed != first && request.draw.seed <= u64::from(u32::MAX));
        request.seed_locked = true;
        let kept = request.draw.seed;
        request.next_seed();
        assert_eq!(request.draw.seed, kept);
    }

    #[test]
    fn a_job_comes_back_as_the_request_that_made_it() {
        let mut request = Request {
            follow: ConditionKind::None,
            draw: Draw {
                prompt: "a face".into(),
                seed: 7,
                count: 3,
                interval: (0.1, 0.9),
                ..Draw::default()
            },
            ..Request::default()
        };
        let mut back = Request::default();
        back.take(&request.job(Condition::None));
        assert_eq!(back, request);
        request.draw.prompt = " padded ".into();
        assert_eq!(request.job(Condition::None).draw.prompt, "padded");
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
}
