//! From noise to latent: the sampling loop around the transformer.

use candle_core::{DType, Tensor};

use crate::contract::Cancel;
use crate::job::{Draw, Guide, Job};
use crate::model::clip_text::TextFeatures;
use crate::model::dit::{Dit, Modulation};
use crate::sampling::{NoiseSchedule, Walk, guidance, torch_randn};
use crate::{Error, Result};

/// Evaluations whose modulation vectors are computed together. All steps of a usual job fit; the
/// limit bounds the memory of very long ones (100 MB for the paper's model).
const WINDOW: usize = 32;

/// What the transformer is told besides the noisy latent.
pub struct Conditioning<'a> {
    /// The condition's latent, `[1, channels / 2, side, side]`.
    pub latent: &'a Tensor,
    /// 0 = mask, 1 = sketch.
    pub modality: u32,
    /// Features of the prompt, batch 1.
    pub prompt: &'a TextFeatures,
    /// Features of the negative prompt, batch 1.
    pub negative: &'a TextFeatures,
}

/// The transformer with everything that stays the same over a job's steps.
pub struct Evaluator<'a> {
    dit: &'a Dit,
    /// Guidance weight, and the steps on which it acts.
    weight: f64,
    acts: Vec<bool>,
    condition: Tensor,
    /// An empty condition, where the unconditional branch gets one.
    empty: Option<Tensor>,
    /// Text tokens, unconditional first, `[2, tokens, hidden]`; only the prompt's when guidance
    /// never acts.
    text: Tensor,
    /// Pooled text, in the same order.
    pooled: Tensor,
    modality: u32,
    times: Vec<f64>,
    guided: bool,
    window: Option<Window>,
}

/// Modulation vectors of some evaluations. Rows are unconditional, conditional, and so on; or only
/// conditional when guidance never acts.
struct Window {
    first: usize,
    modulation: Modulation,
}

impl Conditioning<'_> {
    /// The walk of one picture: from the noise of its seed, or from where the job forks off.
    ///
    /// # Errors
    /// When the job's steps or its fork do not fit.
    pub fn start(&self, job: &Job, seed: u64, schedule: &NoiseSchedule) -> Result<Walk> {
        let (shape, device) = (self.latent.shape().clone(), self.latent.device());
        let Draw { sampler, steps, .. } = job.draw;
        match &job.fork {
            Some(fork) => {
                let latent = Tensor::from_slice(&fork.latent, shape, device)?;
                Walk::resume(sampler, steps, schedule, fork.step, latent)
            }
            None => {
                let noise = torch_randn(seed, shape, device)?;
                Walk::new(sampler, steps, schedule, noise)
            }
        }
    }
}

impl<'a> Evaluator<'a> {
    /// Prepares all steps of a walk.
    ///
    /// # Errors
    /// When the features of prompt and negative prompt differ in shape, or do not fit the
    /// transformer.
    pub fn new(dit: &'a Dit, conditioning: &Conditioning, job: &Job, walk: &Walk) -> Result<Self> {
        // Whole, so that a value which is added is looked at where it acts.
        let Draw {
            guidance,
            guide,
            // Those of the walk and of `run`, and the interval, see `Draw::guides`.
            prompt: _,
            negative: _,
            seed: _,
            count: _,
            size: _,
            steps: _,
            sampler: _,
            interval: _,
        } = &job.draw;
        let acts: Vec<bool> = (0..walk.steps())
            .map(|step| job.draw.guides(step))
            .collect();
        let guided = acts.contains(&true);
        let pick = |part: fn(&TextFeatures) -> &Tensor| match guided {
            true => Tensor::cat(&[part(conditioning.negative), part(conditioning.prompt)], 0),
            false => part(conditioning.prompt).contiguous(),
        };
        let pooled = pick(|features| &features.pooled)?;
        let sequence = pick(|features| &features.sequence)?;
        Ok(Self {
            text: dit.embed_text(&sequence)?,
            dit,
            weight: *guidance,
            acts,
            condition: conditioning.latent.clone(),
            empty: match guide {
                Guide::Words => None,
                Guide::WordsAndDrawing => Some(conditioning.latent.zeros_like()?),
            },
            pooled,
            modality: conditioning.modality,
            times: walk.times().to_vec(),
            guided,
            window: None,
        })
    }

    /// The model's output for the evaluation that a walk waits for, guidance included.
    ///
    /// # Shapes
    /// - result: as the walk's input, `[1, channels / 2, side, side]`
    ///
    /// # Errors
    /// When the walk is over, or its latent does not fit the condition and the transformer.
    pub fn evaluate(&mut self, walk: &Walk) -> Result<Tensor> {
        let Some(evaluation) = walk.next() else {
            return Err(Error::Internal("the sampling run is over".into()));
        };
        let both = self.acts.get(evaluation.step) == Some(&true);
        self.prepare(evaluation.index)?;
        let Some(window) = &self.window else {
            return Err(Error::Internal("no modulation was computed".into()));
        };
        let branches = if self.guided { 2 } else { 1 };
        let row = branches * (evaluation.index - window.first);
        // The conditional row comes second; without guidance at this step it goes alone.
        let (row, rows, branch) = match (self.guided, both) {
            (true, true) => (row, 2, 0),
            (true, false) => (row + 1, 1, 1),
            (false, _) => (row, 1, 0),
        };
        let modulation = window.modulation.rows(row, rows)?;
        let latent = Tensor::cat(&[walk.input(), &self.condition], 1)?;
        let mut image = self.dit.embed_latent(&latent)?;
        if rows == 2 {
            let other = match &self.empty {
                None => image.clone(),
                Some(empty) => {
                    let latent = Tensor::cat(&[walk.input(), empty], 1)?;
                    self.dit.embed_latent(&latent)?
                }
            };
            image = Tensor::cat(&[&other, &image], 0)?;
        }
        let text = self.text.narrow(0, branch, rows)?;
        let output = self.dit.forward_tokens((image, text), &modulation)?;
        // With a learned variance the first half is the prediction.
        let output = output.narrow(1, 0, self.dit.config().channels / 2)?;
        match both {
            true => guidance::combine_halves(&output, self.weight),
            false => Ok(output.contiguous()?),
        }
    }

    /// Computes the modulation of the window that starts at this evaluation, unless it is at hand.
    fn prepare(&mut self, index: usize) -> Result<()> {
        let at_hand = |window: &Window| (window.first..window.first + WINDOW).contains(&index);
        if self.window.as_ref().is_some_and(at_hand) {
            return Ok(());
        }
        // Windows start at fixed places: the same bytes wherever a fork begins.
        let first = index / WINDOW * WINDOW;
        let times = &self.times[first..self.times.len().min(first + WINDOW)];
        let branches = if self.guided { 2 } else { 1 };
        let rows = times.len() * branches;
        let device = self.pooled.device();
        let time: Vec<f32> = times
            .iter()
            .flat_map(|time| std::iter::repeat_n(*time as f32, branches))
            .collect();
        let time = Tensor::from_vec(time, rows, device)?;
        let pooled = Tensor::cat(&vec![&self.pooled; times.len()], 0)?;
        let modality = Tensor::full(self.modality, rows, device)?;
        let condition = self.dit.condition(&time, &pooled, &modality)?;
        self.window = Some(Window {
            first,
            modulation: self.dit.modulation(&condition)?,
        });
        Ok(())
    }
}

/// Walks to the end. `cancel` is asked before every evaluation; `after_step` hears of every
/// finished step with the walk as it stands.
///
/// # Shapes
/// - result: as the walk's latent, `[1, channels / 2, side, side]`
///
/// # Errors
/// [`Error::Cancelled`], [`Error::NotFinite`] with the step, what [`Evaluator::evaluate`] fails
/// with, and what `after_step` returns.
pub fn sample(
    evaluator: &mut Evaluator,
    walk: &mut Walk,
    cancel: &Cancel,
    mut after_step: impl FnMut(&Walk) -> Result<()>,
) -> Result<Tensor> {
    while walk.next().is_some() {
        cancel.check()?;
        let output = evaluator.evaluate(walk)?;
        if walk.advance(&output)? {
            check_finite(walk.latent(), || {
                format!("the latent after step {}", walk.step())
            })?;
            after_step(walk)?;
        }
    }
    Ok(walk.latent().clone())
}

/// The latent of a job's first picture, on a transformer that somebody else holds: one in training,
/// for instance.
///
/// # Shapes
/// - result: as the condition's latent, `[1, channels / 2, side, side]`
///
/// # Errors
/// When shapes do not fit, or a value is not finite.
pub fn latent(
    dit: &Dit,
    schedule: &NoiseSchedule,
    conditioning: &Conditioning,
    job: &Job,
) -> Result<Tensor> {
    let mut walk = conditioning.start(job, job.draw.seed, schedule)?;
    let mut evaluator = Evaluator::new(dit, conditioning, job, &walk)?;
    sample(&mut evaluator, &mut walk, &Cancel::new(), |_| Ok(()))
}

/// Fails with the stage's name when a value is NaN or infinite.
///
/// # Shapes
/// - tensor: any
///
/// # Errors
/// [`Error::NotFinite`] with the stage.
pub fn check_finite(tensor: &Tensor, stage: impl FnOnce() -> String) -> Result<()> {
    // One number tells: a sum of finite f32 in f64 cannot overflow, and NaN and ∞ survive it.
    let values = tensor
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    match values
        .iter()
        .map(|value| f64::from(*value))
        .sum::<f64>()
        .is_finite()
    {
        true => Ok(()),
        false => Err(Error::NotFinite(stage())),
    }
}
