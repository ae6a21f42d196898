//! Installed models, and the one that is loaded.

pub mod panel;

use super::actions::Action;
use super::state::Studio;

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelsCommand {}

/// Named actions.
pub const ACTIONS: &[Action] = &[];

/// Does what the command says.
pub fn run(_studio: &mut Studio, command: ModelsCommand) {
    match command {}
}

/// Loads the model of the settings.
pub fn start(_studio: &mut Studio) {}

/// Takes in an event of loading.
pub fn on_event(_studio: &mut Studio, _event: mmface_engine::worker::Event) {}
