//! The worker's loop.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use super::queue::Task;
use super::{Running, Shared};
use crate::contract::{
    Attempt, Backend, Cancel, Event, JobId, Lane, LoadId, ModelRef, Observer, Picture, Trail,
};
use crate::job::Job;
use crate::picture::RgbImage;
use crate::{Error, Result};

/// Runs tasks until the engine is dropped.
pub(super) fn run<B: Backend>(shared: &Shared, mut backend: B) {
    let mut model = Err("no model is loaded; load one first".to_string());
    while let Some((task, cancel)) = next(shared) {
        match task {
            Task::Load(id, wanted) => model = load(shared, &mut backend, id, &wanted, &cancel),
            Task::Job(id, lane, job) => {
                // Nobody goes back to a live picture.
                let trail_steps = match lane {
                    Lane::Batch => shared.trail_steps.load(Ordering::Relaxed),
                    Lane::Live => 0,
                };
                let mut reporter = Reporter {
                    shared,
                    job: id,
                    trail_steps,
                };
                run_job(&mut reporter, &mut backend, &job, &model, &cancel);
            }
        }
    }
}

/// Waits for the next task and marks it as running; `None` when the engine is dropped.
fn next(shared: &Shared) -> Option<(Task, Cancel)> {
    let mut state = shared.lock();
    loop {
        if state.stopping {
            return None;
        }
        if let Some(task) = state.queue.pop() {
            let cancel = Cancel::new();
            let job = match &task {
                Task::Job(id, lane, _) => Some((*id, *lane)),
                Task::Load(..) => None,
            };
            state.running = Some(Running {
                job,
                cancel: cancel.clone(),
            });
            return Some((task, cancel));
        }
        state = shared
            .work
            .wait(state)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
    }
}

/// Loads a model; a failure fails the jobs that wait for it, and is what later jobs are told.
fn load<B: Backend>(
    shared: &Shared,
    backend: &mut B,
    id: LoadId,
    wanted: &ModelRef,
    cancel: &Cancel,
) -> Result<(), String> {
    let mut progress = |fraction: f32, what: &str| {
        shared.send(Event::Loading {
            load: id,
            fraction,
            what: what.to_string(),
        });
        shared.wake();
    };
    let result = guarded(|| {
        cancel.check()?;
        backend.load(wanted, &mut progress, cancel)
    });
    let mut state = shared.lock();
    state.running = None;
    let outcome = match result {
        Ok(_) if cancel.raised() => Err(Error::Cancelled),
        other => other,
    };
    let model = match outcome {
        Ok(summary) => {
            shared.send(Event::Ready {
                load: id,
                summary: Box::new(summary),
            });
            Ok(())
        }
        Err(error) => {
            let reason = format!("the model could not be loaded: {error}");
            shared.send(Event::LoadFailed { load: id, error });
            for job in state.queue.take_jobs_before_load() {
                shared.send(Event::Failed {
                    job,
                    error: Error::NoModel(reason.clone()),
                });
            }
            Err(reason)
        }
    };
    shared.notify(state);
    model
}

/// Runs a job to its terminal event.
fn run_job<B: Backend>(
    reporter: &mut Reporter,
    backend: &mut B,
    job: &Job,
    model: &Result<(), String>,
    cancel: &Cancel,
) {
    let (shared, id) = (reporter.shared, reporter.job);
    let result = match model {
        Err(reason) => Err(Error::NoModel(reason.clone())),
        Ok(()) => {
            shared.send(Event::Started {
                job: id,
                steps: job.total_steps(),
            });
            shared.wake();
            attempt_twice(reporter, backend, job, cancel)
        }
    };
    if matches!(result, Err(Error::OutOfMemory { .. } | Error::Panic(_))) {
        free_caches(backend);
    }
    let mut state = shared.lock();
    state.running = None;
    shared.send(match result {
        _ if cancel.raised() => Event::Cancelled { job: id },
        Ok(pictures) => Event::Finished { job: id, pictures },
        Err(Error::Cancelled) => Event::Cancelled { job: id },
        Err(error) => Event::Failed { job: id, error },
    });
    shared.notify(state);
}

/// Out of memory once is an ordinary matter: let go of the caches and decode in tiles.
fn attempt_twice<B: Backend>(
    reporter: &mut Reporter,
    backend: &mut B,
    job: &Job,
    cancel: &Cancel,
) -> Result<Vec<Picture>> {
    let mut attempt = |backend: &mut B, attempt| {
        guarded(|| {
            cancel.check()?;
            backend.run(job, attempt, reporter, cancel)
        })
    };
    match attempt(backend, Attempt::default()) {
        Err(Error::OutOfMemory { .. }) => {
            free_caches(backend);
            attempt(
                backend,
                Attempt {
                    tiled_decoding: true,
                },
            )
        }
        result => result,
    }
}

/// A panic while letting go must not end the worker: others wait for their events.
fn free_caches<B: Backend>(backend: &mut B) {
    catch_unwind(AssertUnwindSafe(|| backend.free_caches())).ok();
}

/// Turns a panic of the backend into an error.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::Panic(message(panic.as_ref()))))
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

/// Sends what a running job reports.
struct Reporter<'a> {
    shared: &'a Shared,
    job: JobId,
    trail_steps: usize,
}

impl Observer for Reporter<'_> {
    fn step(&mut self, index: usize, of: usize, seconds: f64, preview: Option<RgbImage>) {
        let preview = preview.map(|image| self.shared.preview.put(image));
        self.shared.send(Event::Step {
            job: self.job,
            index,
            of,
            seconds,
            preview,
        });
        self.shared.wake();
    }

    fn warning(&mut self, text: String) {
        self.shared.send(Event::Warning {
            job: self.job,
            text,
        });
        self.shared.wake();
    }

    fn trail_steps(&self) -> usize {
        self.trail_steps
    }

    fn trail(&mut self, trail: Trail) {
        let job = self.job;
        self.shared.send(Event::Trail { job, trail });
    }
}
