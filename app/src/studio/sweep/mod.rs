//! One or two words of a prompt varied: the grid of what changes.

pub mod panel;

use super::actions::Action;
use super::state::Studio;

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum SweepCommand {}

/// Named actions.
pub const ACTIONS: &[Action] = &[];

/// Does what the command says.
pub fn run(_studio: &mut Studio, command: SweepCommand) {
    match command {}
}

/// Hears how a picture or a whole work of a sweep ended; asked for with `Owner::Sweep`.
pub fn on_outcome(
    _studio: &mut Studio,
    _owner: super::generate::Owner,
    _work: super::generate::WorkId,
    _outcome: &super::generate::Outcome,
) {
}
