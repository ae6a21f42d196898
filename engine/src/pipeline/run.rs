//! One job on loaded parts.

use std::time::Instant;

use candle_core::Tensor;

use super::parts::Parts;
use super::preview::{Costs, Ladder, Rung};
use super::sample::{Conditioning, Evaluator, sample};
use super::trail::Trails;
use crate::contract::{Attempt, Cancel, Observer, Picture, PreviewPolicy};
use crate::job::{Condition, Job};
use crate::picture::RgbImage;
use crate::{Error, Result};

/// Condition latents that are remembered: a person goes back and forth between a few.
const REMEMBERED: usize = 4;

/// What one job leaves for the next.
#[derive(Default)]
pub(super) struct Memory {
    conditions: Vec<(Condition, usize, Tensor)>,
    costs: Costs,
}

impl Memory {
    /// The latent of a condition, computed once.
    fn condition(&mut self, parts: &Parts, condition: &Condition, size: usize) -> Result<Tensor> {
        let known = self
            .conditions
            .iter()
            .position(|(known, at, _)| *at == size && known == condition);
        if let Some(known) = known {
            let entry = self.conditions.remove(known);
            let latent = entry.2.clone();
            self.conditions.push(entry);
            return Ok(latent);
        }
        let latent = parts.codec.encode(condition, size)?;
        if self.conditions.len() >= REMEMBERED {
            self.conditions.remove(0);
        }
        self.conditions
            .push((condition.clone(), size, latent.clone()));
        Ok(latent)
    }

    /// Lets go of tensors; measurements stay.
    pub(super) fn forget(&mut self) {
        self.conditions.clear();
    }
}

/// Runs a job: pictures one after the other, so that none depends on its neighbours.
///
/// # Errors
/// When the job does not hold [`Job::validate`] or does not fit the model, its condition cannot be
/// encoded, a value stops being finite, the device fails, or `cancel` is raised.
pub(super) fn run(
    parts: &Parts,
    kept: &mut Memory,
    previews: PreviewPolicy,
    job: &Job,
    attempt: Attempt,
    observer: &mut dyn Observer,
    cancel: &Cancel,
) -> Result<Vec<Picture>> {
    job.validate()?;
    parts.check(job)?;
    cancel.check()?;
    let (prompt, features) = parts.text.encode(&job.draw.prompt)?;
    if let Some(warning) = prompt.warning() {
        observer.warning(warning);
    }
    let negative = match (0..job.draw.steps).any(|step| job.draw.guides(step)) {
        true => parts.text.encode(&job.draw.negative)?.1,
        false => features.clone(),
    };
    cancel.check()?;
    let condition = kept.condition(parts, &job.condition, job.draw.size)?;
    let conditioning = Conditioning {
        latent: &condition,
        modality: job.condition.kind().modality(),
        prompt: &features,
        negative: &negative,
    };
    let mut tiled = attempt.tiled_decoding;
    let first = conditioning.start(job, job.draw.seed, &parts.schedule)?;
    let mut evaluator = Evaluator::new(&parts.dit, &conditioning, job, &first)?;
    let of = job.total_steps();
    let mut done = 0;
    let mut pictures = Vec::with_capacity(job.draw.count);
    let mut decode_cost = None;
    let mut ladder = Ladder::new(previews, &parts.codec, &mut kept.costs, job.draw.steps);
    let mut trails = Trails::new(observer.trail_steps(), job.draw.steps);
    for number in 0..job.draw.count {
        let seed = job.draw.seed + number as u64;
        let mut walk = conditioning.start(job, seed, &parts.schedule)?;
        let mut began = Instant::now();
        let latent = sample(&mut evaluator, &mut walk, cancel, |walk| {
            let took = began.elapsed();
            done += 1;
            let preview = ladder.after_step(walk.step(), took, walk.clean())?;
            trails.after_step(&parts.codec, walk)?;
            observer.step(done, of, took.as_secs_f64(), preview);
            began = Instant::now();
            Ok(())
        })?;
        cancel.check()?;
        let began = Instant::now();
        let image = decode(parts, &mut kept.conditions, &latent, &mut tiled)?;
        decode_cost = Some((latent.elem_count(), began.elapsed().as_secs_f64()));
        if let Some(trail) = trails.finish(&image) {
            observer.trail(trail);
        }
        pictures.push(Picture {
            seed,
            image,
            latent: latent.flatten_all()?.to_vec1()?,
        });
    }
    if let Some((values, seconds)) = decode_cost.filter(|_| !tiled) {
        kept.costs.learn(Rung::Vae, values, seconds);
    }
    Ok(pictures)
}

/// The picture of a latent. One that does not fit in one piece is decoded in tiles, and those after
/// it at once: the steps that led to it are not walked again.
fn decode(
    parts: &Parts,
    conditions: &mut Vec<(Condition, usize, Tensor)>,
    latent: &Tensor,
    tiled: &mut bool,
) -> Result<RgbImage> {
    if !*tiled {
        match parts.codec.decode(latent, false) {
            Err(Error::OutOfMemory { .. }) => {}
            result => return result,
        }
        conditions.clear();
        parts.text.forget();
        *tiled = true;
    }
    parts.codec.decode(latent, true)
}
