//! The studio's end of the engine's thread: commands go in, events come out, frames are asked
//! for no more often than the screen needs.

use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use mmface_engine::contract::{
    Attempt, Backend, Cancel, Event, JobId, Lane, LoadId, ModelRef, ModelSummary, Observer,
    Picture, PipelineOptions,
};
use mmface_engine::job::Job;
use mmface_engine::pipeline::Pipeline;
use mmface_engine::worker::Engine;
use mmface_engine::{Error, Result};

/// The longest that an event waits for its frame: twenty frames a second while generating.
const FRAME: Duration = Duration::from_millis(50);

/// What an engine is started with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Setup {
    /// Where and how it computes.
    pub options: PipelineOptions,
    /// Threads of the CPU; `None` for all.
    pub threads: Option<usize>,
}

/// How the studio gets its engine, at the start and whenever its settings change.
pub type StartEngine = Box<dyn Fn(Setup, egui::Context) -> Result<EngineLink>>;

/// A running engine and its events.
pub struct EngineLink {
    engine: Engine,
    events: Receiver<Event>,
}

impl EngineLink {
    /// Starts the real engine.
    ///
    /// # Errors
    /// When its threads cannot be started.
    pub fn start(setup: Setup, ctx: egui::Context) -> Result<Self> {
        Self::start_with(move || OnThreads::new(setup), ctx)
    }

    /// Starts the engine's worker on any backend.
    ///
    /// # Errors
    /// When the system gives no thread.
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

/// The pipeline on threads of its own number. The worker's thread is one of them, so that whatever
/// it computes is spread over these and no others; they end with it.
struct OnThreads {
    pipeline: Pipeline,
    pool: Result<Option<rayon::ThreadPool>, String>,
}

impl OnThreads {
    /// To be called on the worker's thread.
    fn new(setup: Setup) -> Self {
        let pool = setup.threads.map(|threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .use_current_thread()
                .build()
                .map_err(|error| format!("cannot start {threads} threads: {error}"))
        });
        Self {
            pipeline: Pipeline::new(setup.options),
            pool: pool.transpose(),
        }
    }
}

impl Backend for OnThreads {
    fn load(
        &mut self,
        model: &ModelRef,
        progress: &mut (dyn FnMut(f32, &str) + Send),
        cancel: &Cancel,
    ) -> Result<ModelSummary> {
        if let Err(why) = &self.pool {
            let text = format!("{why}; ask for fewer in Settings");
            return Err(Error::Device(text));
        }
        self.pipeline.load(model, progress, cancel)
    }

    fn run(
        &mut self,
        job: &Job,
        attempt: Attempt,
        observer: &mut dyn Observer,
        cancel: &Cancel,
    ) -> Result<Vec<Picture>> {
        self.pipeline.run(job, attempt, observer, cancel)
    }

    fn free_caches(&mut self) {
        self.pipeline.free_caches();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_computes_on_the_threads_that_were_asked_for() {
        for threads in [1, 3] {
            let found = std::thread::spawn(move || {
                let backend = OnThreads::new(Setup {
                    threads: Some(threads),
                    ..Setup::default()
                });
                let count = rayon::current_num_threads();
                drop(backend);
                count
            });
            assert_eq!(found.join().expect("no panic"), threads);
        }
    }
}
