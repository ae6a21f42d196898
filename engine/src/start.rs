//! An engine on the real pipeline: the one place that knows both the worker and what it drives.

use crossbeam_channel::Sender;

use crate::Result;
use crate::contract::{Event, PipelineOptions};
use crate::pipeline::Pipeline;
use crate::worker::Engine;

impl Engine {
    /// Starts the worker on the real pipeline.
    ///
    /// `events` must be unbounded, so that a slow reader never stops the engine; `wake` is called
    /// after each event, from any thread.
    ///
    /// # Errors
    /// When the channel is bounded, or the system gives no thread.
    pub fn start(
        options: PipelineOptions,
        events: Sender<Event>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::start_with(move || Pipeline::new(options), events, wake)
    }
}
