//! Where the tensors of a file lie: what the readers of every format produce.
//!
//! Readers are plain functions from the file's bytes to a [`Layout`] or a [`Fault`], without
//! allocation beyond the header's own size, so that hostile files can be thrown at them.

use std::collections::BTreeMap;
use std::ops::Range;

/// Numbers of a tensor as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// Four bytes.
    F32,
    /// Two bytes, IEEE half precision.
    F16,
    /// Two bytes, the upper half of an f32.
    Bf16,
    /// Blocks of 32 numbers in 34 bytes: an f16 scale and 32 signed bytes.
    Q8_0,
    /// Eight bytes; read as f32.
    F64,
    /// Anything that is no weight: kept so that the report can name it.
    Other(&'static str),
}

/// Numbers in one block of Q8_0.
pub const Q8_0_BLOCK: usize = 32;
/// Bytes of one block of Q8_0.
pub const Q8_0_BYTES: usize = 34;

impl ElementType {
    /// Bytes of `count` numbers; `None` when blocks do not come out even, on overflow, and for
    /// types that are not weights.
    pub fn bytes(self, count: usize) -> Option<usize> {
        match self {
            Self::F64 => count.checked_mul(8),
            Self::F32 => count.checked_mul(4),
            Self::F16 | Self::Bf16 => count.checked_mul(2),
            Self::Q8_0 if count.is_multiple_of(Q8_0_BLOCK) => {
                (count / Q8_0_BLOCK).checked_mul(Q8_0_BYTES)
            }
            Self::Q8_0 | Self::Other(_) => None,
        }
    }

    /// The name that formats and people use.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Other(name) => name,
        }
    }
}

/// One tensor's place in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How its numbers are stored.
    pub element: ElementType,
    /// Its dimensions, slowest first.
    pub shape: Vec<usize>,
    /// Its bytes, from the beginning of the file. Readers guarantee that they lie inside.
    pub range: Range<usize>,
}

impl Entry {
    /// Number of elements. Readers guarantee that it does not overflow.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// All tensors of a file, and the words that it carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Tensors by name.
    pub tensors: BTreeMap<String, Entry>,
    /// Free text by key.
    pub metadata: BTreeMap<String, String>,
}

/// Why a file is not what it should be, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, as a clause.
    pub what: String,
    /// What to do.
    pub hint: &'static str,
}

impl Fault {
    /// A fault that another copy of the file may cure.
    pub fn damaged(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: "the file is damaged or not what its name says; copy or download it again",
        }
    }

    /// The file ends too early.
    pub fn short(needed: u64, found: u64) -> Self {
        Self {
            what: format!(
                "the file is cut short: its header promises {needed} bytes, it has {found}"
            ),
            hint: "copy or download it again",
        }
    }
}

/// Names a thing in an error: at most 80 characters, none of which can disturb a terminal.
pub fn shown(name: &str) -> String {
    let mut text: String = name
        .chars()
        .take(80)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.len() < name.len() && name.chars().count() > 80 {
        text.push('…');
    }
    text
}

/// What the first bytes of a file say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Safetensors, or nothing known: its reader then says what is wrong.
    Safetensors,
    /// GGUF.
    Gguf,
    /// A zip archive: a model package, or PyTorch's `torch.save`.
    Zip,
}

/// Tells formats apart by content; names and extensions lie.
///
/// # Errors
/// For the things that people mistake for weights: empty files, git-lfs pointers, web pages,
/// pickles.
pub fn recognise(bytes: &[u8]) -> Result<Format, Fault> {
    let again = "copy or download it again";
    if bytes.is_empty() {
        return Err(Fault {
            what: "the file is empty".into(),
            hint: again,
        });
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Fault {
            what: "this is a git-lfs pointer, not the weights it points to".into(),
            hint: "run `git lfs pull` in its folder, or download the file itself",
        });
    }
    let start: Vec<u8> = bytes
        .iter()
        .take(64)
        .skip_while(|b| b.is_ascii_whitespace())
        .map(u8::to_ascii_lowercase)
        .collect();
    if [&b"<!doctype"[..], b"<html", b"<?xml", b"<head"]
        .iter()
        .any(|tag| start.starts_with(tag))
    {
        return Err(Fault {
            what: "this is a web page, not weights: the download was answered by a page".into(),
            hint: again,
        });
    }
    if bytes.starts_with(b"GGUF") {
        return Ok(Format::Gguf);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Ok(Format::Zip);
    }
    if bytes.len() > 2
        && bytes[0] == 0x80
        && (2..=5).contains(&bytes[1])
        && bytes.get(2..8) != Some(&[0; 6])
    {
        return Err(Fault {
            what: "this is a Python pickle, which can run code when read".into(),
            hint: "convert it to safetensors where it was made",
        });
    }
    Ok(Format::Safetensors)
}
