//! A prompt as chips: its words, and its groups of alternatives. Editing a chip edits the prompt.

use std::ops::Range;

/// A part of a prompt that can be clicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Where it stands in the prompt, bytes.
    pub range: Range<usize>,
    /// A word alone, or the alternatives of a group.
    pub alternatives: Vec<String>,
    /// It is a group.
    pub group: bool,
}

impl Chip {
    /// What the chip shows.
    pub fn text(&self) -> String {
        let shown = |text: &String| match text.is_empty() {
            true => "(nothing)".to_string(),
            false => text.clone(),
        };
        let all: Vec<String> = self.alternatives.iter().map(shown).collect();
        all.join(" | ")
    }
}

/// The chips of a prompt in order. What cannot be read as a group is shown as words.
pub fn chips(prompt: &str) -> Vec<Chip> {
    let mut chips = Vec::new();
    let mut word: Option<usize> = None;
    let mut at = 0;
    let end_word = |chips: &mut Vec<Chip>, word: &mut Option<usize>, at: usize| {
        if let Some(start) = word.take() {
            chips.push(Chip {
                range: start..at,
                alternatives: vec![prompt[start..at].to_string()],
                group: false,
            });
        }
    };
    while let Some(c) = prompt[at..].chars().next() {
        let rest = &prompt[at..];
        let doubled = rest.starts_with("[[") || rest.starts_with("]]");
        if c == '['
            && !doubled
            && let Some((length, alternatives)) = group(rest)
        {
            end_word(&mut chips, &mut word, at);
            chips.push(Chip {
                range: at..at + length,
                alternatives,
                group: true,
            });
            at += length;
            continue;
        }
        // Punctuation around a word is not the word's; hyphens and apostrophes inside are.
        let inside = matches!(c, '-' | '\'' | '’')
            && word.is_some()
            && rest[c.len_utf8()..]
                .chars()
                .next()
                .is_some_and(char::is_alphanumeric);
        if c.is_alphanumeric() || inside {
            word.get_or_insert(at);
        } else {
            end_word(&mut chips, &mut word, at);
        }
        at += if doubled { 2 } else { c.len_utf8() };
    }
    end_word(&mut chips, &mut word, at);
    chips
}

/// The words that a selection touches, as one phrase; `None` for fewer than two, or when a group is
/// among them: groups cannot lie in groups.
pub fn phrase(prompt: &str, selected: &Range<usize>) -> Option<Range<usize>> {
    let mut touched = chips(prompt)
        .into_iter()
        .filter(|chip| chip.range.start < selected.end && chip.range.end > selected.start)
        .collect::<Vec<_>>();
    if touched.iter().any(|chip| chip.group) {
        return None;
    }
    let last = touched.pop()?;
    Some(touched.first()?.range.start..last.range.end)
}

/// A group at the start of a text: its length and alternatives.
fn group(text: &str) -> Option<(usize, Vec<String>)> {
    let mut alternatives = vec![String::new()];
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        let last = alternatives.last_mut()?;
        match c {
            '|' if escaped => {
                last.pop();
                last.push('|');
            }
            '|' => alternatives.push(String::new()),
            '[' => return None,
            ']' => return (alternatives.len() > 1).then_some((at + 1, alternatives)),
            c => last.push(c),
        }
        escaped = c == '\\';
    }
    None
}

/// The prompt with a chip's alternatives in its place: a group for several, plain text for one.
pub fn replaced(prompt: &str, range: Range<usize>, alternatives: &[String]) -> String {
    let range = range.start.min(prompt.len())..range.end.min(prompt.len());
    if !prompt.is_char_boundary(range.start) || !prompt.is_char_boundary(range.end) {
        return prompt.to_string();
    }
    let text = match alternatives {
        [] => String::new(),
        [only] => clean(only),
        several => {
            let written: Vec<String> = several
                .iter()
                .map(|text| clean(text).replace('|', "\\|"))
                .collect();
            format!("[{}]", written.join("|"))
        }
    };
    format!("{}{text}{}", &prompt[..range.start], &prompt[range.end..])
}

/// Brackets cannot stand inside of a group; a backslash at the end would swallow the bar.
fn clean(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('[', "(")
        .replace(']', ")")
        .trim_end_matches('\\')
        .to_string()
}

/// Alternatives from lines of text: one a line, without doubles. An empty line between others is an
/// alternative; empty lines at the end are not.
pub fn from_lines(text: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for line in text.trim_end().lines() {
        let line = clean(line.trim_start_matches('\u{feff}'));
        if !list.contains(&line) {
            list.push(line);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::Sweep;
    use proptest::prelude::*;

    use super::*;

    fn texts(prompt: &str) -> Vec<String> {
        chips(prompt).iter().map(Chip::text).collect()
    }

    #[test]
    fn words_and_groups_are_chips() {
        assert_eq!(
            texts("A young, well-dressed man with [blonde|dark brown|] hair."),
            [
                "A",
                "young",
                "well-dressed",
                "man",
                "with",
                "blonde | dark brown | (nothing)",
                "hair"
            ]
        );
        assert_eq!(texts("[[not a group]] x"), ["not", "a", "group", "x"]);
        assert_eq!(texts("[open | word"), ["open", "word"]);
        assert_eq!(texts(r"[a\|b|c]"), ["a|b | c"]);
    }

    #[test]
    fn a_word_becomes_a_group_and_back() {
        let prompt = "a man with brown hair";
        let chip = &chips(prompt)[3];
        let list = ["brown", "red", "grey"].map(String::from);
        let swept = replaced(prompt, chip.range.clone(), &list);
        assert_eq!(swept, "a man with [brown|red|grey] hair");
        let group = &chips(&swept)[3];
        assert_eq!(group.alternatives, list);
        assert_eq!(replaced(&swept, group.range.clone(), &list[..1]), prompt);
    }

    #[test]
    fn selected_words_are_a_phrase() {
        let prompt = "a man with dark brown hair and [a|b] hat";
        let of = |range| phrase(prompt, &range).map(|range| &prompt[range]);
        assert_eq!(of(13..22), Some("dark brown"));
        assert_eq!(of(11..21), Some("dark brown"), "whole words");
        assert_eq!(of(2..4), None, "a word is a chip already");
        assert_eq!(of(23..34), None, "no group in a group");
        assert_eq!(of(5..5), None);
        let list = ["dark brown", "long red"].map(String::from);
        let swept = replaced(prompt, phrase(prompt, &(13..22)).expect("words"), &list);
        assert!(swept.contains("with [dark brown|long red] hair"), "{swept}");
    }

    #[test]
    fn lines_become_alternatives() {
        assert_eq!(
            from_lines("\u{feff}red\n dark  blue \n\nred\n[odd]\n\n"),
            ["red", "dark blue", "", "(odd)"]
        );
        assert!(from_lines("").is_empty());
    }

    proptest! {
        #[test]
        fn what_a_chip_writes_the_engine_reads(
            before in "[a-z ,]{0,12}",
            list in proptest::collection::vec(r"[a-z\[\]|\\]{0,6}( [a-z]{1,4})?", 2..5),
        ) {
            let prompt = format!("{before}word");
            let range = prompt.len() - 4..prompt.len();
            let written = replaced(&prompt, range, &list);
            let sweep = Sweep::parse(&written).expect("one group");
            let cleaned: Vec<String> = list.iter().map(|text| clean(text)).collect();
            prop_assert_eq!(&sweep.axes[0], &cleaned);
            let all = chips(&written);
            let group = all.iter().find(|chip| chip.group).expect("a group");
            prop_assert_eq!(&group.alternatives, &cleaned);
        }

        #[test]
        fn any_prompt_has_chips_within_it(prompt in r"[a-zé\[\]|\\ ,-]{0,30}") {
            for chip in chips(&prompt) {
                prop_assert!(prompt.get(chip.range).is_some());
            }
        }
    }
}
