//! Training runs: the trainer as a child process, its curves and samples.

pub mod panel;

use super::actions::Action;
use super::state::Studio;

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainerCommand {}

/// Named actions.
pub const ACTIONS: &[Action] = &[];

/// Does what the command says.
pub fn run(_studio: &mut Studio, command: TrainerCommand) {
    match command {}
}
