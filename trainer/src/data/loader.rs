//! Batches made ahead by threads, in an order that does not depend on their number or speed.
//!
//! Which samples a batch holds follows from its place in the run alone. Thread `i` of `n` makes the
//! batches `i, i + n, i + 2n, …`, and the loop asks the threads in turn.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use candle_core::Device;
use mmface_engine::{Error, Result};

use super::batches::{Batch, Batches};
use super::store::LatentStore;
use super::text::TextStore;
use crate::config::Config;

/// Batches that each thread may have ready.
const AHEAD: usize = 2;

/// Which part of each global batch this process computes.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Position of this process.
    pub rank: usize,
    /// Processes in all.
    pub ranks: usize,
}

impl Share {
    /// Samples of this process in one part of an update.
    pub fn part(&self, config: &Config) -> usize {
        config.batch / self.ranks / config.accumulation
    }

    /// First sample of this process's part `index`, counted over all parts since `start`, the first
    /// sample of an update.
    pub fn position(&self, config: &Config, start: u64, index: u64) -> u64 {
        let parts = config.accumulation as u64;
        let own = (config.batch / self.ranks) as u64;
        start
            + index / parts * config.batch as u64
            + self.rank as u64 * own
            + index % parts * self.part(config) as u64
    }
}

/// The parts of all updates, one after the other.
#[derive(Debug)]
pub struct Loader {
    threads: Vec<Receiver<Result<Batch>>>,
    next: usize,
}

impl Loader {
    /// Starts the threads at the sample `start`. They end when the loader is dropped.
    pub fn new<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        threads: usize,
        config: &'env Config,
        latents: &'env LatentStore,
        text: &'env TextStore,
        share: Share,
        start: u64,
        device: &Device,
    ) -> Self {
        let count = threads.max(1);
        let threads = (0..count)
            .map(|thread| {
                let (sender, receiver) = sync_channel(AHEAD);
                let device = device.clone();
                scope.spawn(move || {
                    let mut batches = Batches::new(config, latents, text);
                    for index in (thread as u64..).step_by(count) {
                        let position = share.position(config, start, index);
                        let batch = batches.get(position, share.part(config), &device);
                        let failed = batch.is_err();
                        if sender.send(batch).is_err() || failed {
                            break;
                        }
                    }
                });
                receiver
            })
            .collect();
        Self { threads, next: 0 }
    }

    /// The next part.
    ///
    /// # Errors
    /// When the data cannot be read.
    pub fn next_batch(&mut self) -> Result<Batch> {
        let thread = &self.threads[self.next % self.threads.len()];
        self.next += 1;
        thread
            .recv()
            .map_err(|_| Error::Panic("a loader thread ended early".into()))?
    }
}
