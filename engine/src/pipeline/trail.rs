//! Remembers points on the way to a picture, so that another job can branch off there.

use super::codec::LatentCodec;
use crate::Result;
use crate::contract::{Trail, TrailStep};
use crate::job::Fork;
use crate::picture::RgbImage;
use crate::provenance::pixel_hash;
use crate::sampling::Walk;

/// Most bytes of latents that one job remembers; pictures after that have no trail.
const BUDGET: usize = 64 << 20;

/// The trails of one job's pictures.
pub(super) struct Trails {
    wanted: usize,
    steps: usize,
    budget: usize,
    kept: Vec<TrailStep>,
}

impl Trails {
    /// Remembers at most `wanted` points of each picture; none costs nothing.
    pub(super) fn new(wanted: usize, steps: usize) -> Self {
        Self {
            wanted,
            steps,
            budget: BUDGET,
            kept: Vec::new(),
        }
    }

    /// Looks at a walk after a step.
    ///
    /// # Errors
    /// When the latent does not fit the codec.
    pub(super) fn after_step(&mut self, codec: &LatentCodec, walk: &Walk) -> Result<()> {
        let bytes = walk.latent().elem_count() * size_of::<f32>();
        if !keeps(walk.step(), self.steps, self.wanted) || bytes > self.budget {
            return Ok(());
        }
        self.budget -= bytes;
        let preview = match walk.clean() {
            Some(clean) if codec.has_tiny() => codec.preview_tiny(clean)?,
            Some(clean) => codec.preview_linear(clean)?,
            None => None,
        };
        self.kept.push(TrailStep {
            fork: Fork {
                step: walk.step(),
                latent: walk.latent().flatten_all()?.to_vec1()?,
            },
            preview,
        });
        Ok(())
    }

    /// The picture is finished; its trail, when there is one.
    pub(super) fn finish(&mut self, image: &RgbImage) -> Option<Trail> {
        let steps = std::mem::take(&mut self.kept);
        (!steps.is_empty()).then(|| Trail {
            pixels: pixel_hash(image),
            steps,
        })
    }
}

/// Whether step `step` (from 1) of `steps` is one of `wanted` that lie evenly between start and
/// end. The end is never one: that is the picture.
fn keeps(step: usize, steps: usize, wanted: usize) -> bool {
    let passed = |step: usize| step * (wanted + 1) / steps.max(1);
    wanted > 0 && (1..steps).contains(&step) && passed(step) > passed(step - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_steps_lie_evenly_and_never_at_the_end() {
        let kept = |steps, wanted| {
            (1..=steps)
                .filter(|step| keeps(*step, steps, wanted))
                .collect::<Vec<_>>()
        };
        assert!(kept(20, 0).is_empty());
        assert_eq!(kept(20, 4), [4, 8, 12, 16]);
        assert_eq!(kept(4, 8), [1, 2, 3], "no more than there are");
        assert!(kept(1, 8).is_empty());
        for (steps, wanted) in [(50, 8), (7, 3), (999, 10)] {
            assert_eq!(kept(steps, wanted).len(), wanted, "{steps} {wanted}");
        }
    }
}
