//! Prompts that were used, kept apart from the pictures: searched, pinned, deleted, walked through
//! with Alt+Up and Alt+Down.

use std::path::Path;

use mmface_engine::{Error, Result, file};
use serde::{Deserialize, Serialize};

/// Name of the file in the config folder.
pub const FILE: &str = "prompts.ron";
/// Prompts that are remembered besides the pinned ones.
const REMEMBERED: usize = 500;
/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 8 << 20;
/// Longest prompt that is remembered, in bytes: beyond it somebody pasted a book.
const MAX_PROMPT: usize = 16 << 10;

/// A prompt that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// As it was typed.
    pub prompt: String,
    /// It stays however many follow.
    #[serde(default)]
    pub pinned: bool,
}

/// The prompts, newest first, and where a walk through them stands.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Used>,
    /// Place of the walk, and what was typed before it began.
    walk: Option<(usize, String)>,
}

impl History {
    /// The prompts, newest first.
    pub fn entries(&self) -> &[Used] {
        &self.entries
    }

    /// Puts a prompt on top; false when nothing changed.
    pub fn add(&mut self, prompt: &str) -> bool {
        self.walk = None;
        let prompt = prompt.trim();
        if prompt.is_empty() || prompt.len() > MAX_PROMPT {
            return false;
        }
        let place = self.entries.iter().position(|used| used.prompt == prompt);
        if place == Some(0) {
            return false;
        }
        let used = match place {
            Some(place) => self.entries.remove(place),
            None => Used {
                prompt: prompt.to_string(),
                pinned: false,
            },
        };
        self.entries.insert(0, used);
        self.bound();
        true
    }

    /// Pins or unpins a prompt.
    pub fn pin(&mut self, prompt: &str) {
        if let Some(used) = self.entries.iter_mut().find(|used| used.prompt == prompt) {
            used.pinned ^= true;
        }
    }

    /// Forgets a prompt.
    pub fn forget(&mut self, prompt: &str) {
        self.entries.retain(|used| used.prompt != prompt);
        self.walk = None;
    }

    /// The prompts that have all words of a query, pinned ones first.
    pub fn search(&self, query: &str) -> Vec<&Used> {
        let query = query.to_lowercase();
        let fits = |used: &&Used| {
            let prompt = used.prompt.to_lowercase();
            query.split_whitespace().all(|word| prompt.contains(word))
        };
        let mut found: Vec<&Used> = self.entries.iter().filter(fits).collect();
        found.sort_by_key(|used| !used.pinned);
        found
    }

    /// One prompt back from what stands in the field.
    pub fn older(&mut self, field: &str) -> Option<String> {
        let (place, typed) = match self.walk.take() {
            // A walk ends when a person types: then a new one begins.
            Some((place, typed))
                if self.entries.get(place).is_some_and(|at| at.prompt == field) =>
            {
                (place + 1, typed)
            }
            _ => (0, field.to_string()),
        };
        // What stands in the field already is no step.
        let place = match self.entries.get(place) {
            Some(used) if used.prompt == field.trim() => place + 1,
            _ => place,
        };
        let place = place.min(self.entries.len().checked_sub(1)?);
        self.walk = Some((place, typed));
        Some(self.entries[place].prompt.clone())
    }

    /// One prompt forward; behind the newest comes what was typed before the walk.
    pub fn newer(&mut self, field: &str) -> Option<String> {
        let (place, typed) = self.walk.take()?;
        if self.entries.get(place).is_none_or(|at| at.prompt != field) {
            return None;
        }
        let Some(place) = place.checked_sub(1) else {
            return Some(typed);
        };
        self.walk = Some((place, typed));
        Some(self.entries[place].prompt.clone())
    }

    /// Takes in what the last session left, behind what this one used already.
    pub fn take_in(&mut self, older: Vec<Used>) {
        for used in older {
            match self.entries.iter_mut().find(|at| at.prompt == used.prompt) {
                Some(known) => known.pinned |= used.pinned,
                None => self.entries.push(used),
            }
        }
        self.bound();
    }

    fn bound(&mut self) {
        let mut room = REMEMBERED;
        self.entries.retain(|used| {
            used.pinned || {
                let keep = room > 0;
                room = room.saturating_sub(1);
                keep
            }
        });
    }
}

/// Reads the file; without one there are no prompts yet.
///
/// # Errors
/// The system's reason, or that the file is damaged; it is then kept as `prompts.ron.broken`.
pub fn load(path: &Path) -> Result<Vec<Used>> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read the prompt history", path)(error)),
        Ok(about) if about.len() > MAX_FILE => return Err(damaged(path)),
        Ok(_) => {}
    }
    let bytes = std::fs::read(path).map_err(Error::file("read the prompt history", path))?;
    ron::de::from_bytes(&bytes).map_err(|_| damaged(path))
}

fn damaged(path: &Path) -> Error {
    Error::content(
        &file::set_aside(path),
        "the prompt history is damaged",
        "a new one is begun, the old file is kept",
    )
}

/// Writes the file whole.
///
/// # Errors
/// The system's reason; the old file is then as it was.
pub fn store(path: &Path, entries: &[Used]) -> Result<()> {
    let text = ron::ser::to_string_pretty(&entries, ron::ser::PrettyConfig::default())
        .map_err(Error::unwritable("the prompt history"))?;
    file::store(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn of(prompts: &[&str]) -> History {
        let mut history = History::default();
        for prompt in prompts {
            assert!(history.add(prompt));
        }
        history
    }

    #[test]
    fn a_walk_goes_back_and_returns_to_what_was_typed() {
        let mut history = of(&["one", "two", "three"]);
        assert_eq!(history.older("draft").as_deref(), Some("three"));
        assert_eq!(history.older("three").as_deref(), Some("two"));
        assert_eq!(history.newer("two").as_deref(), Some("three"));
        assert_eq!(history.newer("three").as_deref(), Some("draft"));
        assert_eq!(history.newer("draft"), None);
        assert_eq!(history.older("three").as_deref(), Some("two"), "not itself");
        assert_eq!(history.older("two").as_deref(), Some("one"));
        assert_eq!(history.older("one").as_deref(), Some("one"), "the end");
        assert_eq!(history.older("typed over").as_deref(), Some("three"));
        assert_eq!(History::default().older("x"), None);
    }

    #[test]
    fn pinned_prompts_stay_and_come_first() {
        let mut history = of(&["keep me"]);
        history.pin("keep me");
        for number in 0..REMEMBERED + 10 {
            history.add(&format!("prompt {number}"));
        }
        assert_eq!(history.entries().len(), REMEMBERED + 1);
        assert_eq!(history.search("")[0].prompt, "keep me");
        assert_eq!(history.search("prompt 509").len(), 1);
        assert_eq!(history.search("509 PROMPT").len(), 1);
        assert!(!history.add("prompt 509"), "is on top already");
        assert!(!history.add("  "));
        history.forget("keep me");
        assert!(history.search("keep").is_empty());
    }

    #[test]
    fn the_file_comes_back_and_a_damaged_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config").join(FILE);
        assert!(load(&path).unwrap().is_empty());
        let mut history = of(&["a \"quoted\"\nprompt", "b"]);
        history.pin("b");
        store(&path, history.entries()).unwrap();
        let mut back = of(&["newest", "b"]);
        back.take_in(load(&path).unwrap());
        let prompts: Vec<&str> = back.entries().iter().map(|at| at.prompt.as_str()).collect();
        assert_eq!(prompts, ["b", "newest", "a \"quoted\"\nprompt"]);
        assert!(back.entries()[0].pinned);
        std::fs::write(&path, b"[(prompt: 3").unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("prompts.ron.broken") && !error.contains('\n'));
        assert!(!path.exists() && path.with_extension("ron.broken").exists());
    }
}
