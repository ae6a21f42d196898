//! Files of a package.

use serde::{Deserialize, Serialize};

use crate::weights::layout::shown;

/// A part of a package that is a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Part {
    /// The transformer.
    Dit,
    /// The autoencoder.
    Vae,
    /// The text tower.
    Text,
    /// `tokenizer.json`.
    Tokenizer,
    /// `vocab.json`, where there is no `tokenizer.json`.
    Vocabulary,
    /// `merges.txt`, where there is no `tokenizer.json`.
    Merges,
    /// A small decoder for previews.
    Tiny,
    /// The face parser.
    Parser,
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.key().to_owned()
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(key: String) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|part| part.key() == key);
        found.ok_or_else(|| format!("`{}` is no part of a package", shown(&key)))
    }
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 8] = [
        Self::Dit,
        Self::Vae,
        Self::Text,
        Self::Tokenizer,
        Self::Vocabulary,
        Self::Merges,
        Self::Tiny,
        Self::Parser,
    ];

    /// The key in the manifest.
    pub fn key(self) -> &'static str {
        match self {
            Self::Dit => "dit",
            Self::Vae => "vae",
            Self::Text => "text",
            Self::Tokenizer => "tokenizer",
            Self::Vocabulary => "vocabulary",
            Self::Merges => "merges",
            Self::Tiny => "tiny",
            Self::Parser => "parser",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Dit => "the transformer",
            Self::Vae => "the autoencoder",
            Self::Text => "the text tower",
            Self::Tokenizer | Self::Vocabulary | Self::Merges => "the tokenizer",
            Self::Tiny => "the preview decoder",
            Self::Parser => "the face parser",
        }
    }
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageFile {
    /// Where, relative to the manifest with `/` between folders; anywhere on this computer when
    /// the manifest is `linked`.
    pub path: String,
    /// SHA-256 as 64 hexadecimal digits.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
}
