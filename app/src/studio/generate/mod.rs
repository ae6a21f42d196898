//! Prompt, settings, queue, live mode: from a drawing to a job, from its events to a result.

pub mod panel;

use super::actions::Action;
use super::state::Studio;

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum GenerateCommand {}

/// Named actions.
pub const ACTIONS: &[Action] = &[];

/// Does what the command says.
pub fn run(_studio: &mut Studio, command: GenerateCommand) {
    match command {}
}

/// Reads the prompt history and the queue that the last session left.
pub fn start(_studio: &mut Studio) {}

/// Takes in an event of a job.
pub fn on_event(_studio: &mut Studio, _event: mmface_engine::worker::Event) {}

/// Starts what is due: the next job of the queue, a live job.
pub fn tick(_studio: &mut Studio) {}
