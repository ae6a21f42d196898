//! Which preview a step gets: the dearest rung of the ladder that stays within 5 % of the job's time.

use std::time::{Duration, Instant};

use candle_core::Tensor;

use super::codec::LatentCodec;
use crate::Result;
use crate::contract::PreviewPolicy;
use crate::picture::RgbImage;

/// Part of a job's time that previews may take.
const BUDGET: f64 = 0.05;
/// Steps at the beginning that are all shown: there the picture changes most.
const FIRST_STEPS: usize = 3;
/// A rung that cannot show this many previews is too dear.
const FEWEST: usize = 4;

/// A way from latent to colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rung {
    /// One matrix, at the latent's size.
    Linear,
    /// The tiny decoder.
    Tiny,
    /// The decoder itself.
    Vae,
}

/// Seconds that a preview of a latent of this many values takes, as far as measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs {
    linear: Option<(usize, f64)>,
    tiny: Option<(usize, f64)>,
    vae: Option<(usize, f64)>,
}

impl Costs {
    /// Remembers a measurement.
    pub(super) fn learn(&mut self, rung: Rung, values: usize, seconds: f64) {
        let slot = match rung {
            Rung::Linear => &mut self.linear,
            Rung::Tiny => &mut self.tiny,
            Rung::Vae => &mut self.vae,
        };
        *slot = Some((values, seconds));
    }

    /// What a preview will take; scaled from another size when need be.
    fn of(&self, rung: Rung, values: usize) -> Option<f64> {
        let (measured, seconds) = match rung {
            Rung::Linear => self.linear,
            Rung::Tiny => self.tiny,
            Rung::Vae => self.vae,
        }?;
        Some(seconds * values as f64 / measured.max(1) as f64)
    }
}

/// Decides for each step of one job.
pub(super) struct Ladder<'a> {
    policy: PreviewPolicy,
    codec: &'a LatentCodec,
    costs: &'a mut Costs,
    /// Steps of one picture.
    steps: usize,
    /// Time spent on previews and on steps.
    spent: f64,
    stepped: f64,
}

impl<'a> Ladder<'a> {
    /// A job begins.
    pub(super) fn new(
        policy: PreviewPolicy,
        codec: &'a LatentCodec,
        costs: &'a mut Costs,
        steps: usize,
    ) -> Self {
        Self {
            policy,
            codec,
            costs,
            steps,
            spent: 0.0,
            stepped: 0.0,
        }
    }

    /// A step took this long; step counts from 1 within its picture. Makes a preview of the
    /// predicted clean latent when one is due and affordable.
    ///
    /// # Shapes
    /// - clean: `[1, channels, side, side]`
    ///
    /// # Errors
    /// When the latent does not fit the codec, or a decoded value is not finite.
    pub(super) fn after_step(
        &mut self,
        step: usize,
        took: Duration,
        clean: Option<&Tensor>,
    ) -> Result<Option<RgbImage>> {
        self.stepped += took.as_secs_f64();
        let Some(clean) = clean else { return Ok(None) };
        // The finished picture follows the last step at once.
        if self.policy == PreviewPolicy::Off || step >= self.steps {
            return Ok(None);
        }
        let values = clean.elem_count();
        let Some(rung) = self.rung(values, took.as_secs_f64()) else {
            return Ok(None);
        };
        let cost = self.costs.of(rung, values).unwrap_or(0.0);
        let every = interval(cost, took.as_secs_f64(), self.steps);
        let due = step <= FIRST_STEPS || step.is_multiple_of(every);
        // The first step has no past to pay from: count the steps that are sure to come.
        let paid = self.stepped.max(took.as_secs_f64() * self.steps as f64);
        if !due || self.spent + cost > BUDGET * paid {
            return Ok(None);
        }
        let began = Instant::now();
        let image = match rung {
            Rung::Linear => self.codec.preview_linear(clean)?,
            Rung::Tiny => self.codec.preview_tiny(clean)?,
            Rung::Vae => Some(self.codec.decode(clean, false)?),
        };
        let seconds = began.elapsed().as_secs_f64();
        self.costs.learn(rung, values, seconds);
        self.spent += seconds;
        Ok(image)
    }

    fn rung(&self, values: usize, step: f64) -> Option<Rung> {
        let has = |rung: Rung| match rung {
            Rung::Linear => self.codec.has_linear_preview(),
            Rung::Tiny => self.codec.has_tiny(),
            Rung::Vae => true,
        };
        let wanted = match self.policy {
            PreviewPolicy::Off => return None,
            PreviewPolicy::Linear => [Rung::Linear].as_slice(),
            PreviewPolicy::Tiny => &[Rung::Tiny, Rung::Linear],
            PreviewPolicy::Vae => &[Rung::Vae, Rung::Linear],
            PreviewPolicy::Auto => &[Rung::Vae, Rung::Tiny, Rung::Linear],
        };
        wanted
            .iter()
            .copied()
            .filter(|rung| has(*rung))
            .find(|rung| match self.costs.of(*rung, values) {
                Some(cost) => affordable(cost, step, self.steps) >= FEWEST,
                // The linear map costs next to nothing; a decoder is not tried before its cost is known.
                None => *rung == Rung::Linear || self.policy != PreviewPolicy::Auto,
            })
    }
}

/// Previews of this cost that fit into a job.
fn affordable(cost: f64, step: f64, steps: usize) -> usize {
    (BUDGET * step * steps as f64 / cost.max(1e-9)) as usize
}

/// After the first steps, every how many steps a preview is made.
fn interval(cost: f64, step: f64, steps: usize) -> usize {
    let later = affordable(cost, step, steps)
        .saturating_sub(FIRST_STEPS)
        .max(1);
    steps.div_ceil(later).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_keeps_the_budget() {
        for (cost, step, steps) in [
            (0.001, 0.1, 20),
            (0.04, 0.1, 50),
            (0.2, 1.0, 50),
            (1e-6, 0.001, 4),
        ] {
            let every = interval(cost, step, steps);
            let shown = FIRST_STEPS + steps / every;
            assert!(
                affordable(cost, step, steps) >= shown || every >= steps / 2,
                "{cost} {step} {steps}: {every}"
            );
        }
        assert_eq!(
            interval(1e-6, 1.0, 20),
            1,
            "cheap ones come with every step"
        );
    }

    #[test]
    fn costs_scale_with_the_latent() {
        let mut costs = Costs::default();
        assert_eq!(costs.of(Rung::Vae, 100), None);
        costs.learn(Rung::Vae, 100, 0.5);
        assert_eq!(costs.of(Rung::Vae, 400), Some(2.0));
    }
}
