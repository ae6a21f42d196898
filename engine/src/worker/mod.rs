//! The thread that owns a backend, and the handle by which an owner drives it
//! (ARCHITECTURE.md, "One job").
//!
//! The owner submits jobs and reads [`Event`]s from its own channel; the worker never waits for
//! the reader. Everything that runs is behind [`Backend`], so that the contract is tested with a
//! backend that computes nothing.

mod queue;
mod thread;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::Sender;

use crate::contract::{Backend, Cancel, Event, JobId, Lane, LoadId, ModelRef, PreviewSlot};
use crate::job::Job;
use crate::{Error, Result};
use queue::{Queue, Task};

/// The owner's handle. Dropping it cancels everything and waits for the step at hand.
pub struct Engine {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What owner and worker share.
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    events: Sender<Event>,
    wake: Box<dyn Fn() + Send + Sync>,
    preview: Arc<PreviewSlot>,
    /// Points of each picture's way that batch jobs report.
    trail_steps: AtomicUsize,
}

/// Events of a job are sent under this lock: that keeps their order and makes "exactly one
/// terminal event" a matter of who takes the job out of `queue` or `running`.
#[derive(Default)]
struct State {
    queue: Queue,
    running: Option<Running>,
    stopping: bool,
    last_id: u64,
}

/// The task at hand.
struct Running {
    job: Option<(JobId, Lane)>,
    cancel: Cancel,
}

impl Engine {
    /// Starts the worker on any backend, which is made on the worker's own thread.
    ///
    /// # Errors
    /// When the event channel is bounded, or the system gives no thread.
    pub fn start_with<B: Backend>(
        backend: impl FnOnce() -> B + Send + 'static,
        events: Sender<Event>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self> {
        if events.capacity().is_some() {
            return Err(Error::Internal(
                "the engine's event channel must be unbounded".into(),
            ));
        }
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            events,
            wake: Box::new(wake),
            preview: Arc::default(),
            trail_steps: AtomicUsize::new(0),
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || thread::run(&worker, backend()))
            .map_err(|error| Error::Device(format!("cannot start the engine's thread: {error}")))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Requests a model for the jobs submitted from now on. A load that no job waits for any more
    /// is given up.
    pub fn load(&self, model: ModelRef) -> LoadId {
        let mut state = self.shared.lock();
        let id = LoadId(state.next_id());
        if let Some(Running { job: None, cancel }) = &state.running
            && !state.queue.job_is_next()
        {
            cancel.raise();
        }
        for old in state.queue.push_load(id, model) {
            self.shared.send(Event::LoadFailed {
                load: old,
                error: Error::Cancelled,
            });
        }
        self.shared.notify(state);
        id
    }

    /// From the next job on, batch jobs report so many points of each picture's way with
    /// [`Event::Trail`]; 0, as at the start, costs nothing.
    pub fn keep_trails(&self, steps: usize) {
        self.shared.trail_steps.store(steps, Ordering::Relaxed);
    }

    /// Adds a batch job.
    pub fn submit(&self, job: Job) -> JobId {
        self.submit_to(Lane::Batch, job)
    }

    /// Adds a job to a lane. A live job cancels the live job before it, running or waiting.
    pub fn submit_to(&self, lane: Lane, job: Job) -> JobId {
        let mut state = self.shared.lock();
        let id = JobId(state.next_id());
        if lane == Lane::Live
            && let Some(Running {
                job: Some((_, Lane::Live)),
                cancel,
            }) = &state.running
        {
            cancel.raise();
        }
        self.shared.send(Event::Queued { job: id });
        if let Some(old) = state.queue.push_job(id, lane, job) {
            self.shared.send(Event::Cancelled { job: old });
        }
        self.shared.notify(state);
        id
    }

    /// Cancels a job: at once when it waits, before its next step when it runs. False when the
    /// job is already over; after true its terminal event is `Cancelled`.
    pub fn cancel(&self, job: JobId) -> bool {
        let mut state = self.shared.lock();
        if state.queue.remove_job(job) {
            self.shared.send(Event::Cancelled { job });
            self.shared.notify(state);
            return true;
        }
        match &state.running {
            Some(Running {
                job: Some((running, _)),
                cancel,
            }) if *running == job => {
                cancel.raise();
                true
            }
            _ => false,
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        if let Some(running) = &state.running {
            running.cancel.raise();
        }
        for task in state.queue.drain() {
            self.shared.send(match task {
                Task::Job(job, ..) => Event::Cancelled { job },
                Task::Load(load, _) => Event::LoadFailed {
                    load,
                    error: Error::Cancelled,
                },
            });
        }
        self.shared.notify(state);
        if let Some(thread) = self.thread.take() {
            // The worker catches its backend's panics; there is nobody left to tell about another.
            thread.join().ok();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event; a reader that went away is no reason to stop.
    fn send(&self, event: Event) {
        self.events.send(event).ok();
    }

    /// Releases the state, then tells worker and owner that something changed.
    fn notify(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.work.notify_all();
        self.wake();
    }

    /// A panic of the owner's `wake` is not ours to die of.
    fn wake(&self) {
        catch_unwind(AssertUnwindSafe(|| (self.wake)())).ok();
    }
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}
