//! From prompt to token ids, and an honest account of what did not fit.
//!
//! Prompts are tokenised word by word. White space always separates tokens in CLIP's byte-level
//! BPE, so this gives the ids of the whole prompt, costs only as many words as fit, and knows
//! which word was the first to be lost.

use std::collections::BTreeMap;
use std::path::Path;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{
    Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern,
};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
};

use crate::{Error, Result};

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// Words longer than this are cut before tokenising: no model has room for their end.
const LONGEST_WORD: usize = 16 * 1024;

/// Vocabulary files above this size are not ours: CLIP's are below 4 MB.
const LARGEST_FILE: u64 = 64 << 20;

/// A prompt as the text tower reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Token ids, start and end included, padded to the model's length.
    pub ids: Vec<u32>,
    /// How many of them the prompt uses, start and end included.
    pub tokens_used: usize,
    /// The first word that did not fit, wholly or in part.
    pub first_lost_word: Option<String>,
    /// Byte offset in the prompt from which words are lost, for showing them greyed out.
    pub lost_from: Option<usize>,
    /// Number of words that did not fit.
    pub lost_words: usize,
}

impl Prompt {
    /// One sentence for a person when words were lost.
    pub fn warning(&self) -> Option<String> {
        let word = self.first_lost_word.as_ref()?;
        let shown: String = word.chars().filter(|c| !c.is_control()).take(40).collect();
        Some(format!(
            "the prompt is longer than the model's {} tokens: {} {} cut, from \"{shown}\" on",
            self.ids.len(),
            self.lost_words,
            if self.lost_words == 1 {
                "word was"
            } else {
                "words were"
            },
        ))
    }
}

/// CLIP's tokenizer with the length and padding of one model.
#[derive(Debug)]
pub struct PromptTokenizer {
    inner: Tokenizer,
    start: u32,
    end: u32,
    pad: u32,
    length: usize,
}

impl PromptTokenizer {
    /// Reads a `tokenizer.json`. Its own padding and truncation are replaced by ours.
    ///
    /// # Errors
    /// When the file cannot be read or is too large, and as [`Self::from_json_bytes`].
    pub fn from_json(path: &Path, length: usize, pad: u32) -> Result<Self> {
        Self::from_json_bytes(&read_bounded(path)?, path, length, pad)
    }

    /// As [`Self::from_json`], for a tokenizer inside another file; errors name `path`.
    ///
    /// # Errors
    /// When the bytes are no tokenizer, or it lacks the tokens of start and end.
    pub fn from_json_bytes(bytes: &[u8], path: &Path, length: usize, pad: u32) -> Result<Self> {
        let inner = Tokenizer::from_bytes(bytes)
            .map_err(|error| Error::content(path, format!("not a tokenizer: {error}"), HINT))?;
        Self::new(inner, path, length, pad)
    }

    /// Reads the `vocab.json` and `merges.txt` of CLIP's original layout.
    ///
    /// # Errors
    /// When a file cannot be read or is too large, and as [`Self::from_vocabulary_bytes`].
    pub fn from_vocabulary(
        vocabulary: &Path,
        merges: &Path,
        length: usize,
        pad: u32,
    ) -> Result<Self> {
        let (words, merges) = (read_bounded(vocabulary)?, read_bounded(merges)?);
        Self::from_vocabulary_bytes(&words, &merges, vocabulary, length, pad)
    }

    /// As [`Self::from_vocabulary`], for files inside another; errors name `path`.
    ///
    /// # Errors
    /// When the bytes are no vocabulary and merges of CLIP, or lack the tokens of start and end.
    pub fn from_vocabulary_bytes(
        vocabulary: &[u8],
        merges: &[u8],
        path: &Path,
        length: usize,
        pad: u32,
    ) -> Result<Self> {
        let inner = clip_tokenizer(vocabulary, merges);
        let inner = inner.map_err(|error| {
            Error::content(path, format!("not a CLIP vocabulary: {error}"), HINT)
        })?;
        Self::new(inner, path, length, pad)
    }

    /// Reads whichever layout a folder holds.
    ///
    /// # Errors
    /// As [`Self::from_json`] when the folder has a `tokenizer.json`, else as
    /// [`Self::from_vocabulary`].
    pub fn from_folder(folder: &Path, length: usize, pad: u32) -> Result<Self> {
        let json = folder.join("tokenizer.json");
        if json.is_file() {
            return Self::from_json(&json, length, pad);
        }
        Self::from_vocabulary(
            &folder.join("vocab.json"),
            &folder.join("merges.txt"),
            length,
            pad,
        )
    }

    fn new(mut inner: Tokenizer, path: &Path, length: usize, pad: u32) -> Result<Self> {
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| {
            Error::content(path, format!("not a usable tokenizer: {error}"), HINT)
        })?;
        let id = |token: &str| {
            inner.token_to_id(token).ok_or_else(|| {
                Error::content(path, format!("the tokenizer has no {token} token"), HINT)
            })
        };
        let (start, end) = (id(START)?, id(END)?);
        Ok(Self {
            inner,
            start,
            end,
            pad,
            length,
        })
    }

    /// Number of ids of every prompt.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Tokenises a prompt; what does not fit is cut and reported.
    ///
    /// # Errors
    /// When the tokenizer fails on a word.
    pub fn prompt(&self, text: &str) -> Result<Prompt> {
        let room = self.length.saturating_sub(2);
        let mut ids = vec![self.start];
        let mut words = text.split_whitespace();
        let (mut first_lost_word, mut lost_from) = (None, None);
        for word in words.by_ref() {
            let tokens = self.word(word)?;
            let left = room + 1 - ids.len();
            ids.extend(tokens.iter().take(left));
            if tokens.len() > left {
                first_lost_word = Some(word.to_owned());
                // `word` is a slice of `text`.
                lost_from = Some(word.as_ptr() as usize - text.as_ptr() as usize);
                break;
            }
        }
        let lost_words = if first_lost_word.is_some() {
            1 + words.count()
        } else {
            0
        };
        ids.push(self.end);
        let tokens_used = ids.len();
        ids.resize(self.length.max(tokens_used), self.pad);
        Ok(Prompt {
            ids,
            tokens_used,
            first_lost_word,
            lost_from,
            lost_words,
        })
    }

    fn word(&self, word: &str) -> Result<Vec<u32>> {
        let mut end = word.len().min(LONGEST_WORD);
        while !word.is_char_boundary(end) {
            end -= 1;
        }
        let encoding = self.inner.encode_fast(&word[..end], false);
        let encoding = encoding
            .map_err(|error| Error::Argument(format!("the prompt cannot be tokenised: {error}")))?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// CLIP's tokenizer from its vocabulary (a JSON object) and its merges (a pair a line).
fn clip_tokenizer(vocabulary: &[u8], merges: &[u8]) -> tokenizers::Result<Tokenizer> {
    let vocabulary: BTreeMap<String, u32> = serde_json::from_slice(vocabulary)?;
    let lines = std::str::from_utf8(merges)?.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("#version"));
    let pair = |line: &str| {
        line.split_once(' ')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    let merges: Option<Vec<_>> = lines.map(pair).collect();
    let bpe = BPE::builder()
        .vocab_and_merges(
            vocabulary.into_iter().collect::<Vocab>(),
            merges.ok_or("a merge is not a pair of tokens")?,
        )
        .unk_token(END.to_owned())
        .end_of_word_suffix("</w>".to_owned())
        .build()?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_normalizer(Some(Normalizers::new(vec![
        NormalizerWrapper::NFC(NFC),
        NormalizerWrapper::Replace(Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?),
        NormalizerWrapper::Lowercase(Lowercase),
    ])))?;
    let split = SplitPattern::Regex(
        r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
            .to_owned(),
    );
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![
        PreTokenizerWrapper::Split(Split::new(split, SplitDelimiterBehavior::Removed, true)?),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, false)),
    ])));
    tokenizer.add_special_tokens([AddedToken::from(START, true), AddedToken::from(END, true)])?;
    Ok(tokenizer)
}

const HINT: &str =
    "take tokenizer.json, or vocab.json with merges.txt, from the model's tokenizer folder";

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::metadata(path)
        .map_err(Error::file("read the tokenizer", path))?
        .len();
    if bytes > LARGEST_FILE {
        return Err(Error::content(
            path,
            format!("the tokenizer has {bytes} bytes"),
            HINT,
        ));
    }
    std::fs::read(path).map_err(Error::file("read the tokenizer", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    fn demo() -> PromptTokenizer {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/models/demo/tokenizer.json");
        PromptTokenizer::from_json(&path, 48, 0).unwrap()
    }

    #[test]
    fn an_empty_prompt_is_start_end_and_padding() {
        for text in ["", "   ", "\n\t\u{a0}"] {
            let prompt = demo().prompt(text).unwrap();
            assert_eq!(prompt.ids[..3], [6367, 6368, 0]);
            assert_eq!(
                (prompt.ids.len(), prompt.tokens_used, prompt.lost_words),
                (48, 2, 0)
            );
            assert_eq!(prompt.warning(), None);
        }
    }

    #[test]
    fn word_by_word_gives_the_ids_of_the_whole_prompt() {
        let demo = demo();
        for text in [
            "A woman's  long, blonde hair!!",
            "héllo Wörld 123",
            "don't  we'll \"x\"",
            "Ünïcode 日本語 text",
        ] {
            let whole = demo.inner.encode(text, true).unwrap();
            let prompt = demo.prompt(text).unwrap();
            assert_eq!(prompt.ids[..prompt.tokens_used], *whole.get_ids(), "{text}");
        }
    }

    #[test]
    fn a_long_prompt_is_cut_and_names_the_first_lost_word() {
        let words: Vec<String> = (0..5000)
            .map(|index| {
                if index == 46 {
                    "lost".into()
                } else {
                    "hair".to_owned()
                }
            })
            .collect();
        let text = words.join(" ");
        let prompt = demo().prompt(&text).unwrap();
        assert_eq!(
            (prompt.ids.len(), prompt.tokens_used, prompt.lost_words),
            (48, 48, 4954)
        );
        assert_eq!(prompt.ids[47], 6368);
        assert_eq!(prompt.first_lost_word.as_deref(), Some("lost"));
        assert!(text[prompt.lost_from.unwrap()..].starts_with("lost hair"));
        let warning = prompt.warning().unwrap();
        assert!(
            warning.contains("48 tokens: 4954 words were cut, from \"lost\" on"),
            "{warning}"
        );
    }

    #[test]
    fn exactly_as_many_tokens_as_fit_are_kept_whole() {
        let prompt = demo().prompt(&vec!["hair"; 46].join(" ")).unwrap();
        assert_eq!((prompt.tokens_used, prompt.lost_words), (48, 0));
    }

    #[test]
    fn odd_prompts_are_tokenised() {
        let long = "x".repeat(300_000);
        for text in [
            "a\0b",
            "😀 🧑‍🎤 smile",
            &long,
            "<|endoftext|>",
            "\u{feff}\u{202e}rtl",
            "é\u{301}\u{301}\u{301}",
        ] {
            let prompt = demo().prompt(text).unwrap();
            assert_eq!(prompt.ids.len(), 48);
        }
    }

    #[test]
    fn the_original_layout_gives_the_same_ids() {
        let demo = demo();
        let json: serde_json::Value =
            serde_json::from_str(&demo.inner.to_string(false).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (vocabulary, merges) = (
            folder.path().join("vocab.json"),
            folder.path().join("merges.txt"),
        );
        let mut vocab = json["model"]["vocab"].clone();
        vocab[START] = 6367.into();
        vocab[END] = 6368.into();
        std::fs::write(&vocabulary, vocab.to_string()).unwrap();
        let lines: Vec<String> = json["model"]["merges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| match pair {
                serde_json::Value::String(pair) => pair.clone(),
                pair => format!(
                    "{} {}",
                    pair[0].as_str().unwrap(),
                    pair[1].as_str().unwrap()
                ),
            })
            .collect();
        std::fs::write(&merges, format!("#version: 0.2\n{}\n", lines.join("\n"))).unwrap();
        let original = PromptTokenizer::from_folder(folder.path(), 48, 0).unwrap();
        for text in [
            "",
            "a woman with long blonde hair, smiling",
            "serendipitous zebra 12's",
        ] {
            assert_eq!(original.prompt(text).unwrap(), demo.prompt(text).unwrap());
        }
    }

    #[test]
    fn files_that_are_no_tokenizer_are_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        for content in [
            "",
            "{}",
            "version https://git-lfs.github.com/spec/v1\n",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}",
        ] {
            std::fs::write(&path, content).unwrap();
            let error = PromptTokenizer::from_folder(folder.path(), 48, 0)
                .unwrap_err()
                .to_string();
            assert!(
                !error.contains('\n') && error.contains("tokenizer"),
                "{error}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(PromptTokenizer::from_folder(folder.path(), 48, 0).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_gives_ids_of_the_models_length(text in "\\PC{0,200}|[\\s\\S]{0,60}") {
            let prompt = demo_once().prompt(&text).unwrap();
            prop_assert_eq!(prompt.ids.len(), 48);
            prop_assert!(prompt.tokens_used <= 48);
            prop_assert_eq!(prompt.ids[prompt.tokens_used - 1], 6368);
        }
    }

    fn demo_once() -> &'static PromptTokenizer {
        static DEMO: std::sync::OnceLock<PromptTokenizer> = std::sync::OnceLock::new();
        DEMO.get_or_init(demo)
    }
}
