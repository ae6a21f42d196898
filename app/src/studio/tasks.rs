//! Slow work beside the GUI thread: reading and writing files, decoding pictures, parsing photos.
//!
//! A task ends with something that is left in the [`Inbox`] of whoever started it, and taken out
//! on the GUI thread; a task that panics is reported like any failure.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};

/// Where the work of one feature leaves what comes of it.
pub struct Inbox<T> {
    sender: Sender<T>,
    done: Receiver<T>,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        let (sender, done) = unbounded();
        Self { sender, done }
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("waiting", &self.done.len())
            .finish()
    }
}

impl<T> Inbox<T> {
    /// Puts something in.
    pub fn put(&self, item: T) {
        // The receiver stands beside the sender, so there is one.
        self.sender.send(item).ok();
    }

    /// Another entrance, for another thread or for later.
    pub fn sender(&self) -> Sender<T> {
        self.sender.clone()
    }

    /// Takes everything out, oldest first.
    pub fn take(&self) -> Vec<T> {
        self.done.try_iter().collect()
    }
}

/// How a task ended.
struct Ended {
    id: u64,
    /// One line for a person, when it did not end as it should.
    problem: Option<String>,
}

/// Runs tasks, each on a thread of its own.
pub struct Tasks {
    ended: Inbox<Ended>,
    running: BTreeMap<u64, String>,
    last: u64,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Tasks {
    /// `wake` asks for a frame, from any thread.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            ended: Inbox::default(),
            running: BTreeMap::new(),
            last: 0,
            wake: Arc::new(wake),
        }
    }

    /// Runs `work` beside the GUI thread; what it returns is put into `inbox`. `name` is for
    /// people: "saving the project".
    pub fn spawn<T: Send + 'static>(
        &mut self,
        name: &str,
        inbox: &Inbox<T>,
        work: impl FnOnce() -> T + Send + 'static,
    ) {
        self.last += 1;
        let id = self.last;
        let (results, ended) = (inbox.sender(), self.ended.sender());
        let (wake, what) = (Arc::clone(&self.wake), name.to_string());
        let body = move || {
            // The studio may be gone by the end; then there is nobody to tell.
            let problem = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(result) => {
                    results.send(result).ok();
                    None
                }
                Err(_) => Some(format!(
                    "{what} failed unexpectedly; your drawing is kept, please report it"
                )),
            };
            ended.send(Ended { id, problem }).ok();
            wake();
        };
        match std::thread::Builder::new().name(name.into()).spawn(body) {
            Ok(_) => {
                self.running.insert(id, name.to_string());
            }
            Err(error) => {
                let text =
                    format!("{name} could not start: {error}; close other programs and try again");
                self.ended.put(Ended {
                    id,
                    problem: Some(text),
                });
            }
        }
    }

    /// Takes in which tasks have ended, and gives back what went wrong with them, one line each.
    /// What an ended task made is in its inbox by then.
    pub fn take_in(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        for Ended { id, problem } in self.ended.take() {
            self.running.remove(&id);
            problems.extend(problem);
        }
        problems
    }

    /// Waits until a task has ended; false when none has by then.
    #[cfg(any(test, feature = "testing"))]
    pub fn wait(&mut self, most: std::time::Duration) -> bool {
        let ended = self.ended.done.recv_timeout(most);
        // Taken in with the others in its turn.
        ended.map(|ended| self.ended.put(ended)).is_ok()
    }

    /// The names of the tasks that run.
    pub fn running(&self) -> impl Iterator<Item = &str> {
        self.running.values().map(String::as_str)
    }
}
