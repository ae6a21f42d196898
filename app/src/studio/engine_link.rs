//! The studio's end of the engine's thread: commands go in, events come out, frames are asked
//! for no more often than the screen needs.

use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use mmface_engine::Result;
use mmface_engine::job::Job;
use mmface_engine::pipeline::PipelineOptions;
use mmface_engine::worker::{Backend, Engine, Event, JobId, Lane, LoadId, ModelRef};

/// The longest that an event waits for its frame: twenty frames a second while generating.
const FRAME: Duration = Duration::from_millis(50);

/// How the studio gets its engine.
pub type StartEngine = Box<dyn FnOnce(egui::Context) -> Result<EngineLink>>;

/// A running engine and its events.
pub struct EngineLink {
    engine: Engine,
    events: Receiver<Event>,
}

impl EngineLink {
    /// Starts the real engine.
    pub fn start(options: PipelineOptions, ctx: egui::Context) -> Result<Self> {
        let (sender, events) = unbounded();
        let engine = Engine::start(options, sender, move || ctx.request_repaint_after(FRAME))?;
        Ok(Self { engine, events })
    }

    /// Starts the engine's worker on another backend, for tests.
    pub fn start_with<B: Backend>(
        backend: impl FnOnce() -> B + Send + 'static,
        ctx: egui::Context,
    ) -> Result<Self> {
        let (sender, events) = unbounded();
        let engine = Engine::start_with(backend, sender, move || ctx.request_repaint_after(FRAME))?;
        Ok(Self { engine, events })
    }

    /// Submits a job.
    pub fn submit(&self, lane: Lane, job: Job) -> JobId {
        self.engine.submit_to(lane, job)
    }

    /// How many points on the way to each picture batch jobs report from now on.
    pub fn keep_trails(&self, steps: usize) {
        self.engine.keep_trails(steps);
    }

    /// Cancels a job; false when it is over already.
    pub fn cancel(&self, job: JobId) -> bool {
        self.engine.cancel(job)
    }

    /// Loads a model for the jobs from now on.
    pub fn load(&self, model: ModelRef) -> LoadId {
        self.engine.load(model)
    }

    /// All events since the last call.
    pub fn events(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }
}
