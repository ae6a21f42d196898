//! Slow work beside the GUI thread: reading and writing files, decoding pictures, parsing photos.
//!
//! A task ends with a closure that is run on the GUI thread with the whole studio in hand; a task
//! that panics is reported like any failure.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::state::Studio;
use super::toast::Toast;

/// What a task leaves to be done on the GUI thread.
pub type Apply = Box<dyn FnOnce(&mut Studio) + Send>;

/// Runs tasks, each on a thread of its own.
pub struct Tasks {
    sender: Sender<(u64, Apply)>,
    done: Receiver<(u64, Apply)>,
    running: BTreeMap<u64, String>,
    last: u64,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Tasks {
    /// `wake` asks for a frame, from any thread.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (sender, done) = unbounded();
        Self {
            sender,
            done,
            running: BTreeMap::new(),
            last: 0,
            wake: Arc::new(wake),
        }
    }

    /// Runs `work` beside the GUI thread; what it returns is run on the GUI thread. `name` is
    /// for people: "saving the project".
    pub fn spawn<A: FnOnce(&mut Studio) + Send + 'static>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> A + Send + 'static,
    ) {
        self.last += 1;
        let id = self.last;
        let (sender, wake, what) = (
            self.sender.clone(),
            Arc::clone(&self.wake),
            name.to_string(),
        );
        let body = move || {
            let apply: Apply = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(apply) => Box::new(apply),
                Err(_) => Box::new(move |studio: &mut Studio| {
                    studio.tell(Toast::Error(format!(
                        "{what} failed unexpectedly; your drawing is kept, please report it"
                    )));
                }),
            };
            // The studio may be gone by now; then there is nobody to tell.
            let _ = sender.send((id, apply));
            wake();
        };
        match std::thread::Builder::new().name(name.into()).spawn(body) {
            Ok(_) => {
                self.running.insert(id, name.to_string());
            }
            Err(error) => {
                let text =
                    format!("{name} could not start: {error}; close other programs and try again");
                let apply: Apply =
                    Box::new(move |studio: &mut Studio| studio.tell(Toast::Error(text)));
                let _ = self.sender.send((id, apply));
            }
        }
    }

    /// What has ended since the last call, oldest first.
    pub fn finished(&mut self) -> Vec<Apply> {
        let mut applies = Vec::new();
        while let Ok((id, apply)) = self.done.try_recv() {
            self.running.remove(&id);
            applies.push(apply);
        }
        applies
    }

    /// The names of the tasks at hand.
    pub fn running(&self) -> impl Iterator<Item = &str> {
        self.running.values().map(String::as_str)
    }
}
