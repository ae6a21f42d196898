//! One sampling run: the state that all samplers share.

use candle_core::{DType, Tensor};

use super::schedule::NoiseSchedule;
use super::solver::{self, Advance, Solver};
use crate::job::{MAX_STEPS, Sampler};
use crate::{Error, Result};

/// The model evaluation that a run waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Position in [`Walk::times`].
    pub index: usize,
    /// The time that the model takes: 0 (noise) to 1 (data) for flow, an integer timestep 999 to
    /// 0 for diffusion.
    pub time: f64,
    /// Step that it belongs to, from 0.
    pub step: usize,
}

/// One sampling run. Cloning is cheap and makes an exact branch: a clone that is fed the same
/// outputs ends in the same bytes.
#[derive(Clone, Debug)]
pub struct Walk {
    solver: Box<dyn Solver>,
    steps: usize,
    per_step: usize,
    times: Vec<f64>,
    done: usize,
    input: Tensor,
    latent: Tensor,
    clean: Option<Tensor>,
}

impl Walk {
    /// A run from noise.
    ///
    /// # Shapes
    /// - noise: `[B, C, S, S]`; the state is kept in f32
    ///
    /// # Errors
    /// When `steps` is not within 1..=[`MAX_STEPS`].
    pub fn new(
        sampler: Sampler,
        steps: usize,
        schedule: &NoiseSchedule,
        noise: Tensor,
    ) -> Result<Self> {
        Self::resume(sampler, steps, schedule, 0, noise)
    }

    /// A run that goes on from the latent that `step` finished steps gave.
    ///
    /// Exact for Euler, Heun and DDIM. The multi-step samplers start with a first-order step, since
    /// the latent alone does not carry their memory; cloning a [`Walk`] does.
    ///
    /// # Shapes
    /// - latent: `[B, C, S, S]`
    ///
    /// # Errors
    /// When `steps` is not within 1..=[`MAX_STEPS`], or `step` is past it.
    pub fn resume(
        sampler: Sampler,
        steps: usize,
        schedule: &NoiseSchedule,
        step: usize,
        latent: Tensor,
    ) -> Result<Self> {
        if !(1..=MAX_STEPS).contains(&steps) {
            return Err(Error::Argument(format!(
                "{steps} sampling steps; choose 1 to {MAX_STEPS}"
            )));
        }
        if step > steps {
            return Err(Error::Argument(format!(
                "cannot branch at step {step} of {steps}"
            )));
        }
        let solver = solver::new(sampler, steps, schedule);
        let times = solver.times();
        let latent = latent.to_dtype(DType::F32)?;
        let per_step = times.len() / steps;
        Ok(Self {
            solver,
            steps,
            per_step,
            times,
            done: step * per_step,
            input: latent.clone(),
            latent,
            clean: None,
        })
    }

    /// Times of all evaluations of a whole run, in order: so that what depends on time alone can be
    /// computed for all steps at once.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Steps of a whole run.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Steps that are finished.
    pub fn step(&self) -> usize {
        self.done / self.per_step
    }

    /// The evaluation that comes next; `None` at the end.
    pub fn next(&self) -> Option<Evaluation> {
        let time = *self.times.get(self.done)?;
        Some(Evaluation {
            index: self.done,
            time,
            step: self.step(),
        })
    }

    /// What the model must look at next.
    ///
    /// # Shapes
    /// - result: `[B, C, S, S]`
    pub fn input(&self) -> &Tensor {
        &self.input
    }

    /// The latent after the last finished step; at the end the result.
    ///
    /// # Shapes
    /// - result: `[B, C, S, S]`
    pub fn latent(&self) -> &Tensor {
        &self.latent
    }

    /// The clean latent that the last evaluation predicts, for previews; `None` before the first.
    ///
    /// # Shapes
    /// - result: `[B, C, S, S]`
    pub fn clean(&self) -> Option<&Tensor> {
        self.clean.as_ref()
    }

    /// Takes the model's output (velocity for flow, noise for diffusion, guidance included). True
    /// when a step is finished.
    ///
    /// # Shapes
    /// - output: `[B, C, S, S]`
    ///
    /// # Errors
    /// When the run is over, or the output is not of the latent's shape.
    pub fn advance(&mut self, output: &Tensor) -> Result<bool> {
        if self.done >= self.times.len() {
            return Err(Error::Internal("the sampling run is over".to_owned()));
        }
        if output.dims() != self.input.dims() {
            return Err(Error::Internal(format!(
                "the model gave {:?} for a latent of {:?}",
                output.dims(),
                self.input.dims()
            )));
        }
        let output = output.to_dtype(DType::F32)?;
        let Advance { next, clean } = self.solver.advance(self.done, &self.input, &output)?;
        self.done += 1;
        self.clean = Some(clean);
        self.input = next;
        let finished = self.done.is_multiple_of(self.per_step);
        if finished {
            self.latent = self.input.clone();
        }
        Ok(finished)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::job::Named as _;

    /// All samplers with, or all without, a memory of earlier steps.
    fn every(multistep: bool) -> impl Iterator<Item = Sampler> {
        let all = Sampler::ALL.iter().copied();
        all.filter(move |sampler| sampler.is_multistep() == multistep)
    }

    fn model(latent: &Tensor, time: f64) -> Tensor {
        (latent * 0.3)
            .and_then(|t| t + 0.01 * time / (1.0 + time))
            .expect("toy model")
    }

    fn finish(mut walk: Walk) -> Vec<f32> {
        while let Some(evaluation) = walk.next() {
            let output = model(walk.input(), evaluation.time);
            walk.advance(&output).expect("advances");
        }
        walk.latent()
            .flatten_all()
            .and_then(|t| t.to_vec1())
            .expect("values")
    }

    fn start(sampler: Sampler, steps: usize) -> Walk {
        let noise = super::super::torch_randn(3, (2, 1, 3, 3), &Device::Cpu).expect("noise");
        Walk::new(sampler, steps, &NoiseSchedule::default(), noise).expect("walk")
    }

    #[test]
    fn a_clone_is_an_exact_branch() {
        for sampler in Sampler::ALL.iter().copied() {
            let mut walk = start(sampler, 9);
            let whole = finish(walk.clone());
            while walk.step() < 4 {
                let output = model(walk.input(), walk.next().expect("not over").time);
                walk.advance(&output).expect("advances");
            }
            assert_eq!(finish(walk), whole, "{sampler:?}");
        }
    }

    #[test]
    fn one_step_samplers_resume_exactly_from_a_latent() {
        for sampler in every(false) {
            let mut walk = start(sampler, 9);
            let whole = finish(walk.clone());
            while walk.step() < 4 {
                let output = model(walk.input(), walk.next().expect("not over").time);
                walk.advance(&output).expect("advances");
            }
            let schedule = NoiseSchedule::default();
            let resumed =
                Walk::resume(sampler, 9, &schedule, 4, walk.latent().clone()).expect("resumes");
            assert_eq!(finish(resumed), whole, "{sampler:?}");
        }
    }

    #[test]
    fn multi_step_samplers_resume_closely() {
        for sampler in every(true) {
            let mut walk = start(sampler, 30);
            let whole = finish(walk.clone());
            while walk.step() < 12 {
                let output = model(walk.input(), walk.next().expect("not over").time);
                walk.advance(&output).expect("advances");
            }
            let schedule = NoiseSchedule::default();
            let resumed =
                Walk::resume(sampler, 30, &schedule, 12, walk.latent().clone()).expect("resumes");
            for (a, b) in finish(resumed).iter().zip(&whole) {
                assert!(
                    (a - b).abs() < 0.05 * b.abs().max(1.0),
                    "{sampler:?}: {a} {b}"
                );
            }
        }
    }

    #[test]
    fn every_sampler_visits_its_times_and_predicts_a_clean_latent() {
        for sampler in Sampler::ALL.iter().copied() {
            for steps in [1, 2, 3, 50, MAX_STEPS] {
                let mut walk = start(sampler, steps);
                let times = walk.times().to_vec();
                assert!(walk.clean().is_none());
                let mut visited = Vec::new();
                while let Some(evaluation) = walk.next() {
                    assert_eq!(evaluation.index, visited.len());
                    visited.push(evaluation.time);
                    let output = model(walk.input(), evaluation.time);
                    walk.advance(&output).expect("advances");
                }
                assert_eq!(visited, times);
                assert_eq!(walk.step(), steps);
                let values: Vec<f32> = walk
                    .latent()
                    .flatten_all()
                    .and_then(|t| t.to_vec1())
                    .expect("values");
                assert!(
                    values.iter().all(|value| value.is_finite()),
                    "{sampler:?} {steps}"
                );
                assert!(
                    walk.advance(&walk.latent().clone()).is_err(),
                    "a run that is over takes nothing"
                );
            }
        }
    }

    #[test]
    fn the_last_clean_latent_is_the_result() {
        for sampler in [Sampler::Euler, Sampler::DpmPp2M, Sampler::UniPc] {
            let mut walk = start(sampler, 5);
            while let Some(evaluation) = walk.next() {
                let output = model(walk.input(), evaluation.time);
                walk.advance(&output).expect("advances");
            }
            let values = |t: &Tensor| -> Vec<f32> {
                t.flatten_all().and_then(|t| t.to_vec1()).expect("values")
            };
            for (a, b) in values(walk.clean().expect("clean"))
                .iter()
                .zip(values(walk.latent()))
            {
                assert!((a - b).abs() < 1e-5, "{sampler:?}: {a} {b}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let noise = Tensor::zeros((1, 1, 2, 2), DType::F32, &Device::Cpu).expect("zeros");
        let schedule = NoiseSchedule::default();
        assert!(Walk::new(Sampler::Euler, 0, &schedule, noise.clone()).is_err());
        assert!(Walk::new(Sampler::Euler, 1000, &schedule, noise.clone()).is_err());
        assert!(Walk::resume(Sampler::Euler, 4, &schedule, 5, noise.clone()).is_err());
        let mut walk = Walk::new(Sampler::Euler, 4, &schedule, noise.clone()).expect("walk");
        assert!(
            walk.advance(&noise.narrow(2, 0, 1).expect("narrow"))
                .is_err()
        );
        let over = Walk::resume(Sampler::Euler, 4, &schedule, 4, noise).expect("at the end");
        assert!(over.next().is_none());
    }
}
