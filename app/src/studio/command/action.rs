//! A command with a name and keys.

use super::Command;

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
