//! Which keys run which action: the defaults of [`command::actions`], changed by the
//! person's own `keymap.ron`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use egui::{Event, Key, Modifiers};
use serde::{Deserialize, Serialize};

use super::command::{self, Action, Command};
use super::folders::Folders;
use super::settings::file;

/// A key with its modifiers: `Ctrl+Shift+Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chord {
    /// Control, or Command on a Mac.
    pub ctrl: bool,
    /// Alt, or Option on a Mac.
    pub alt: bool,
    /// Shift.
    pub shift: bool,
    /// The key.
    pub key: Key,
}

impl Chord {
    /// Whether a pressed key is this chord, and no larger one.
    pub fn is(&self, key: Key, modifiers: Modifiers) -> bool {
        // Layouts differ in which symbols need Shift: for those it does not count.
        let shift = self.shift == modifiers.shift || !self.shift && is_symbol(self.key);
        self.key == key && self.ctrl == modifiers.command && self.alt == modifiers.alt && shift
    }
}

fn is_symbol(key: Key) -> bool {
    let name = key.symbol_or_name();
    name.chars().count() == 1 && !name.chars().all(char::is_alphanumeric)
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = cfg!(target_os = "macos");
        for (on, name) in [
            (self.ctrl, if mac { "Cmd" } else { "Ctrl" }),
            (self.alt, if mac { "Option" } else { "Alt" }),
            (self.shift, "Shift"),
        ] {
            if on {
                write!(f, "{name}+")?;
            }
        }
        f.write_str(match self.key {
            Key::OpenBracket => "[",
            Key::CloseBracket => "]",
            key => key.name(),
        })
    }
}

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut chord = Self {
            ctrl: false,
            alt: false,
            shift: false,
            key: Key::Space,
        };
        // The last part is the key, so that `Ctrl++` is Control and Plus.
        let (modifiers, key) = match text.strip_suffix('+').map(|rest| rest.strip_suffix('+')) {
            Some(rest) => (rest.unwrap_or_default(), "+"),
            None => text.rsplit_once('+').unwrap_or(("", text)),
        };
        for modifier in modifiers.split('+').filter(|part| !part.is_empty()) {
            match modifier.to_ascii_lowercase().as_str() {
                "ctrl" | "cmd" | "command" => chord.ctrl = true,
                "alt" | "option" => chord.alt = true,
                "shift" => chord.shift = true,
                other => return Err(format!("`{other}` in `{text}` is none of Ctrl, Alt, Shift")),
            }
        }
        chord.key = Key::from_name(key).ok_or_else(|| format!("`{key}` in `{text}` is no key"))?;
        Ok(chord)
    }
}

/// The keys of every action.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyMap {
    chords: BTreeMap<&'static str, Vec<Chord>>,
    changes: KeyChanges,
}

/// A person's changes, as they stand in `keymap.ron`: action id to keys; no keys unbinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyChanges(pub BTreeMap<String, Vec<String>>);

impl KeyMap {
    /// The keys as `keymap.ron` says; what cannot be used comes back as sentences.
    pub fn load(folders: &Folders, problems: &mut Vec<String>) -> (Self, Vec<String>) {
        Self::new(file::read(folders, "keymap.ron", problems))
    }

    /// The defaults with a person's changes; what cannot be used comes back as sentences.
    pub fn new(changes: KeyChanges) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut chords = BTreeMap::new();
        for action in command::actions() {
            let chosen = changes.0.get(action.id);
            let names: Vec<&str> = match chosen {
                Some(names) => names.iter().map(String::as_str).collect(),
                None => action.keys.to_vec(),
            };
            let mut keys = Vec::new();
            for name in names {
                match name.parse() {
                    Ok(chord) => keys.push(chord),
                    Err(why) => problems.push(format!("keymap.ron, {}: {why}", action.id)),
                }
            }
            chords.insert(action.id, keys);
        }
        for id in changes.0.keys().filter(|id| command::find(id).is_none()) {
            problems.push(format!("keymap.ron: there is no action `{id}`"));
        }
        (Self { chords, changes }, problems)
    }

    /// The person's changes that this map was made with.
    pub fn changes(&self) -> &KeyChanges {
        &self.changes
    }

    /// The keys of an action.
    pub fn keys(&self, id: &str) -> &[Chord] {
        self.chords.get(id).map_or(&[], Vec::as_slice)
    }

    /// The first key of an action as text, for tooltips and menus.
    pub fn hint(&self, id: &str) -> Option<String> {
        self.keys(id).first().map(Chord::to_string)
    }

    /// Actions that share a key with the given one.
    pub fn conflicts(&self, id: &str) -> Vec<&'static Action> {
        let mine = self.keys(id);
        let shares = |action: &&Action| {
            action.id != id
                && self
                    .keys(action.id)
                    .iter()
                    .any(|chord| mine.contains(chord))
        };
        command::actions().filter(shares).collect()
    }

    /// The keys that more than one action has, with the titles of these actions: only the first one
    /// acts.
    pub fn doubled(&self) -> Vec<(String, Vec<&'static str>)> {
        let mut owners: BTreeMap<Chord, Vec<&'static str>> = BTreeMap::new();
        for action in command::actions() {
            for chord in self.keys(action.id) {
                owners.entry(*chord).or_default().push(action.title);
            }
        }
        let several = owners.into_iter().filter(|(_, titles)| titles.len() > 1);
        several
            .map(|(chord, titles)| (chord.to_string(), titles))
            .collect()
    }

    /// Takes the pressed keys that are bound out of the events and gives their commands.
    ///
    /// `typing`: a text field has the focus, so plain keys belong to it. `by_position`: letters
    /// follow their place on the keyboard, not the layout.
    pub fn take(&self, events: &mut Vec<Event>, typing: bool, by_position: bool) -> Vec<Command> {
        let mut commands = Vec::new();
        events.retain(|event| {
            let Event::Key {
                key,
                physical_key,
                pressed: true,
                modifiers,
                ..
            } = event
            else {
                return true;
            };
            let key = if by_position {
                physical_key.unwrap_or(*key)
            } else {
                *key
            };
            let bound = command::actions().find(|action| {
                (action.in_text || !typing)
                    && self
                        .keys(action.id)
                        .iter()
                        .any(|chord| chord.is(key, *modifiers))
            });
            if let Some(action) = bound {
                commands.push((action.command)());
            }
            bound.is_none()
        });
        commands
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn press(key: Key, modifiers: Modifiers) -> Event {
        Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers,
        }
    }

    #[test]
    fn ids_are_unique_and_keys_are_readable_and_free_of_conflicts() {
        let mut ids = BTreeSet::new();
        let mut chords = BTreeSet::new();
        for action in command::actions() {
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

    #[test]
    fn chords_read_what_they_write() {
        for text in [
            "Ctrl+Enter",
            "Ctrl+Shift+Z",
            "Alt+Up",
            "[",
            "]",
            "F6",
            "Delete",
            "Ctrl++",
            "1",
        ] {
            let chord: Chord = text.parse().expect(text);
            let again: Chord = chord.to_string().parse().expect("own text");
            assert_eq!(chord, again, "{text}");
        }
        assert!(
            "Hyper+Z"
                .parse::<Chord>()
                .expect_err("no modifier")
                .contains("Hyper".to_lowercase().as_str())
        );
        assert!("Ctrl+Nothing".parse::<Chord>().is_err());
    }

    #[test]
    fn longer_chords_do_not_trigger_shorter_ones() {
        let undo: Chord = "Ctrl+Z".parse().expect("valid");
        assert!(undo.is(Key::Z, Modifiers::COMMAND));
        assert!(!undo.is(Key::Z, Modifiers::COMMAND | Modifiers::SHIFT));
        assert!(!undo.is(Key::Z, Modifiers::NONE));
    }

    #[test]
    fn changes_replace_and_unbind_and_report() {
        let mut changes = KeyChanges::default();
        changes
            .0
            .insert("shell.left".into(), vec!["Ctrl+Alt+L".into()]);
        changes.0.insert("shell.right".into(), vec![]);
        changes.0.insert("shell.none".into(), vec!["A".into()]);
        changes
            .0
            .insert("shell.quit".into(), vec!["Ctrl+What".into()]);
        let (map, problems) = KeyMap::new(changes);
        assert_eq!(map.hint("shell.left").as_deref(), Some("Ctrl+Alt+L"));
        assert!(map.keys("shell.right").is_empty());
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn plain_keys_belong_to_a_focused_text_field() {
        let (map, _) = KeyMap::new(KeyChanges::default());
        let mut events = vec![
            press(Key::F6, Modifiers::NONE),
            press(Key::A, Modifiers::NONE),
        ];
        assert_eq!(map.take(&mut events, true, false).len(), 1);
        assert_eq!(events.len(), 1, "the letter stays for the field");
    }
}
