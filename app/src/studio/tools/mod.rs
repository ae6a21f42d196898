//! Tools, classes, mirror, paint target: how the pen acts on the drawing.

pub mod panel;

use super::actions::Action;
use super::state::Studio;

/// The feature's state.
#[derive(Debug, Default)]
pub struct State {}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolsCommand {
    /// Takes back the last gesture.
    Undo,
    /// Does again what was taken back.
    Redo,
}

/// Named actions.
pub const ACTIONS: &[Action] = &[
    Action::new("tools.undo", "Undo", &["Ctrl+Z"], || {
        ToolsCommand::Undo.into()
    }),
    Action::new("tools.redo", "Redo", &["Ctrl+Shift+Z", "Ctrl+Y"], || {
        ToolsCommand::Redo.into()
    }),
];

/// Does what the command says.
pub fn run(studio: &mut Studio, command: ToolsCommand) {
    match command {
        ToolsCommand::Undo => {
            studio.painter.undo();
        }
        ToolsCommand::Redo => {
            studio.painter.redo();
        }
    }
}

/// Takes over the settings.
pub fn start(_studio: &mut Studio) {}
