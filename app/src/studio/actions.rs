//! Every action that has a name: the command palette, the menus and the key map read this table.

use super::command::{Command, ShellCommand};
use super::state::Workspace;
use super::{
    canvas, generate, keeping, models, palette, photo, results, settings, sweep, tools, trainer,
};

/// A named action without arguments.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Names it in a key map file; never changes: `generate.start`.
    pub id: &'static str,
    /// For people, in the imperative: "Generate".
    pub title: &'static str,
    /// Keys that are bound when the person has not chosen others: `Ctrl+Enter`, `]`.
    /// `Ctrl` is Command on a Mac.
    pub keys: &'static [&'static str],
    /// Whether the keys work while a text field has the focus.
    pub in_text: bool,
    /// What it does.
    pub command: fn() -> Command,
}

impl Action {
    /// An action whose keys rest while a person types.
    pub const fn new(
        id: &'static str,
        title: &'static str,
        keys: &'static [&'static str],
        command: fn() -> Command,
    ) -> Self {
        Self {
            id,
            title,
            keys,
            in_text: false,
            command,
        }
    }

    /// The same, with keys that also work in text fields.
    pub const fn in_text(mut self) -> Self {
        self.in_text = true;
        self
    }
}

const SHELL: &[Action] = &[
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

/// All actions, feature by feature.
pub fn all() -> impl Iterator<Item = &'static Action> {
    [
        SHELL,
        keeping::ACTIONS,
        generate::ACTIONS,
        tools::ACTIONS,
        canvas::ACTIONS,
        results::ACTIONS,
        sweep::ACTIONS,
        photo::ACTIONS,
        trainer::ACTIONS,
        models::ACTIONS,
        settings::ACTIONS,
        palette::ACTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The action of an id.
pub fn find(id: &str) -> Option<&'static Action> {
    all().find(|action| action.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::studio::keymap::Chord;

    #[test]
    fn ids_are_unique_and_keys_are_readable_and_free_of_conflicts() {
        let mut ids = BTreeSet::new();
        let mut chords = BTreeSet::new();
        for action in all() {
            assert!(
                ids.insert(action.id),
                "two actions are called {}",
                action.id
            );
            assert!(
                action.id.contains('.') && !action.title.is_empty(),
                "{}",
                action.id
            );
            for key in action.keys {
                let chord: Chord = key.parse().expect(key);
                assert!(
                    chords.insert(chord),
                    "{key} is bound twice, also by {}",
                    action.id
                );
            }
        }
    }
}
