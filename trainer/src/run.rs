//! The training loop: from a configuration or a checkpoint to the last update.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::Device;
use mmface_engine::{Error, Result};

use crate::checkpoint::{self, State};
use crate::config::Config;
use crate::data::batches::{Batches, HeldOut};
use crate::data::store::LatentStore;
use crate::data::text::TextStore;
use crate::optim::lr_schedule::cooldown_multiplier;
use crate::optim::{Gradients, Parameters};
use crate::report::jsonl::JsonLines;
use crate::report::{HeldOutReport, Sink, TrainEvent};
use crate::step::{Outcome, Training};
use crate::{heldout, model};

/// Parts of the path in the held-out loss.
const BUCKETS: usize = 5;
/// Updates in a row that may fail before the run stops.
const FAILURES: u32 = 5;
/// Share of the old value in the smoothed loss.
const SMOOTHING: f64 = 0.99;

/// The prepared data of a run.
#[derive(Debug)]
pub struct Data {
    /// Samples to learn from.
    pub train: LatentStore,
    /// Samples to measure on.
    pub heldout: LatentStore,
    /// Features of all captions.
    pub text: TextStore,
}

/// Where a run starts.
#[derive(Debug)]
pub enum Start {
    /// From fresh weights.
    Fresh(Config),
    /// From the weights of another run, with a fresh optimizer (the second stage).
    Weights(Config, PathBuf),
    /// Where a checkpoint stopped.
    Checkpoint(PathBuf),
}

/// Changes to a resumed run's plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    /// New number of updates.
    pub steps: Option<u64>,
    /// Ends the run within so many updates, the rate falling linearly to zero.
    pub cooldown: Option<u64>,
}

/// One run in memory.
struct Run<'a> {
    training: Training,
    state: State,
    out: &'a Path,
    sink: &'a mut dyn Sink,
    metrics: JsonLines,
    started: Instant,
    seconds_before: f64,
}

/// Trains until the plan ends, a signal comes, or too much fails; returns the last checkpoint.
pub fn run(
    start: Start,
    changes: Changes,
    data: &Data,
    out: &Path,
    sink: &mut dyn Sink,
    stop: &dyn Fn() -> bool,
) -> Result<PathBuf> {
    let device = Device::Cpu;
    std::fs::create_dir_all(out).map_err(Error::file("create the run folder", out))?;
    let _lock = lock(out)?;
    let (training, state) = begin(start, changes, out, &device)?;
    let config = state.config.clone();
    check_data(&config, data)?;
    let metrics = JsonLines::open(&out.join("metrics.jsonl"), state.step)?;
    let seconds_before = state.seconds;
    let mut run = Run {
        training,
        state,
        out,
        sink,
        metrics,
        started: Instant::now(),
        seconds_before,
    };
    run.tell(&TrainEvent::Started {
        name: config.name.clone(),
        step: run.state.step,
        steps: config.steps,
        parameters: config.model.dit().parameter_count(),
        samples: data.train.len(),
    })?;
    run.train(&config, data, stop)
}

/// A file that only one process can hold; it is free again when the process ends, however it ends.
fn lock(out: &Path) -> Result<File> {
    let path = out.join("run.lock");
    let file = File::create(&path).map_err(Error::file("create the lock", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(Error::Argument(format!(
            "another process trains in {}; stop it or name another --out",
            out.display()
        ))),
    }
}

fn begin(start: Start, changes: Changes, out: &Path, device: &Device) -> Result<(Training, State)> {
    match start {
        Start::Fresh(config) => {
            let parameters = model::initialise(&config.model.dit(), config.seed, device)?;
            fresh(
                config,
                parameters,
                "random weights".into(),
                (0, 0),
                out,
                device,
            )
        }
        Start::Weights(config, from) => {
            let earlier = checkpoint::read_state(&from)
                .map(|state| {
                    (
                        state.earlier.0 + state.step,
                        state.earlier.1 + state.samples,
                    )
                })
                .unwrap_or_default();
            let parameters = checkpoint::read_initial(&from, &config, device)?;
            let name = from
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            fresh(
                config,
                parameters,
                format!("weights of {name} after {} updates", earlier.0),
                earlier,
                out,
                device,
            )
        }
        Start::Checkpoint(folder) => {
            let mut state = checkpoint::read_state(&folder)?;
            let training = checkpoint::load(&folder, &state, device)?;
            if let Some(steps) = changes.steps {
                state.config.steps = steps;
            }
            if let Some(updates) = changes.cooldown {
                state.config.rate.cooldown = Some((state.step, updates));
                state.config.steps = state.step + updates;
            }
            state.config.check()?;
            state.config_hash = state.config.hash()?;
            Ok((training, state))
        }
    }
}

fn fresh(
    config: Config,
    parameters: Parameters,
    origin: String,
    earlier: (u64, u64),
    out: &Path,
    device: &Device,
) -> Result<(Training, State)> {
    if !checkpoint::complete(out)?.is_empty() {
        return Err(Error::Argument(format!(
            "{} already holds checkpoints; use `resume`, or name another --out",
            out.display()
        )));
    }
    let training = Training::new((&config).into(), parameters, device)?;
    let state = State {
        format: 1,
        step: 0,
        samples: 0,
        ema_calls: 0,
        updates: Default::default(),
        best: None,
        heldout: None,
        skipped: 0,
        seconds: 0.0,
        origin,
        earlier,
        config_hash: config.hash()?,
        config,
    };
    Ok((training, state))
}

/// Compares the prepared data with what the configuration asks for.
fn check_data(config: &Config, data: &Data) -> Result<()> {
    let dit = config.model.dit();
    let fail = |what: String| {
        Err(Error::Argument(format!(
            "the prepared data does not fit `{}`: {what}; run `mmface-trainer latents` with this configuration",
            config.name
        )))
    };
    for (name, store) in [("training", &data.train), ("held-out", &data.heldout)] {
        if store.channels * 2 != dit.channels {
            return fail(format!(
                "{name} latents have {} channels, the transformer takes {}",
                store.channels,
                dit.channels / 2
            ));
        }
        if store.side * 8 != config.resolution {
            return fail(format!(
                "{name} latents are {} wide, a picture of {} needs {}",
                store.side,
                config.resolution,
                config.resolution / 8
            ));
        }
    }
    if data.text.width != dit.text_dim {
        return fail(format!(
            "text features are {} wide, the transformer takes {}",
            data.text.width, dit.text_dim
        ));
    }
    Ok(())
}

impl Run<'_> {
    fn tell(&mut self, event: &TrainEvent) -> Result<()> {
        self.sink.hear(event)?;
        self.metrics.hear(event)
    }

    fn train(&mut self, config: &Config, data: &Data, stop: &dyn Fn() -> bool) -> Result<PathBuf> {
        let device = self.training.device().clone();
        let mut batches = Batches::new(config, &data.train, &data.text);
        let heldout = HeldOut::new(config, &data.heldout, &data.text, BUCKETS);
        if self.state.step == 0 {
            // The first update moves the head off zero; before it, blocks get zero gradients but all get one.
            self.training.probe(&batches.get(0, 1, &device)?)?;
        }
        let mut window = Window::new();
        let mut failures = 0;
        let mut last_saved = None;
        while self.state.step < config.steps {
            let rate = rate(config, self.state.step);
            let outcome = self.update(config, &mut batches, rate, &device)?;
            if outcome.applied {
                failures = 0;
                window.add(&outcome, config.batch);
            } else {
                failures += 1;
                self.state.skipped += 1;
                self.tell(&TrainEvent::Skipped {
                    step: self.state.step,
                    position: self.state.samples,
                    loss: outcome.loss.to_string(),
                })?;
            }
            self.state.step += 1;
            self.state.samples += config.batch as u64;
            let step = self.state.step;
            let (last, leaving) = (step == config.steps, stop());
            if (step.is_multiple_of(config.every.log) || last || leaving)
                && let Some(event) = window.event(step, config, rate)
            {
                self.tell(&event)?;
            }
            if failures >= FAILURES {
                let reason = format!(
                    "{FAILURES} updates in a row were not finite; the last good checkpoint is kept"
                );
                self.tell(&TrainEvent::Finished {
                    step,
                    reason: reason.clone(),
                })?;
                return Err(Error::NotFinite(reason));
            }
            if step.is_multiple_of(config.every.heldout) || last {
                window.pause();
                let report = heldout::measure(
                    &self.training.averaged()?,
                    config.model.dit().objective,
                    &heldout,
                    20,
                    step,
                    &device,
                )?;
                self.note_heldout(report)?;
            }
            if step.is_multiple_of(config.every.checkpoint) || last || leaving {
                window.pause();
                last_saved = Some(self.save(config)?);
            }
            window.go_on();
            if leaving && !last {
                self.tell(&TrainEvent::Finished {
                    step,
                    reason: "asked to stop; `resume` goes on from here".into(),
                })?;
                break;
            }
        }
        if self.state.step >= config.steps {
            self.tell(&TrainEvent::Finished {
                step: self.state.step,
                reason: "all updates are done".into(),
            })?;
        }
        Ok(last_saved.unwrap_or_else(|| checkpoint::folder(self.out, self.state.step)))
    }

    /// One update, in as many parts as the configuration says.
    fn update(
        &mut self,
        config: &Config,
        batches: &mut Batches<'_>,
        rate: f64,
        device: &Device,
    ) -> Result<Outcome> {
        let part = config.batch / config.accumulation;
        let share = 1.0 / config.accumulation as f64;
        let mut gradients = Gradients::new();
        let mut loss = 0.0;
        for index in 0..config.accumulation {
            let batch = batches.get(self.state.samples + (index * part) as u64, part, device)?;
            loss += self.training.accumulate(&batch, share, &mut gradients)? * share as f32;
        }
        self.training.apply(loss, &gradients, rate)
    }

    fn note_heldout(&mut self, report: HeldOutReport) -> Result<()> {
        if report.loss.is_finite() && self.state.best.is_none_or(|(best, _)| report.loss < best) {
            self.state.best = Some((report.loss, report.step));
        }
        self.state.heldout = Some(report.clone());
        self.tell(&TrainEvent::HeldOut(report))
    }

    fn save(&mut self, config: &Config) -> Result<PathBuf> {
        self.state.ema_calls = self.training.ema.calls;
        self.state.updates = self
            .training
            .optimizer
            .slots
            .iter()
            .map(|(name, slot)| (name.clone(), slot.updates))
            .collect();
        self.state.seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        let folder = checkpoint::save(self.out, &self.training, &self.state)?;
        let best = self.state.best.map(|(_, step)| step);
        checkpoint::prune(self.out, config.every.keep, best)?;
        self.tell(&TrainEvent::Checkpoint {
            step: self.state.step,
            folder: folder.display().to_string(),
        })?;
        Ok(folder)
    }
}

/// Learning rate of an update, counted from 0.
pub fn rate(config: &Config, update: u64) -> f64 {
    let rate = &config.rate;
    let cooldown = rate.cooldown.map_or(1.0, |(start, updates)| {
        cooldown_multiplier(update, start, updates)
    });
    rate.base * rate.schedule.multiplier(update, rate.warmup, config.steps) * cooldown
}

/// Figures since the last line of the log.
struct Window {
    loss: f64,
    norm: f64,
    updates: f64,
    samples: f64,
    seconds: f64,
    since: Option<Instant>,
    smooth: Option<f64>,
}

impl Window {
    fn new() -> Self {
        Self {
            loss: 0.0,
            norm: 0.0,
            updates: 0.0,
            samples: 0.0,
            seconds: 0.0,
            since: Some(Instant::now()),
            smooth: None,
        }
    }

    fn add(&mut self, outcome: &Outcome, samples: usize) {
        let loss = f64::from(outcome.loss);
        self.loss += loss;
        self.norm += outcome.grad_norm;
        self.updates += 1.0;
        self.samples += samples as f64;
        self.smooth = Some(
            self.smooth
                .map_or(loss, |old| SMOOTHING * old + (1.0 - SMOOTHING) * loss),
        );
        self.pause();
        self.go_on();
    }

    /// Stops the clock until the next update: saving and measuring are not training.
    fn pause(&mut self) {
        if let Some(since) = self.since.take() {
            self.seconds += since.elapsed().as_secs_f64();
        }
    }

    /// Starts the clock again.
    fn go_on(&mut self) {
        self.since = Some(Instant::now());
    }

    fn event(&mut self, step: u64, config: &Config, rate: f64) -> Option<TrainEvent> {
        let smooth = self.smooth?;
        if self.updates == 0.0 {
            return None;
        }
        let speed = self.samples / self.seconds.max(1e-9);
        let event = TrainEvent::Progress {
            step,
            loss: self.loss / self.updates,
            smooth,
            rate,
            grad_norm: self.norm / self.updates,
            samples_per_second: speed,
            eta_seconds: config.steps.saturating_sub(step) as f64 * config.batch as f64
                / speed.max(1e-9),
        };
        *self = Self {
            smooth: self.smooth,
            since: self.since,
            ..Self::new()
        };
        Some(event)
    }
}
