//! A thread that writes the newest of what it is given. The sender never waits; a failure is
//! reported once and tried again until it works.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mmface_engine::{Error, Result};

/// How long a failed write rests before it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What a writer tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Writing fails, for this reason; it is tried again.
    Failed(String),
    /// Writing works again, and nothing is missing.
    Recovered,
}

/// Writes values of one kind; of those that arrive while it writes, only the newest.
pub struct Writer<T> {
    shared: Arc<Shared<T>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    newest: Option<T>,
    /// Values given and values that are written or overtaken.
    given: u64,
    done: u64,
    /// Somebody waits in [`Writer::flush`].
    hurry: bool,
    stop: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Send + 'static> Writer<T> {
    /// Starts the thread `name`. `write` is called on it for the newest value, `report` on it too.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        name: &str,
        report: impl Fn(Report) + Send + 'static,
        write: impl FnMut(&T) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        Self::start_paced(name, Duration::ZERO, report, write)
    }

    /// The same, writing at most once in `pace`: for values that come with every frame.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_paced(
        name: &str,
        pace: Duration,
        report: impl Fn(Report) + Send + 'static,
        write: impl FnMut(&T) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let state = State {
            newest: None,
            given: 0,
            done: 0,
            hurry: false,
            stop: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || run(&theirs, pace, report, write))
            .map_err(|error| {
                Error::Device(format!(
                    "cannot start keeping the {name}: {error}; close other programs"
                ))
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }
}

impl<T> Writer<T> {
    /// Passes a value on. Never waits for the disk.
    pub fn put(&self, value: T) {
        let mut state = self.shared.lock();
        let overtaken = state.newest.replace(value);
        state.given += 1;
        drop(state);
        self.shared.changed.notify_all();
        // What it replaces is dropped after the lock is free.
        drop(overtaken);
    }

    /// Waits until all that was put is written, at most this long; returns whether it is.
    pub fn flush(&self, most: Duration) -> bool {
        let end = Instant::now() + most;
        let mut state = self.shared.lock();
        let wanted = state.given;
        state.hurry = state.done < wanted;
        self.shared.changed.notify_all();
        while state.done < wanted {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

impl<T> Drop for Writer<T> {
    /// Writes what is left once, then ends the thread.
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to write.
            thread.join().ok();
        }
    }
}

fn run<T: Clone>(
    shared: &Shared<T>,
    pace: Duration,
    report: impl Fn(Report),
    mut write: impl FnMut(&T) -> Result<()>,
) {
    let mut failing = false;
    loop {
        let mut state = shared.lock();
        while state.newest.is_none() && !state.stop {
            state = shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let Some(value) = state.newest.take() else {
            return;
        };
        let (number, last) = (state.given, state.stop);
        drop(state);
        let rest = match write(&value) {
            Ok(()) => {
                if std::mem::take(&mut failing) {
                    report(Report::Recovered);
                }
                let mut state = shared.lock();
                state.done = number;
                state.hurry = false;
                pace
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    report(Report::Failed(error.to_string()));
                }
                if last {
                    return;
                }
                // A newer value takes its place; else the same is tried again.
                shared.lock().newest.get_or_insert(value);
                RETRY
            }
        };
        shared.changed.notify_all();
        let end = Instant::now() + rest;
        let mut state = shared.lock();
        // A failed write rests even when somebody waits for it: the disk does not heal at once.
        while !state.stop && (failing || !state.hurry) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn sending_never_waits_for_a_write() {
        let (entered, writing) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let writer = Writer::start(
            "test",
            |_| (),
            move |value: &usize| {
                // Waits until the test lets go of the other end.
                gate.recv().ok();
                entered.send(*value).unwrap();
                Ok(())
            },
        )
        .unwrap();
        let (done, sent) = mpsc::channel();
        std::thread::scope(|scope| {
            let writer = &writer;
            scope.spawn(move || {
                (0..300).for_each(|value| writer.put(value));
                done.send(()).unwrap();
            });
            sent.recv_timeout(PATIENCE).expect("it waits for the write");
            drop(open);
        });
        assert!(writer.flush(PATIENCE));
        assert_eq!(writing.try_iter().last(), Some(299));
    }

    #[test]
    fn a_failure_is_reported_once_however_often_it_is_tried() {
        let (report, reports) = mpsc::channel();
        let mut tries = 0;
        let writer = Writer::start(
            "test",
            move |told| report.send(told).unwrap(),
            move |_: &()| {
                tries += 1;
                match tries {
                    3 => Ok(()),
                    _ => Err(Error::Input(format!("try {tries}"))),
                }
            },
        )
        .unwrap();
        writer.put(());
        assert!(writer.flush(PATIENCE));
        drop(writer);
        let told: Vec<Report> = reports.iter().collect();
        assert_eq!(told, [Report::Failed("try 1".into()), Report::Recovered]);
    }
}
