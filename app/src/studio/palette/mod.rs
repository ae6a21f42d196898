//! The command palette: every action by name, with its key; also where keys are bound.

pub mod panel;

use super::actions::{self, Action};
use super::state::Studio;

/// The palette at hand.
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
pub const ACTIONS: &[Action] =
    &[
        Action::new("palette.show", "All actions", &["Ctrl+K", "F1"], || {
            PaletteCommand::Toggle.into()
        })
        .in_text(),
    ];

/// Does what the command says.
pub fn run(studio: &mut Studio, command: PaletteCommand) {
    match command {
        PaletteCommand::Toggle => {
            studio.palette = State {
                open: !studio.palette.open,
                ..State::default()
            };
        }
        PaletteCommand::Run(id) => {
            studio.palette = State::default();
            studio.emit_action(id);
        }
        PaletteCommand::Rebind(id) => studio.palette.rebinding = Some(id),
    }
}

/// The actions that match what was typed: all its words occur in title or id, best first.
pub fn matches(query: &str) -> Vec<&'static Action> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(usize, &Action)> = actions::all()
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

    #[test]
    fn words_match_in_any_order_and_early_matches_come_first() {
        let found = matches("look dark");
        assert_eq!(found.first().map(|action| action.id), Some("settings.dark"));
        assert!(matches("no such thing at all").is_empty());
        assert_eq!(matches("").len(), actions::all().count());
    }
}
