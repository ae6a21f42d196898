//! How far slow work is, seen from the GUI thread, and the way to stop it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by the work and whoever watches it; clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    done: AtomicU64,
    of: AtomicU64,
    stop: AtomicBool,
    what: Mutex<String>,
}

impl Progress {
    /// The work tells what it does and how far it is; false asks it to stop.
    pub fn tell(&self, what: &str, done: u64, of: u64) -> bool {
        let mut text = self.0.what.lock().unwrap_or_else(PoisonError::into_inner);
        if *text != what {
            what.clone_into(&mut text);
        }
        self.0.done.store(done, Ordering::Relaxed);
        self.0.of.store(of, Ordering::Relaxed);
        !self.stopped()
    }

    /// Asks the work to stop.
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the work was asked to stop.
    pub fn stopped(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    /// The share that is done, 0..=1; `None` until the work has said how much there is.
    pub fn fraction(&self) -> Option<f32> {
        let of = self.0.of.load(Ordering::Relaxed);
        let done = self.0.done.load(Ordering::Relaxed);
        (of > 0).then(|| (done as f64 / of as f64).clamp(0.0, 1.0) as f32)
    }

    /// What is being done.
    pub fn what(&self) -> String {
        let text = self.0.what.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_sees_what_is_told_and_can_stop_it() {
        let work = Progress::default();
        let watcher = work.clone();
        assert_eq!(watcher.fraction(), None);
        assert!(work.tell("hashing", 1, 4));
        assert_eq!(
            (watcher.fraction(), watcher.what().as_str()),
            (Some(0.25), "hashing")
        );
        watcher.stop();
        assert!(!work.tell("hashing", 2, 4));
    }
}
