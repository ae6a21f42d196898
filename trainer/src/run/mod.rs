//! The training loop: from a configuration or a checkpoint to the last update.

mod room;
mod saving;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::Device;
use mmface_engine::job::Named as _;
use mmface_engine::model::dit::Dit;
use mmface_engine::system::disk;
use mmface_engine::{Error, Result};
use mmface_run_protocol::mailbox::Mailbox;
use mmface_run_protocol::{RunInputs, checkpoint_layout, lock, run_folder};

use crate::checkpoint::{self, State};
use crate::config::Config;
use crate::control::Control;
use crate::data::batches::{Batches, HeldOut};
use crate::data::loader::{Loader, Share};
use crate::data::store::LatentStore;
use crate::data::text::TextStore;
use crate::optim::Gradients;
use crate::optim::lr_schedule::learning_rate;
use crate::ranks::Team;
use crate::report::jsonl::JsonLines;
use crate::report::progress::Progress;
use crate::report::tensorboard::TensorBoard;
use crate::report::{HeldOutReport, Sink, Started, TrainCommand, TrainEvent, Weights};
pub use crate::start::{Changes, Start};
use crate::start::{begin, check_data};
use crate::step::{Outcome, Training};
use crate::{device, heldout, memory};

/// Parts of the path in the held-out loss.
const BUCKETS: usize = 5;
/// Updates in a row that may fail before the run stops.
const FAILURES: u32 = 5;
/// How often a pause looks for wishes.
const PATIENCE: Duration = Duration::from_millis(100);

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

/// Draws a fixed set of samples.
pub trait Sheets {
    /// Draws them with this transformer and writes a PNG; returns its path.
    ///
    /// # Errors
    /// When sampling fails or the picture cannot be written.
    fn draw(&mut self, dit: &Dit, step: u64, weights: Weights, out: &Path) -> Result<PathBuf>;
}

/// What surrounds a run.
pub struct Place<'a> {
    /// Prepared data.
    pub data: &'a Data,
    /// Folder of the run.
    pub out: &'a Path,
    /// Who hears the events.
    pub sink: &'a mut dyn Sink,
    /// Who may ask for something.
    pub control: &'a mut dyn Control,
    /// Draws samples, where it can be done.
    pub sheets: Option<&'a mut dyn Sheets>,
    /// The processes that train together.
    pub team: Team,
    /// The processor of this one.
    pub device: Device,
    /// Threads that make batches ahead.
    pub loaders: usize,
    /// Asks for the free bytes below a folder.
    pub free: &'a dyn Fn(&Path) -> Option<u64>,
    /// Asks for the memory of the device that each of so many processes on this machine can still get.
    pub memory: &'a dyn Fn(&Device, usize) -> Option<u64>,
    /// Trains although that seems too little.
    pub ignore_memory: bool,
    /// What is noted in the run's folder for whoever goes on with it.
    pub inputs: Option<RunInputs>,
}

impl<'a> Place<'a> {
    /// A run of one process without samples.
    pub fn new(
        data: &'a Data,
        out: &'a Path,
        sink: &'a mut dyn Sink,
        control: &'a mut dyn Control,
    ) -> Self {
        Self {
            data,
            out,
            sink,
            control,
            sheets: None,
            team: Team::alone(),
            device: Device::Cpu,
            loaders: 1,
            free: &disk::free,
            memory: &device::available,
            ignore_memory: false,
            inputs: None,
        }
    }
}

/// One run in memory.
struct Run<'p, 'a> {
    place: &'p mut Place<'a>,
    training: Training,
    state: State,
    /// Views in the run's folder; only the first process has them.
    files: Vec<Box<dyn Sink>>,
    started: Instant,
    seconds_before: f64,
    last_saved: Option<(u64, PathBuf)>,
    /// Commands of other processes; only the first process listens.
    mailbox: Option<Mailbox>,
    /// The last pause was asked for by another process, which may also end it.
    paused_from_outside: bool,
}

/// Trains until the plan ends, a wish to stop comes, or too much fails; returns the last
/// checkpoint. An error is told as the last event, too.
///
/// # Errors
/// With one line that says what to do.
pub fn run(start: Start, changes: Changes, place: Place<'_>) -> Result<PathBuf> {
    let mut place = place;
    let mut step = 0;
    let result = guarded(start, changes, &mut place, &mut step);
    if let Err(error) = &result {
        place.sink.hear(&TrainEvent::Failed {
            step,
            error: error.to_string(),
        })?;
    }
    result
}

fn guarded(
    start: Start,
    changes: Changes,
    place: &mut Place<'_>,
    step: &mut u64,
) -> Result<PathBuf> {
    let device = place.device.clone();
    let out = place.out;
    let first = place.team.rank() == 0;
    std::fs::create_dir_all(out).map_err(Error::file("create the run folder", out))?;
    let _lock = first.then(|| lock::acquire(out)).transpose()?;
    if first {
        checkpoint::recover(out)?;
    }
    let planned = start.config()?;
    // Before anything large is allocated.
    let tight = room::check(&planned, place)?;
    place.team.connect(&device)?;
    let free = place.memory;
    let left = || free(&device, 1);
    let (training, state) = begin(start, changes, place.data.train.len(), out, &device)
        .map_err(|error| memory::name_the_setting(error, &planned, left()))?;
    *step = state.step;
    let config = state.config.clone();
    check_data(&config, place.data)?;
    config.check_ranks(place.team.ranks())?;
    let mut files: Vec<Box<dyn Sink>> = Vec::new();
    if first {
        let bytes = checkpoint::expected_bytes(&config);
        let free = (place.free)(out);
        disk::check("two checkpoints do not fit", out, 2 * bytes, free)?;
        if let Some(inputs) = &place.inputs {
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
        place,
        training,
        state,
        files,
        started: Instant::now(),
        seconds_before,
        last_saved: None,
        // The lock is held, so whatever lies there is of an earlier run.
        mailbox: first.then(|| Mailbox::open(out)),
        paused_from_outside: false,
    };
    let result = run
        .announce(&config, tight)
        .and_then(|()| run.train(&config))
        .map_err(|error| memory::name_the_setting(error, &config, left()));
    *step = run.state.step;
    if let Err(error) = &result {
        let event = TrainEvent::Failed {
            step: run.state.step,
            error: error.to_string(),
        };
        for file in &mut run.files {
            file.hear(&event)?;
        }
    }
    result
}

impl Run<'_, '_> {
    fn tell(&mut self, event: &TrainEvent) -> Result<()> {
        self.place.sink.hear(event)?;
        for file in &mut self.files {
            file.hear(event)?;
        }
        Ok(())
    }

    /// Tells the plan, and warns of what may go wrong.
    fn announce(&mut self, config: &Config, tight: Option<String>) -> Result<()> {
        let samples = self.place.data.train.len() as u64;
        let dit = config.model.dit();
        let estimate = room::estimate(config, self.place);
        let started = Started {
            name: config.name.clone(),
            step: self.state.step,
            steps: config.steps,
            objective: dit.objective.name().into(),
            resolution: config.resolution as u64,
            batch: config.batch as u64,
            accumulation: config.accumulation as u64,
            ranks: self.place.team.ranks() as u64,
            steps_per_epoch: samples.div_ceil(config.batch as u64),
            parameters: dit.parameter_count() as u64,
            samples,
            heldout_samples: self.place.data.heldout.len() as u64,
            memory: estimate.total(),
            checkpoint_bytes: checkpoint::expected_bytes(config),
            out: self.place.out.display().to_string(),
        };
        self.tell(&TrainEvent::Started(started))?;
        for what in tight.into_iter().chain(config.warnings()) {
            self.warn(what)?;
        }
        if self.place.device.is_cuda()
            && self.place.team.ranks() > 1
            && !self.place.team.is_direct()
        {
            let way = "gradients go over TCP, by the host: a build with --features nccl, for all ranks and each on a card, lets them travel between the cards";
            self.warn(way.into())?;
        }
        if config.every.sample.is_some() && self.place.sheets.is_none() && self.is_first() {
            self.warn(
                "no samples are drawn: name the autoencoder and text tower with --weights".into(),
            )?;
        }
        Ok(())
    }

    fn is_first(&self) -> bool {
        self.place.team.rank() == 0
    }

    fn warn(&mut self, message: String) -> Result<()> {
        let step = self.state.step;
        self.tell(&TrainEvent::Warning { step, message })
    }

    fn train(&mut self, config: &Config) -> Result<PathBuf> {
        let device = self.training.device().clone();
        let data = self.place.data;
        let mut batches = Batches::new(config, &data.train, &data.text);
        let heldout = HeldOut::new(config, &data.heldout, &data.text, BUCKETS);
        if self.state.step == 0 {
            // The first update moves the head off zero; before it, blocks get zero gradients but all get one.
            self.training.probe(&batches.get(0, 1, &device)?)?;
        }
        let share = Share {
            rank: self.place.team.rank(),
            ranks: self.place.team.ranks(),
        };
        std::thread::scope(|scope| {
            let loader = Loader::new(
                scope,
                self.place.loaders,
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
        let mut progress = Progress::new(self.place.data.train.len() as u64);
        let mut failures = 0;
        while self.state.step < config.steps {
            let rate = learning_rate(&config.rate, self.state.step, config.steps);
            let outcome = self.update(config, &mut loader, rate)?;
            if outcome.applied {
                failures = 0;
                progress.add(&outcome);
            } else {
                failures += 1;
                self.state.skipped += 1;
                self.tell(&TrainEvent::Skipped {
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
            let wish = if self.is_first() { self.wish()? } else { None };
            if (step.is_multiple_of(config.every.log) || last || wish.is_some())
                && let Some(event) = progress.event(step, self.state.samples, config, rate)
            {
                self.tell(&event)?;
            }
            if failures >= FAILURES {
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
                if step.is_multiple_of(config.every.checkpoint) || last {
                    self.save(config)?;
                }
            }
            let leave = self.obey(config, wish)?;
            // The other processes wait here while the first measures, saves or pauses.
            let leave = self.place.team.follow(u8::from(leave))? != 0;
            progress.go_on();
            if leave && !last {
                self.tell(&TrainEvent::Stopped {
                    step,
                    reason: "asked to stop; `resume` goes on from here".into(),
                })?;
                return Ok(self.newest());
            }
        }
        self.tell(&TrainEvent::Finished {
            step: self.state.step,
            reason: "all updates are done".into(),
        })?;
        Ok(self.newest())
    }

    fn newest(&self) -> PathBuf {
        match &self.last_saved {
            Some((_, folder)) => folder.clone(),
            None => checkpoint_layout::folder(self.place.out, self.state.step),
        }
    }

    /// One update, in as many parts as the configuration says.
    fn update(&mut self, config: &Config, loader: &mut Loader, rate: f64) -> Result<Outcome> {
        let share = 1.0 / (config.accumulation * self.place.team.ranks()) as f64;
        let mut gradients = Gradients::new();
        let mut loss = 0.0;
        for _ in 0..config.accumulation {
            let batch = loader.next_batch()?;
            loss += self.training.accumulate(&batch, share, &mut gradients)? * share as f32;
        }
        self.place.team.sum(&mut loss, &mut gradients)?;
        self.training.apply(loss, &gradients, rate)
    }

    /// Does what was asked for, and what is asked for during a pause; says whether to leave.
    fn obey(&mut self, config: &Config, wish: Option<TrainCommand>) -> Result<bool> {
        let mut wish = wish;
        while let Some(command) = wish {
            match command {
                TrainCommand::Stop => {
                    self.save(config)?;
                    return Ok(true);
                }
                TrainCommand::Pause => {
                    self.save(config)?;
                    if self.wait("asked to pause; a checkpoint is written", config)? {
                        return Ok(true);
                    }
                }
                TrainCommand::Checkpoint => self.save_on_demand(config)?,
                TrainCommand::Sample => self.draw()?,
                TrainCommand::Resume => {}
            }
            wish = self.wish()?;
        }
        Ok(false)
    }

    /// The next wish, and a line for each foreign thing in the folder of commands.
    fn wish(&mut self) -> Result<Option<TrainCommand>> {
        let wish = self.next_wish();
        let news = self.mailbox.as_mut().map(Mailbox::news);
        for line in news.into_iter().flatten() {
            self.warn(line)?;
        }
        Ok(wish)
    }

    /// The next wish of whoever started the run, else of another process.
    fn next_wish(&mut self) -> Option<TrainCommand> {
        let own = self.place.control.next();
        let wish = own.or_else(|| self.mailbox.as_mut()?.take());
        if wish == Some(TrainCommand::Pause) {
            self.paused_from_outside = own.is_none();
        }
        wish
    }

    /// Waits until somebody says to go on, or to stop; then returns true.
    fn wait(&mut self, reason: &str, config: &Config) -> Result<bool> {
        let step = self.state.step;
        self.tell(&TrainEvent::Paused {
            step,
            reason: reason.into(),
        })?;
        loop {
            match self.wish()? {
                Some(TrainCommand::Stop) => return Ok(true),
                Some(TrainCommand::Resume) => break,
                Some(TrainCommand::Sample) => self.draw()?,
                Some(TrainCommand::Checkpoint) => self.save_on_demand(config)?,
                Some(TrainCommand::Pause) => {}
                // Nobody could end the pause.
                None if self.place.control.is_gone() && !self.paused_from_outside => {
                    return Ok(true);
                }
                None => std::thread::sleep(PATIENCE),
            }
        }
        self.tell(&TrainEvent::Resumed { step })?;
        Ok(false)
    }

    fn note_heldout(&mut self, report: HeldOutReport) -> Result<()> {
        if report.loss.is_finite() && self.state.best.is_none_or(|(best, _)| report.loss < best) {
            self.state.best = Some((report.loss, report.step));
        }
        self.state.heldout = Some(report.clone());
        self.tell(&TrainEvent::HeldOut(report))
    }

    /// Draws samples of the raw and of the averaged weights. A failure costs the picture, not the
    /// run.
    fn draw(&mut self) -> Result<()> {
        for weights in [Weights::Raw, Weights::Averaged] {
            let Some(sheets) = self.place.sheets.as_deref_mut() else {
                return Ok(());
            };
            let step = self.state.step;
            let dit = self.training.frozen(weights)?;
            match sheets.draw(&dit, step, weights, self.place.out) {
                Ok(path) => self.tell(&TrainEvent::Sample {
                    step,
                    path: path.display().to_string(),
                    weights,
                })?,
                Err(error) => self.warn(format!("no samples: {error}"))?,
            }
        }
        Ok(())
    }
}
