//! The order in which loads and jobs take their turn. No threads here.

use std::collections::VecDeque;

use crate::contract::{JobId, Lane, LoadId, ModelRef};
use crate::job::Job;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Task {
    Load(LoadId, ModelRef),
    Job(JobId, Lane, Box<Job>),
}

/// Waiting tasks. A job runs on the newest model whose load was requested before it.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Task>);

impl Queue {
    /// Adds a job; returns the live job that it replaces, if one was waiting.
    pub(super) fn push_job(&mut self, id: JobId, lane: Lane, job: Job) -> Option<JobId> {
        let task = Task::Job(id, lane, Box::new(job));
        if lane == Lane::Batch {
            self.0.push_back(task);
            return None;
        }
        let before = self
            .0
            .iter()
            .position(|task| matches!(task, Task::Job(_, Lane::Live, _)));
        let replaced = before
            .and_then(|at| self.0.remove(at))
            .and_then(|task| match task {
                Task::Job(id, ..) => Some(id),
                Task::Load(..) => None,
            });
        // In front of the batch jobs, but behind every load: those were asked for before.
        let at = self
            .0
            .iter()
            .rposition(|task| matches!(task, Task::Load(..)))
            .map_or(0, |load| load + 1);
        self.0.insert(at, task);
        replaced
    }

    /// Adds a load; returns the waiting loads that nobody needs any more, since no job waits
    /// between them and the new one.
    pub(super) fn push_load(&mut self, id: LoadId, model: ModelRef) -> Vec<LoadId> {
        let mut replaced = Vec::new();
        while let Some(Task::Load(old, _)) = self.0.back() {
            replaced.push(*old);
            self.0.pop_back();
        }
        self.0.push_back(Task::Load(id, model));
        replaced
    }

    /// The next task.
    pub(super) fn pop(&mut self) -> Option<Task> {
        self.0.pop_front()
    }

    /// Whether a job waits that must run before any later load.
    pub(super) fn job_is_next(&self) -> bool {
        matches!(self.0.front(), Some(Task::Job(..)))
    }

    /// Takes a waiting job out.
    pub(super) fn remove_job(&mut self, wanted: JobId) -> bool {
        let at = self
            .0
            .iter()
            .position(|task| matches!(task, Task::Job(id, ..) if *id == wanted));
        at.and_then(|at| self.0.remove(at)).is_some()
    }

    /// Takes out the jobs before the next load: they waited for a model that did not come.
    pub(super) fn take_jobs_before_load(&mut self) -> Vec<JobId> {
        let mut jobs = Vec::new();
        while let Some(Task::Job(id, ..)) = self.0.front() {
            jobs.push(*id);
            self.0.pop_front();
        }
        jobs
    }

    /// Takes out everything.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Task> + '_ {
        self.0.drain(..)
    }
}
