//! How much of a prompt the model reads: a count, and where it is cut off.

use mmface_engine::job::{Sweep, has_groups};
use mmface_engine::text::PromptTokenizer;
use mmface_engine::weights::registry::Registry;

/// What the model reads of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Tokens that the prompt uses, start and end included; never above `length`.
    pub used: usize,
    /// Tokens that the model reads.
    pub length: usize,
    /// Byte offset in the prompt from which words are lost.
    pub lost_from: Option<usize>,
    /// One sentence, when words are lost.
    pub warning: Option<String>,
}

/// Counts with the tokenizer of the loaded model. The tokenizer is read beside the GUI thread;
/// counting takes as long as the words that fit, and is done once a change.
#[derive(Debug, Default)]
pub struct Counter {
    tokenizer: Option<PromptTokenizer>,
    last: Option<(String, Option<Count>)>,
}

impl Counter {
    /// Takes on a model's tokenizer; `None` for a model without one that can be read.
    pub fn set(&mut self, tokenizer: Option<PromptTokenizer>) {
        *self = Self {
            tokenizer,
            last: None,
        };
    }

    /// Counts a prompt; `None` while there is no tokenizer.
    pub fn count(&mut self, prompt: &str) -> Option<&Count> {
        if self.last.as_ref().is_none_or(|(text, _)| text != prompt) {
            let count = self
                .tokenizer
                .as_ref()
                .and_then(|tokenizer| count(tokenizer, prompt));
            self.last = Some((prompt.to_string(), count));
        }
        self.last.as_ref().and_then(|(_, count)| count.as_ref())
    }
}

fn count(tokenizer: &PromptTokenizer, prompt: &str) -> Option<Count> {
    // Of a prompt with alternatives the longest reading counts; its offsets are not the field's.
    let cells = match has_groups(prompt) {
        true => Sweep::parse(prompt)
            .map(|sweep| sweep.cells)
            .unwrap_or_default(),
        false => Vec::new(),
    };
    let longest = cells
        .iter()
        .map(|cell| &cell.prompt)
        .max_by_key(|text| text.len());
    let read = tokenizer
        .prompt(longest.map_or(prompt, String::as_str))
        .ok()?;
    Some(Count {
        used: read.tokens_used,
        length: tokenizer.length(),
        lost_from: read.lost_from.filter(|_| longest.is_none()),
        warning: read.warning(),
    })
}

/// Reads the tokenizer of an installed model. Slow: beside the GUI thread only.
pub fn load(model: &str) -> Option<PromptTokenizer> {
    Registry::standard().find(model).ok()?.load_tokenizer().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_words_are_found_where_they_stand() {
        let Ok(package) = Registry::standard().default_package() else {
            return;
        };
        let mut counter = Counter::default();
        assert_eq!(counter.count("a face"), None, "no tokenizer yet");
        counter.set(Some(
            package.load_tokenizer().expect("the bundled tokenizer"),
        ));
        let short = counter.count("a face").expect("counted").clone();
        assert_eq!((short.used, short.lost_from), (4, None));
        let long = "face ".repeat(short.length) + "end";
        let cut = counter.count(&long).expect("counted").clone();
        assert_eq!(cut.used, cut.length);
        assert_eq!(cut.lost_from, Some((cut.length - 2) * 5));
        assert!(cut.warning.is_some_and(|text| text.contains("\"face\"")));
        let swept = counter
            .count("a [red|very very long] face")
            .expect("counted");
        assert_eq!(swept.used, 7, "the longest reading");
    }
}
