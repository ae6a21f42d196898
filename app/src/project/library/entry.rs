//! What is known of each picture of the library, and finding some of them.

use mmface_engine::job::{ConditionKind, Draw, Named as _};
use mmface_engine::labels::{CLASS_COUNT, palette};
use mmface_engine::provenance::Recipe;
use serde::{Deserialize, Serialize};

/// A picture of the library.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// File name within the library, `/` between folders: what names the entry.
    pub file: String,
    /// When it was written, in milliseconds since 1970.
    pub modified: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The recipe in short; the whole one is read with [`Library::recipe`](super::Library::recipe).
    pub about: About,
    /// What searches look at, in lower case.
    #[serde(skip)]
    text: String,
}

/// A recipe without its pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Prompt, seed, steps and the like.
    pub draw: Draw,
    /// The sweep's prompt, for a cell of a sweep.
    pub template: Option<String>,
    /// Which picture of its job or grid it was, from 0.
    pub index: usize,
    /// The model's name.
    pub model: String,
    /// What the face followed.
    pub condition: ConditionKind,
    /// Classes of the mask, a bit each.
    pub classes: u32,
    /// The recipe's hash of the pixels: the same picture under any name.
    pub id: String,
}

impl About {
    /// A recipe in short.
    pub fn new(recipe: &Recipe) -> Self {
        let job = &recipe.job;
        let classes = job.condition.mask().map_or(0, |mask| {
            let counts = mask.counts();
            let bit = |class: usize| u32::from(counts[class] > 0) << class;
            (0..CLASS_COUNT).map(bit).sum()
        });
        Self {
            draw: job.draw.clone(),
            template: recipe.template.clone(),
            index: recipe.index,
            model: recipe.model.clone(),
            condition: job.condition.kind(),
            classes,
            id: recipe.pixels.clone(),
        }
    }

    /// Whether the mask has a class.
    pub fn has_class(&self, class: u8) -> bool {
        1u32.checked_shl(class.into())
            .is_some_and(|bit| self.classes & bit != 0)
    }

    /// Names and titles of the mask's classes in lower case.
    fn class_words(&self) -> String {
        let classes = palette().classes.iter().enumerate().skip(1);
        let there = classes.filter(|(number, _)| self.has_class(*number as u8));
        there
            .map(|(_, class)| format!("{} {}\n", class.name, class.title.to_lowercase()))
            .collect()
    }
}

impl Entry {
    /// An entry of a picture that was just read or written.
    pub fn new(
        file: String,
        modified: u64,
        bytes: u64,
        (width, height): (u32, u32),
        about: About,
    ) -> Self {
        let mut entry = Self {
            file,
            modified,
            bytes,
            width,
            height,
            about,
            text: String::new(),
        };
        entry.prepare();
        entry
    }

    /// Lays out the text for searches; after reading an entry.
    pub(super) fn prepare(&mut self) {
        let about = &self.about;
        let draw = &about.draw;
        // Nothing to follow has a name, but nobody looks for it by “none”.
        let kind = match about.condition == ConditionKind::None {
            true => "",
            false => about.condition.name(),
        };
        self.text = format!(
            "{}\n{}\n{}\n{}\n{}\n{}\n{kind}\n{}",
            draw.prompt.to_lowercase(),
            draw.negative.to_lowercase(),
            draw.seed,
            about.model.to_lowercase(),
            draw.sampler.title().to_lowercase(),
            self.file.to_lowercase(),
            about.class_words(),
        );
    }

    /// Whether all words of a search occur: in prompt, seed, model, sampler, file name or the
    /// mask's classes. `seed:42`, `model:x`, `class:hat` and `prompt:x` look in one place only.
    pub fn matches(&self, search: &Search) -> bool {
        search.words.iter().all(|word| match word {
            Word::Any(word) => self.text.contains(word.as_str()),
            Word::Prompt(word) => self
                .about
                .draw
                .prompt
                .to_lowercase()
                .contains(word.as_str()),
            Word::Seed(word) => self.about.draw.seed.to_string() == *word,
            Word::Model(word) => self.about.model.to_lowercase().contains(word.as_str()),
            Word::Class(word) => self.about.class_words().contains(word.as_str()),
        })
    }
}

/// A search, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Any(String),
    Prompt(String),
    Seed(String),
    Model(String),
    Class(String),
}

impl Search {
    /// Takes a search apart into words; what stands in quotation marks is one word.
    pub fn new(text: &str) -> Self {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut quoted = false;
        for letter in text.to_lowercase().chars().chain([' ']) {
            match letter {
                '"' => quoted = !quoted,
                letter if letter.is_whitespace() && !quoted => {
                    words.extend(Word::new(&std::mem::take(&mut word)))
                }
                letter => word.push(letter),
            }
        }
        // A quotation mark that is never closed: what follows it counts all the same.
        words.extend(Word::new(word.trim()));
        Self { words }
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

impl Word {
    fn new(text: &str) -> Option<Self> {
        let parts = text
            .split_once(':')
            .map(|(place, word)| (place, word.to_string()));
        match parts {
            _ if text.is_empty() => None,
            Some((_, word)) if word.is_empty() => Some(Self::Any(text.into())),
            Some(("prompt", word)) => Some(Self::Prompt(word)),
            Some(("seed", word)) => Some(Self::Seed(word)),
            Some(("model", word)) => Some(Self::Model(word)),
            Some(("class", word)) => Some(Self::Class(word)),
            _ => Some(Self::Any(text.into())),
        }
    }
}

/// The pictures of a library as of its last scan, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The pictures with a recipe of ours, newest first.
    pub entries: Vec<Entry>,
    /// Other PNGs in the folder: name, time and bytes, so that they are not read again.
    pub(super) others: Vec<(String, u64, u64)>,
    /// Bytes in the library's own `.trash` folder.
    pub trash_bytes: u64,
}

impl Listing {
    /// Bytes of all pictures on the disk.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// Places of the entries that match, newest first.
    pub fn search(&self, text: &str) -> Vec<usize> {
        let search = Search::new(text);
        let matching = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.matches(&search));
        matching.map(|(place, _)| place).collect()
    }

    /// An entry by its file name.
    pub fn get(&self, file: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.file == file)
    }

    /// Puts a picture that was just saved in its place; an entry of the same file is replaced.
    pub fn insert(&mut self, entry: Entry) {
        self.remove(&entry.file);
        let place = self.entries.partition_point(|other| newer(other, &entry));
        self.entries.insert(place, entry);
    }

    /// Takes a picture out.
    pub fn remove(&mut self, file: &str) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.file == file)?;
        Some(self.entries.remove(place))
    }

    pub(super) fn sort(&mut self) {
        self.entries
            .sort_by(|a, b| (b.modified, &b.file).cmp(&(a.modified, &a.file)));
    }
}

fn newer(a: &Entry, b: &Entry) -> bool {
    (a.modified, &a.file) > (b.modified, &b.file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(file: &str, modified: u64, prompt: &str, seed: u64, classes: u32) -> Entry {
        let about = About {
            draw: Draw {
                prompt: prompt.into(),
                seed,
                ..Draw::default()
            },
            model: "demo-256".into(),
            classes,
            condition: ConditionKind::Mask,
            ..About::default()
        };
        Entry::new(file.into(), modified, 10, (64, 64), about)
    }

    fn listing() -> Listing {
        let mut listing = Listing::default();
        listing.insert(entry("a.png", 1, "A man with Blonde hair", 42, 1 << 13));
        listing.insert(entry("c.png", 3, "a woman, red hair", 421, 1 << 14));
        listing.insert(entry("b.png", 2, "a woman wearing a hat", 7, 0));
        listing
    }

    fn find(search: &str) -> Vec<String> {
        let listing = listing();
        listing
            .search(search)
            .into_iter()
            .map(|place| listing.entries[place].file.clone())
            .collect()
    }

    #[test]
    fn searches_look_everywhere_or_in_one_place() {
        assert_eq!(find(""), ["c.png", "b.png", "a.png"]);
        assert_eq!(find("WOMAN hair"), ["c.png"]);
        assert_eq!(
            find("hat"),
            ["c.png", "b.png"],
            "a class and a word of the prompt"
        );
        assert_eq!(find("class:hat"), ["c.png"]);
        assert_eq!(find("prompt:hat"), ["b.png"]);
        assert_eq!(find("42"), ["c.png", "a.png"]);
        assert_eq!(find("seed:42"), ["a.png"]);
        assert_eq!(find("model:demo b.png"), ["b.png"]);
        assert_eq!(find("\"red hair\""), ["c.png"]);
        assert_eq!(find("\"red hair"), ["c.png"], "not closed yet");
        assert!(find("\"hair red\"").is_empty() && find("seed:4").is_empty());
    }

    #[test]
    fn entries_stay_in_order_and_are_replaced() {
        let mut listing = listing();
        assert_eq!(listing.bytes(), 30);
        listing.insert(entry("a.png", 9, "again", 1, 0));
        assert_eq!(
            listing
                .entries
                .iter()
                .map(|entry| entry.file.as_str())
                .collect::<Vec<_>>(),
            ["a.png", "c.png", "b.png"]
        );
        assert!(listing.remove("b.png").is_some() && listing.get("b.png").is_none());
    }
}
