//! The project file, the journal behind it, and what a crash left.

pub mod panel;

use super::actions::Action;
use super::state::Studio;

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum KeepingCommand {}

/// Named actions.
pub const ACTIONS: &[Action] = &[];

/// Does what the command says.
pub fn run(_studio: &mut Studio, command: KeepingCommand) {
    match command {}
}

/// Opens the session's journal, and the project that the person named; offers what a crash left.
pub fn start(_studio: &mut Studio, _project: Option<std::path::PathBuf>) {}

/// Passes changes on to the journal.
pub fn tick(_studio: &mut Studio) {}

/// Asks about unsaved work when the window is to close.
pub fn show_close_question(ctx: &egui::Context, studio: &mut Studio) {
    if std::mem::take(&mut studio.wants_to_close) {
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
    }
}

/// Ends the session properly.
pub fn on_exit(_studio: &mut Studio) {}
