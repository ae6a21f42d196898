//! The command palette: every action by name, with its key; also where keys are bound.

pub mod panel;

use super::command::{self, Action, PaletteCommand};
use super::context::Context;

/// What is typed and chosen in the palette.
#[derive(Debug, Default)]
pub struct State {
    /// It is open.
    pub open: bool,
    /// What the person typed.
    pub query: String,
    /// The chosen row.
    pub row: usize,
    /// The action that waits for its new key.
    pub rebinding: Option<&'static str>,
}

/// Does what the command says.
pub fn handle(state: &mut State, command: PaletteCommand, cx: &mut Context) {
    match command {
        PaletteCommand::Toggle => {
            *state = State {
                open: !state.open,
                ..State::default()
            };
        }
        PaletteCommand::Run(id) => {
            *state = State::default();
            cx.emit_action(id);
        }
        PaletteCommand::Rebind(id) => state.rebinding = Some(id),
    }
}

/// The actions that match what was typed: all its words occur in title or id, best first.
pub fn matches(query: &str) -> Vec<&'static Action> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(usize, &Action)> = command::actions()
        .filter_map(|action| {
            let title = action.title.to_lowercase();
            let fits = words
                .iter()
                .all(|word| title.contains(word) || action.id.contains(word.as_str()));
            let start = words
                .first()
                .and_then(|word| title.find(word.as_str()))
                .unwrap_or(usize::MAX);
            fits.then_some((start, action))
        })
        .collect();
    found.sort_by_key(|(start, _)| *start);
    found.into_iter().map(|(_, action)| action).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::command::{Command, ShellCommand};
    use crate::studio::outbox::Message;
    use crate::studio::testing;

    #[test]
    fn words_match_in_any_order_and_early_matches_come_first() {
        let found = matches("look dark");
        assert_eq!(found.first().map(|action| action.id), Some("settings.dark"));
        assert!(matches("no such thing at all").is_empty());
        assert_eq!(matches("").len(), command::actions().count());
    }

    #[test]
    fn running_an_action_closes_the_palette_and_asks_for_its_command() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        handle(&mut state, PaletteCommand::Toggle, &mut cx);
        assert!(state.open);
        handle(&mut state, PaletteCommand::Run("shell.quit"), &mut cx);
        assert!(!state.open);
        let sent = testing::sent(&cx);
        assert!(
            matches!(
                sent[..],
                [Message::Command(Command::Shell(ShellCommand::Quit))]
            ),
            "{sent:?}"
        );
    }
}
