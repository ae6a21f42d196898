//! The values of a drawing: everything that a person sets for it apart from the drawing itself.

use serde::{Deserialize, Serialize};

use super::{Guide, Named as _, Sampler};
use crate::{Error, Result};

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

/// Lists the values once: whole they are a [`Draw`], a part of them is [`DrawChanges`].
macro_rules! values {
    ($($(#[$about:meta])* $name:ident: $type:ty,)*) => {
        /// What a person sets for a drawing; a [`Job`](super::Job) adds what the face must follow.
        ///
        /// A value that a file lacks is the default's: files from before a value was added draw
        /// what they drew. One that this program does not know is refused: without it the
        /// picture would be another.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Draw {
            $($(#[$about])* pub $name: $type,)*
        }

        /// Some of the values of a [`Draw`]: what a model suggests, what a command line says, what
        /// another program's picture tells. `None` leaves a value as it is.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct DrawChanges {
            $(
                #[doc = concat!("[`Draw::", stringify!($name), "`], if it is among them.")]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )*
        }

        impl DrawChanges {
            /// Changes the values that are among them.
            pub fn apply(&self, draw: &mut Draw) {
                $(if let Some(value) = &self.$name {
                    draw.$name.clone_from(value);
                })*
            }

            /// These values without those that were touched: that are not what `before` set them
            /// to.
            pub fn untouched(&self, before: &Self, draw: &Draw) -> Self {
                Self {
                    $($name: self.$name.clone().filter(|_| before.$name.as_ref() == Some(&draw.$name)),)*
                }
            }
        }

        impl From<Draw> for DrawChanges {
            /// All values.
            fn from(draw: Draw) -> Self {
                Self { $($name: Some(draw.$name),)* }
            }
        }
    };
}

values! {
    /// What the face should look like; empty = unconditional.
    prompt: String,
    /// What guidance moves away from; usually empty.
    negative: String,
    /// Picture i is drawn from noise of seed + i.
    seed: u64,
    /// Number of pictures, at least 1.
    count: usize,
    /// Side in pixels, a multiple of 16 from 64 to 1024.
    size: usize,
    /// Sampling steps, at least 1.
    steps: usize,
    /// The sampler; must fit the model's objective.
    sampler: Sampler,
    /// Guidance weight w: out = u + w · (c − u); 1 = no guidance.
    guidance: f64,
    /// Fractions of the sampling in which guidance acts, `(from, to)` in 0..=1.
    interval: (f64, f64),
    /// What guidance strengthens.
    #[serde(skip_serializing_if = "Guide::is_default")]
    guide: Guide,
}

/// One value in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its option on the command line, without the dashes.
    pub option: &'static str,
    /// Its name in the studio.
    pub title: &'static str,
    /// As the command line takes it.
    pub text: String,
    /// As the studio shows it.
    pub shown: String,
}

impl Default for Draw {
    /// One picture without a prompt: 256², 20 Euler steps, the paper's guidance of 7.5.
    fn default() -> Self {
        Self {
            prompt: String::new(),
            negative: String::new(),
            seed: 0,
            count: 1,
            size: 256,
            steps: 20,
            sampler: Sampler::Euler,
            guidance: 7.5,
            interval: (0.0, 1.0),
            guide: Guide::default(),
        }
    }
}

impl Draw {
    /// Checks every value that does not depend on the model.
    ///
    /// # Errors
    /// [`Error::Argument`] with the first value that is out of its range.
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
        let (from, to) = self.interval;
        if !(0.0..=1.0).contains(&from) || !(from..=1.0).contains(&to) {
            return wrong(format!("guidance interval {from}..{to} is not within 0..1"));
        }
        Ok(())
    }

    /// Puts every value into its range: fields are typed into, files are edited.
    pub fn tidy(&mut self) {
        let Self {
            prompt: _,
            negative: _,
            seed,
            count,
            size,
            steps,
            sampler: _,
            guidance,
            interval: (from, to),
            guide: _,
        } = self;
        *size = near_size(*size);
        *steps = (*steps).clamp(1, MAX_STEPS);
        *count = (*count).clamp(1, MAX_COUNT);
        *seed = (*seed).min(u64::MAX - MAX_COUNT as u64);
        if !guidance.is_finite() {
            *guidance = Self::default().guidance;
        }
        *guidance = guidance.clamp(0.0, MAX_GUIDANCE);
        if !from.is_finite() || !to.is_finite() {
            (*from, *to) = Self::default().interval;
        }
        *from = from.clamp(0.0, 1.0);
        *to = to.clamp(*from, 1.0);
    }

    /// Every value in words, in the order in which a person reads them.
    pub fn values(&self) -> Vec<Value> {
        let Self {
            prompt,
            negative,
            seed,
            count,
            size,
            steps,
            sampler,
            guidance,
            interval: (from, to),
            guide,
        } = self;
        let plain = |option, title, text: String| Value {
            option,
            title,
            shown: text.clone(),
            text,
        };
        let named = |option, title, text: &str, shown: &str| Value {
            option,
            title,
            text: text.into(),
            shown: shown.into(),
        };
        vec![
            plain("prompt", "Prompt", prompt.clone()),
            plain("negative", "Negative", negative.clone()),
            plain("seed", "Seed", seed.to_string()),
            plain("num-samples", "Pictures", count.to_string()),
            named(
                "size",
                "Size",
                &size.to_string(),
                &format!("{size} × {size}"),
            ),
            plain("steps", "Steps", steps.to_string()),
            named("sampler", "Sampler", sampler.name(), sampler.title()),
            plain("guidance", "Guidance", guidance.to_string()),
            named(
                "guidance-interval",
                "Guided part",
                &format!("{from}:{to}"),
                &format!("{from} to {to}"),
            ),
            named("guide", "Strengthens", guide.name(), guide.title()),
        ]
    }

    /// Whether guidance acts on step `index` (from 0) of `steps`: the step's middle must lie in
    /// the interval.
    pub fn guides(&self, index: usize) -> bool {
        let (from, to) = self.interval;
        let middle = (index as f64 + 0.5) / self.steps as f64;
        self.guidance != 1.0 && (from..=to).contains(&middle)
    }
}

/// The nearest side that a job takes.
pub fn near_size(size: usize) -> usize {
    let size = size.clamp(*SIZES.start(), *SIZES.end());
    (size + SIZE_STEP / 2) / SIZE_STEP * SIZE_STEP
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wrong_values_are_named() {
        let wrong = |change: &dyn Fn(&mut Draw)| {
            let mut draw = Draw::default();
            change(&mut draw);
            draw.validate().expect_err("must be refused").to_string()
        };
        assert!(Draw::default().validate().is_ok());
        assert!(wrong(&|draw| draw.size = 130).contains("size 130 is not a multiple of 16"));
        assert!(wrong(&|draw| draw.size = 48).contains("from 64 to 1024"));
        assert!(wrong(&|draw| draw.steps = 0).contains("0 steps"));
        assert!(wrong(&|draw| draw.count = 0).contains("0 pictures"));
        assert!(wrong(&|draw| draw.seed = u64::MAX).contains("leaves no room"));
        assert!(wrong(&|draw| draw.guidance = f64::NAN).contains("guidance NaN"));
        assert!(wrong(&|draw| draw.interval = (0.7, 0.2)).contains("interval"));
    }

    #[test]
    fn interval_counts_the_middle_of_a_step() {
        let draw = Draw {
            steps: 4,
            interval: (0.2, 0.8),
            ..Draw::default()
        };
        let guided: Vec<bool> = (0..4).map(|index| draw.guides(index)).collect();
        assert_eq!(guided, [false, true, true, false]);
        assert!(
            !Draw {
                guidance: 1.0,
                ..Draw::default()
            }
            .guides(0)
        );
    }

    #[test]
    fn suggestions_leave_touched_values_alone() {
        let suggests = |guidance, size| DrawChanges {
            guidance: Some(guidance),
            size: Some(size),
            ..DrawChanges::default()
        };
        let mut draw = Draw::default();
        let first = suggests(1.5, 128);
        let all = DrawChanges::from(draw.clone());
        first.untouched(&all, &draw).apply(&mut draw);
        assert_eq!((draw.guidance, draw.size), (1.5, 128));
        draw.guidance = 4.0;
        let second = suggests(7.5, 512);
        second.untouched(&first, &draw).apply(&mut draw);
        assert_eq!((draw.guidance, draw.size), (4.0, 512));
        // Values from a file: nothing of them is a model's suggestion.
        let none = DrawChanges::default();
        assert_eq!(suggests(2.0, 64).untouched(&none, &draw), none);
    }

    #[test]
    fn files_without_a_value_take_the_default_and_unknown_values_are_refused() {
        let draw: Draw = ron::from_str("(steps:7)").expect("reads");
        let expected = Draw {
            steps: 7,
            ..Draw::default()
        };
        assert_eq!(draw, expected);
        let error = ron::from_str::<Draw>("(aura:3)").expect_err("unknown");
        assert!(error.to_string().contains("aura"), "{error}");
    }

    proptest! {
        #[test]
        fn any_tidied_values_are_valid(
            size in 0usize..5000, steps in 0usize..100_000, count in 0usize..5000,
            seed: u64, guidance: f64, from: f64, to: f64,
        ) {
            let mut draw = Draw { size, steps, count, seed, guidance, interval: (from, to), ..Draw::default() };
            draw.tidy();
            prop_assert!(draw.validate().is_ok());
        }
    }
}
