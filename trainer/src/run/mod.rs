//! The training loop: from a configuration or a checkpoint to the last update.

mod announce;
mod context;
mod memory_check;
mod requests;
mod saving;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use candle_core::Device;
use mmface_engine::system::{disk, interrupt};
use mmface_engine::{Error, Result};
use mmface_run_protocol::mailbox::Mailbox;
use mmface_run_protocol::{TrainEvent, checkpoint_layout, lock, run_folder};

use crate::checkpoint::{self, State};
use crate::config::Config;
use crate::data::batches::{Batches, HeldOut};
use crate::data::loader::{Loader, Share};
use crate::optim::Gradients;
use crate::optim::lr_schedule::learning_rate;
use crate::report::Sink;
use crate::report::jsonl::JsonLines;
use crate::report::progress::Progress;
use crate::report::tensorboard::TensorBoard;
use crate::start::{Begun, begin, check_data};
pub use crate::start::{Changes, Start};
use crate::step::{Outcome, Training};
use crate::{heldout, memory};
pub use context::{RunContext, Sheets};

/// Parts of the path in the held-out loss.
const BUCKETS: usize = 5;
/// Updates in a row that may fail before the run stops.
const FAILURES: u32 = 5;
/// How often a pause looks for requests.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// One run in memory.
struct Run<'p, 'a> {
    context: &'p mut RunContext<'a>,
    training: Training,
    state: State,
    /// Views in the run's folder; only the first process has them.
    files: Vec<Box<dyn Sink>>,
    started: Instant,
    seconds_before: f64,
    last_saved: Option<(u64, PathBuf)>,
    /// Updates since the last one that was applied.
    failures: u32,
    /// Commands of other processes; only the first process listens.
    mailbox: Option<Mailbox>,
    /// The last pause was asked for by another process, which may also end it.
    paused_by_other_process: bool,
}

/// Trains until the plan ends, a request to stop comes, or too much fails; returns the last
/// checkpoint. An error is told as the last event, too.
///
/// # Errors
/// With one line that says what to do.
pub fn run(start: Start, changes: Changes, context: RunContext<'_>) -> Result<PathBuf> {
    let mut context = context;
    let mut step = 0;
    let result = guarded(start, changes, &mut context, &mut step);
    if let Err(error) = &result {
        context.sink.on_event(&TrainEvent::Failed {
            step,
            error: error.to_string(),
        })?;
    }
    result
}

fn guarded(
    start: Start,
    changes: Changes,
    context: &mut RunContext<'_>,
    step: &mut u64,
) -> Result<PathBuf> {
    let device = context.device.clone();
    let out = context.out;
    let first = context.group.rank() == 0;
    std::fs::create_dir_all(out).map_err(Error::file("create the run folder", out))?;
    let _lock = first.then(|| lock::acquire(out)).transpose()?;
    if first {
        checkpoint::recover(out)?;
    }
    let planned = start.config()?;
    // Before anything large is allocated.
    let tight = memory_check::check(&planned, context)?;
    context.group.connect(&device)?;
    let free = context.memory;
    let left = || free(&device, 1);
    let Begun {
        training,
        state,
        warnings,
    } = begin(start, changes, context.data.train.len(), out, &device)
        .map_err(|error| memory::name_the_setting(error, &planned, left()))?;
    *step = state.step;
    let config = state.config.clone();
    check_data(&config, context.data)?;
    config.check_ranks(context.group.ranks())?;
    let mut files: Vec<Box<dyn Sink>> = Vec::new();
    if first {
        let bytes = checkpoint::expected_bytes(&config);
        let free = (context.free)(out);
        disk::check("two checkpoints do not fit", out, 2 * bytes, free)?;
        if let Some(inputs) = &context.inputs {
            inputs.write(out)?;
        }
        files.push(Box::new(JsonLines::open(
            &run_folder::metrics(out),
            state.step,
        )?));
        files.push(Box::new(TensorBoard::open(
            &run_folder::tensorboard(out),
            state.step,
        )?));
    }
    let seconds_before = state.seconds;
    let mut run = Run {
        context,
        training,
        state,
        files,
        started: Instant::now(),
        seconds_before,
        last_saved: None,
        failures: 0,
        // The lock is held, so whatever lies there is of an earlier run.
        mailbox: first.then(|| Mailbox::open(out)),
        paused_by_other_process: false,
    };
    let result = run
        .announce(&config, tight.into_iter().chain(warnings))
        .and_then(|()| run.train(&config))
        .map_err(|error| memory::name_the_setting(error, &config, left()));
    *step = run.state.step;
    if let Err(error) = &result {
        let event = TrainEvent::Failed {
            step: run.state.step,
            error: error.to_string(),
        };
        for file in &mut run.files {
            file.on_event(&event)?;
        }
    }
    result
}

impl Run<'_, '_> {
    fn train(&mut self, config: &Config) -> Result<PathBuf> {
        let device = self.training.device().clone();
        let data = self.context.data;
        let mut batches = Batches::new(config, &data.train, &data.text);
        let heldout = HeldOut::new(config, &data.heldout, &data.text, BUCKETS);
        if self.state.step == 0 {
            // The first update moves the head off zero; before it, blocks get zero gradients but all get one.
            self.training.probe(&batches.get(0, 1, &device)?)?;
        }
        let share = Share {
            rank: self.context.group.rank(),
            ranks: self.context.group.ranks(),
        };
        std::thread::scope(|scope| {
            let loader = Loader::new(
                scope,
                self.context.loaders,
                config,
                &data.train,
                &data.text,
                share,
                self.state.samples,
                &device,
            );
            self.updates(config, loader, &mut batches, &heldout, &device)
        })
    }

    fn updates(
        &mut self,
        config: &Config,
        mut loader: Loader,
        batches: &mut Batches<'_>,
        heldout: &HeldOut<'_>,
        device: &Device,
    ) -> Result<PathBuf> {
        // From here on a signal is a request, which is handled between two updates.
        let _deferred = interrupt::defer();
        let mut progress = Progress::new(self.context.data.train.len() as u64);
        let first = self.state.step;
        while self.state.step < config.steps {
            let rate = learning_rate(&config.rate, self.state.step, config.steps);
            let outcome = self.update(config, &mut loader, rate)?;
            if outcome.applied {
                self.failures = 0;
                progress.add(&outcome);
            } else {
                self.failures += 1;
                self.state.skipped += 1;
                self.emit(&TrainEvent::Skipped {
                    step: self.state.step,
                    position: self.state.samples,
                    loss: outcome.loss.to_string(),
                    samples: batches.keys(self.state.samples, config.batch),
                })?;
            }
            self.state.step += 1;
            self.state.samples += config.batch as u64;
            let step = self.state.step;
            let last = step == config.steps;
            let request = if self.is_first() {
                self.take_request()?
            } else {
                None
            };
            if (step.is_multiple_of(config.every.log) || last || request.is_some())
                && let Some(event) = progress.event(step, self.state.samples, config, rate)
            {
                self.emit(&event)?;
            }
            if self.failures >= FAILURES {
                return Err(Error::NotFinite(format!(
                    "{FAILURES} updates in a row: loss or gradients (the last good checkpoint is kept); the value"
                )));
            }
            progress.pause();
            if self.is_first() {
                if step.is_multiple_of(config.every.heldout) || last {
                    let report = heldout::measure(
                        &self.training.averaged()?,
                        config.model.dit().objective,
                        heldout,
                        20,
                        step,
                        device,
                    )?;
                    self.note_heldout(report)?;
                }
                if config
                    .every
                    .sample
                    .is_some_and(|every| step.is_multiple_of(every) || last)
                {
                    self.draw()?;
                }
                // While updates fail, the weights may be what is wrong.
                let due = step.is_multiple_of(config.every.checkpoint) && self.failures == 0;
                if due || last {
                    self.save(config)?;
                }
            }
            let leave = self.handle(config, request)?;
            // The other processes wait here while the first measures, saves or pauses.
            let leave = self.context.group.broadcast(u8::from(leave))? != 0;
            progress.go_on();
            if leave && !last {
                self.emit(&TrainEvent::Stopped {
                    step,
                    reason: "asked to stop; `resume` continues from here".into(),
                })?;
                return Ok(self.newest());
            }
        }
        // Whoever restarts a run until it is done must not see an error.
        let reason = if self.state.step == first {
            format!(
                "nothing was left to do, all {first} updates were done before: continue with --steps N or --cooldown N, or start another run from its weights with `train --init-from`"
            )
        } else {
            "all updates are done".into()
        };
        self.emit(&TrainEvent::Finished {
            step: self.state.step,
            reason,
        })?;
        Ok(self.newest())
    }

    fn is_first(&self) -> bool {
        self.context.group.rank() == 0
    }

    fn newest(&self) -> PathBuf {
        match &self.last_saved {
            Some((_, folder)) => folder.clone(),
            None => checkpoint_layout::folder(self.context.out, self.state.step),
        }
    }

    /// One update, in as many parts as the configuration says.
    fn update(&mut self, config: &Config, loader: &mut Loader, rate: f64) -> Result<Outcome> {
        let share = 1.0 / (config.accumulation * self.context.group.ranks()) as f64;
        let mut gradients = Gradients::new();
        let mut loss = 0.0;
        for _ in 0..config.accumulation {
            let batch = loader.next_batch()?;
            loss += self.training.accumulate(&batch, share, &mut gradients)? * share as f32;
        }
        self.context.group.sum(&mut loss, &mut gradients)?;
        self.training.apply(loss, &gradients, rate)
    }
}
