//! Finished pictures: the filmstrip, comparing, restoring.

pub mod panel;

use super::actions::Action;
use super::state::Studio;

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultsCommand {}

/// Named actions.
pub const ACTIONS: &[Action] = &[];

/// Does what the command says.
pub fn run(_studio: &mut Studio, command: ResultsCommand) {
    match command {}
}

/// Reads the results folder.
pub fn start(_studio: &mut Studio) {}

/// Takes in a picture that was just saved.
pub fn add(_studio: &mut Studio, _finished: super::generate::Finished) {}
