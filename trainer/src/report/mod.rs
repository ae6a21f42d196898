//! What a run tells: one stream of events, and its views.
//!
//! The events themselves are [`mmface_run_protocol`]'s, so that the studio can read them.

pub mod jsonl;
pub mod plain;
pub mod progress;
pub mod screen;
pub mod tensorboard;

pub use mmface_run_protocol::{
    DataTable, HeldOutReport, Preparing, Started, Step, TrainCommand, TrainEvent, Weights,
};

/// A view of the events.
pub trait Sink {
    /// Hears one event.
    ///
    /// # Errors
    /// When a file of the view cannot be written: then the run ends.
    fn on_event(&mut self, event: &TrainEvent) -> mmface_engine::Result<()>;
}

/// A view that shows nothing, for processes beside the first one.
#[derive(Debug, Default)]
pub struct Silent;

impl Sink for Silent {
    fn on_event(&mut self, _event: &TrainEvent) -> mmface_engine::Result<()> {
        Ok(())
    }
}
