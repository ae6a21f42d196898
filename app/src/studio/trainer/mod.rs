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

/// Starts the trainer; tests put another in its place.
pub trait Launcher {}

/// Starts `mmface-trainer` from beside the program.
struct Program;

impl Launcher for Program {}

/// The launcher that a person gets.
pub fn standard_launcher() -> Box<dyn Launcher> {
    Box::new(Program)
}

/// Reads what the running trainer has said.
pub fn tick(_studio: &mut Studio) {}

/// Leaves the runs in order when the program ends.
pub fn on_exit(_studio: &mut Studio) {}
