//! What can be asked of the window itself.

use super::Action;
use crate::studio::toast::Toast;

/// The parts of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workspace {
    /// Canvas, prompt, results.
    #[default]
    Studio,
    /// Training runs.
    Trainer,
    /// Installed models.
    Models,
}

/// What belongs to no feature.
#[derive(Clone, Debug, PartialEq)]
pub enum ShellCommand {
    /// Shows another part of the program.
    Show(Workspace),
    /// Shows or hides the panels on the left.
    ToggleLeft,
    /// Shows or hides the panel on the right.
    ToggleRight,
    /// Shows or hides the filmstrip.
    ToggleFilmstrip,
    /// Tells the person something in passing.
    Tell(Toast),
    /// Ends the program; unsaved work is asked about first.
    Quit,
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("shell.studio", "Show the studio", &["Ctrl+1"], || {
        ShellCommand::Show(Workspace::Studio).into()
    })
    .in_text(),
    Action::new("shell.trainer", "Show the trainer", &["Ctrl+2"], || {
        ShellCommand::Show(Workspace::Trainer).into()
    })
    .in_text(),
    Action::new("shell.models", "Show the models", &["Ctrl+3"], || {
        ShellCommand::Show(Workspace::Models).into()
    })
    .in_text(),
    Action::new(
        "shell.left",
        "Show or hide tools and classes",
        &["F6"],
        || ShellCommand::ToggleLeft.into(),
    )
    .in_text(),
    Action::new(
        "shell.right",
        "Show or hide prompt and settings",
        &["F7"],
        || ShellCommand::ToggleRight.into(),
    )
    .in_text(),
    Action::new(
        "shell.filmstrip",
        "Show or hide the filmstrip",
        &["F8"],
        || ShellCommand::ToggleFilmstrip.into(),
    )
    .in_text(),
    Action::new("shell.quit", "Quit", &["Ctrl+Q"], || {
        ShellCommand::Quit.into()
    })
    .in_text(),
];
