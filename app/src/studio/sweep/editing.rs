//! The alternatives of one chip while they are written.

use std::ops::Range;
use std::path::Path;

use mmface_engine::{Error, Result};

use super::chips::{self, Chip};
use super::suggest;

/// Longest list that is read.
const LONGEST: u64 = 1 << 20;

/// A chip being edited.
#[derive(Clone, Debug, PartialEq)]
pub struct Editing {
    /// The prompt it belongs to.
    pub prompt: String,
    /// Where the chip stands in it, bytes.
    pub range: Range<usize>,
    /// The alternatives, one a line.
    pub lines: String,
    /// What the suggestions are about.
    pub kind: &'static str,
    /// Words that make sense there.
    pub suggestions: Vec<&'static str>,
}

impl Editing {
    /// Of the chip, or the phrase, at these bytes of a prompt.
    pub fn of(prompt: &str, range: &Range<usize>) -> Option<Self> {
        let chips = chips::chips(prompt);
        let Some(at) = chips.iter().position(|chip| chip.range == *range) else {
            return Self::of_phrase(prompt, range);
        };
        let chip = &chips[at];
        let next = chips.get(at + 1).map(Chip::text);
        let word = chip.alternatives.first().map_or("", String::as_str);
        let (kind, suggestions) = suggest::suggestions(word, next.as_deref());
        Some(Self {
            prompt: prompt.to_string(),
            range: range.clone(),
            lines: chip.alternatives.join("\n"),
            kind,
            suggestions,
        })
    }

    fn of_phrase(prompt: &str, range: &Range<usize>) -> Option<Self> {
        chips::phrase(prompt, range).filter(|phrase| phrase == range)?;
        Some(Self {
            prompt: prompt.to_string(),
            range: range.clone(),
            lines: prompt.get(range.clone())?.to_string(),
            kind: "Phrase",
            suggestions: Vec::new(),
        })
    }

    /// What is written.
    pub fn alternatives(&self) -> Vec<String> {
        chips::from_lines(&self.lines)
    }

    /// Adds a word, or takes it away.
    pub fn toggle(&mut self, word: &str) {
        let mut list = self.alternatives();
        match list.iter().position(|known| known == word) {
            Some(at) => {
                list.remove(at);
            }
            None => list.push(word.to_string()),
        }
        self.lines = list.join("\n");
    }
}

/// Reads a list of alternatives, one a line.
///
/// # Errors
/// When the file cannot be read, is longer than 1 MB, is no UTF-8, or has no line.
pub(super) fn read_list(path: &Path) -> Result<Vec<String>> {
    let length = std::fs::metadata(path)
        .map_err(Error::file("read the list", path))?
        .len();
    if length > LONGEST {
        let advice = "give it one alternative a line";
        return Err(Error::content(path, "the list is longer than 1 MB", advice));
    }
    let bytes = std::fs::read(path).map_err(Error::file("read the list", path))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::content(path, "the list is no UTF-8 text", "save it as plain text"))?;
    let list = chips::from_lines(&text);
    match list.len() {
        0 => Err(Error::content(
            path,
            "the list is empty",
            "give it one alternative a line",
        )),
        _ => Ok(list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_edited_with_its_kind() {
        let prompt = "a man with brown hair";
        let mut editing = Editing::of(prompt, &(11..16)).expect("a word");
        assert_eq!(
            (editing.kind, editing.lines.as_str()),
            ("Hair colour", "brown")
        );
        editing.toggle("red");
        editing.toggle("grey");
        editing.toggle("red");
        assert_eq!(editing.alternatives(), ["brown", "grey"]);
        assert!(Editing::of(prompt, &(0..3)).is_none());
        let phrase = Editing::of(prompt, &(11..21)).expect("two words");
        assert_eq!(phrase.alternatives(), ["brown hair"]);
    }

    #[test]
    fn lists_come_from_files_and_bad_files_are_named() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("list.txt");
        std::fs::write(&path, "red\r\ndark brown\r\n").expect("a file");
        assert_eq!(read_list(&path).expect("a list"), ["red", "dark brown"]);
        for bytes in [&b""[..], b"\n\n", b"\xff\xfe\x00"] {
            std::fs::write(&path, bytes).expect("a file");
            let error = read_list(&path).expect_err("no list").to_string();
            assert!(
                error.contains("list.txt") && !error.contains('\n'),
                "{error}"
            );
        }
    }
}
