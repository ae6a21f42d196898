//! A loaded engine, driven from the command line: progress on a terminal, JSON lines on request,
//! Ctrl-C cancels.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mmface_engine::contract::{Event, JobId, ModelSummary, Picture, PreviewPolicy};
use mmface_engine::error::Kind;
use mmface_engine::job::Job;
use mmface_engine::system::interrupt;
use mmface_engine::worker::Engine;

use super::args::{ModelArgs, OutputArgs};
use crate::failure::{Failure, Result};

/// How often Ctrl-C is asked about while nothing happens.
const POLL: Duration = Duration::from_millis(30);

/// An engine with a loaded model.
pub struct Session {
    engine: Engine,
    events: Receiver<Event>,
    output: OutputArgs,
    /// What was loaded.
    pub summary: ModelSummary,
}

impl Session {
    /// Starts the engine and loads the model. `previews` costs time and shows nothing here; it
    /// exists so that tests can compare.
    ///
    /// # Errors
    /// When the device or the model cannot be opened, or loading is cancelled.
    pub fn open(model: &ModelArgs, previews: PreviewPolicy, output: OutputArgs) -> Result<Self> {
        interrupt::listen();
        model.compute.set_threads()?;
        let (sender, events) = unbounded();
        let engine = Engine::start(model.compute.options(previews), sender, || {})?;
        let wanted = engine.load(model.model());
        let bar = Bar::spinner(output, "loading the model");
        loop {
            match next(&events)? {
                Some(Event::Loading { fraction, what, .. }) => bar.loading(fraction, &what),
                Some(Event::Ready { load, summary }) if load == wanted => {
                    bar.clear();
                    let session = Self {
                        engine,
                        events,
                        output,
                        summary: *summary,
                    };
                    session.tell_loaded();
                    return Ok(session);
                }
                Some(Event::LoadFailed { error, .. }) => {
                    bar.clear();
                    return Err(error.into());
                }
                Some(_) => {}
                None if interrupt::asked() => {
                    bar.clear();
                    return Err(Failure::new(
                        Kind::Cancelled,
                        "cancelled while loading the model; nothing was written",
                    ));
                }
                None => {}
            }
        }
    }

    fn tell_loaded(&self) {
        if let Some(note) = &self.summary.note {
            self.warn(note);
        }
        self.json(&serde_json::json!({ "event": "loaded", "model": self.summary }));
    }

    /// Runs a job to its end.
    ///
    /// # Errors
    /// When the job does not fit the model, fails, or is cancelled.
    pub fn run(&self, job: Job, label: &str) -> Result<Vec<Picture>> {
        let id = self.engine.submit(job);
        let mut bar = Bar::none();
        let mut cancelling = false;
        let mut last_step = (0, 0);
        loop {
            match next(&self.events)? {
                Some(Event::Started { steps, .. }) => bar = Bar::steps(self.output, steps, label),
                Some(Event::Step {
                    index, of, seconds, ..
                }) => {
                    last_step = (index, of);
                    bar.step(index);
                    self.json(&serde_json::json!({
                        "event": "step", "index": index, "of": of, "seconds": seconds, "label": label,
                    }));
                }
                Some(Event::Warning { text, .. }) => {
                    bar.suspend(|| self.warn(&text));
                }
                Some(event) if event.ends() == Some(id) => {
                    bar.clear();
                    return self.end(event, last_step);
                }
                Some(_) => {}
                None if interrupt::asked() && !cancelling => {
                    cancelling = true;
                    self.cancel(id);
                }
                None => {}
            }
        }
    }

    fn cancel(&self, job: JobId) {
        self.engine.cancel(job);
    }

    fn end(&self, event: Event, (index, of): (usize, usize)) -> Result<Vec<Picture>> {
        match event {
            Event::Finished { pictures, .. } => Ok(pictures),
            Event::Failed { error, .. } => Err(error.into()),
            _ => Err(Failure::new(
                Kind::Cancelled,
                format!("cancelled (after step {index} of {of}); run it again to get the picture"),
            )),
        }
    }

    /// Says something that does not stop the work.
    pub fn warn(&self, text: &str) {
        warn(self.output, text);
    }

    /// Prints an object on stdout when JSON was asked for.
    pub fn json(&self, object: &serde_json::Value) {
        if self.output.json {
            print_line(&object.to_string());
        }
    }

    /// Prints a line for a person, unless JSON or silence was asked for.
    pub fn say(&self, text: &str) {
        say(self.output, text);
    }
}

/// The next event; `None` when it is time to ask about Ctrl-C.
fn next(events: &Receiver<Event>) -> Result<Option<Event>> {
    if interrupt::asked() {
        // What has happened already still counts; then the caller learns of the interruption.
        return Ok(events.recv_timeout(Duration::from_millis(1)).ok());
    }
    match events.recv_timeout(POLL) {
        Ok(event) => Ok(Some(event)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(Failure::bug("the engine stopped")),
    }
}

/// A warning line on stderr.
pub fn warn(output: OutputArgs, text: &str) {
    if !output.quiet {
        eprintln!("warning: {text}");
    }
}

/// A line on stdout for a person.
pub fn say(output: OutputArgs, text: &str) {
    if !output.quiet && !output.json {
        print_line(text);
    }
}

/// A closed pipe is the reader's choice and no reason to stop.
pub fn print_line(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// A progress bar on a terminal, nothing elsewhere.
struct Bar {
    bar: Option<ProgressBar>,
    began: Instant,
}

impl Bar {
    fn none() -> Self {
        Self {
            bar: None,
            began: Instant::now(),
        }
    }

    fn visible(output: OutputArgs) -> bool {
        !output.quiet && !output.json && std::io::stderr().is_terminal()
    }

    fn new(output: OutputArgs, length: u64, template: &str) -> Self {
        if !Self::visible(output) {
            return Self::none();
        }
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar: Some(bar),
            began: Instant::now(),
        }
    }

    fn spinner(output: OutputArgs, message: &str) -> Self {
        let bar = Self::new(output, 100, "{msg} {wide_bar} {percent}%");
        bar.message(message);
        bar
    }

    fn steps(output: OutputArgs, steps: usize, label: &str) -> Self {
        let bar = Self::new(
            output,
            steps as u64,
            "{msg} {wide_bar} {pos}/{len} {prefix} ETA {eta}",
        );
        bar.message(label);
        bar
    }

    fn message(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_string());
        }
    }

    fn loading(&self, fraction: f32, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_string());
            bar.set_position((fraction * 100.0) as u64);
        }
    }

    fn step(&self, index: usize) {
        if let Some(bar) = &self.bar {
            let rate = index as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
            bar.set_prefix(format!("{rate:.2} steps/s"));
            bar.set_position(index as u64);
        }
    }

    fn suspend(&self, work: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(work),
            None => work(),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
