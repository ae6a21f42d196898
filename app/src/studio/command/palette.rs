//! What can be asked of the command palette.

use super::Action;

/// Actions on the palette.
#[derive(Clone, Debug, PartialEq)]
pub enum PaletteCommand {
    /// Opens or closes it.
    Toggle,
    /// Runs an action and closes the palette.
    Run(&'static str),
    /// Waits for the next key and binds the action to it.
    Rebind(&'static str),
}

/// Named actions.
pub(super) const ACTIONS: &[Action] =
    &[
        Action::new("palette.show", "All actions", &["Ctrl+K", "F1"], || {
            PaletteCommand::Toggle.into()
        })
        .in_text(),
    ];
