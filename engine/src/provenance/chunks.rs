//! The chunks of a PNG, without looking at its pixels, and the texts in them.
//!
//! Written against the PNG specification (third edition), sections 5 and 11.3.3. Texts that would
//! unpack beyond a budget are left out: a few kilobytes can claim to be gigabytes.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// What every PNG starts with.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The chunk of a C2PA manifest.
pub(super) const MANIFEST: &[u8; 4] = b"caBX";

/// Most bytes of text in one picture: a recipe with the largest condition fits.
pub(super) const TEXT_BUDGET: usize = 128 << 20;

/// Most texts that are read.
const MOST_TEXTS: usize = 256;

/// One chunk as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chunk<'a> {
    pub kind: [u8; 4],
    pub data: &'a [u8],
    /// Length, kind, data and check sum.
    pub whole: &'a [u8],
}

impl Chunk<'_> {
    pub(super) fn is_text(&self) -> bool {
        matches!(&self.kind, b"tEXt" | b"zTXt" | b"iTXt")
    }

    /// Whether the check sum fits.
    fn is_sound(&self) -> bool {
        let Some((body, sum)) = self
            .whole
            .get(4..)
            .and_then(|rest| rest.split_last_chunk::<4>())
        else {
            return false;
        };
        crc32fast::hash(body) == u32::from_be_bytes(*sum)
    }
}

/// The chunks of a PNG as far as they are whole. A file that ends early gives those before.
pub(super) fn chunks(png: &[u8]) -> Vec<Chunk<'_>> {
    let mut found = Vec::new();
    let mut rest = png.strip_prefix(SIGNATURE).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(&kind) = after.first_chunk::<4>() else {
            break;
        };
        let whole = length
            .checked_add(12)
            .and_then(|whole| rest.split_at_checked(whole));
        let Some((whole, next)) = whole else { break };
        found.push(Chunk {
            kind,
            data: &whole[8..8 + length],
            whole,
        });
        rest = next;
        if &kind == b"IEND" {
            break;
        }
    }
    found
}

/// A chunk with its length and check sum.
pub(super) fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len() + 12);
    bytes.extend((data.len() as u32).to_be_bytes());
    bytes.extend(kind);
    bytes.extend(data);
    let sum = crc32fast::hash(&bytes[4..]);
    bytes.extend(sum.to_be_bytes());
    bytes
}

/// A text chunk: plain where Latin-1 can hold it, international where not or where asked.
pub(super) fn text_chunk(keyword: &str, text: &str, international: bool) -> Vec<u8> {
    let mut data = keyword.as_bytes().to_vec();
    let latin: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok().filter(|&b| b != 0))
        .collect();
    match latin {
        Some(latin) if !international => {
            data.push(0);
            data.extend(latin);
            chunk(*b"tEXt", &data)
        }
        _ => {
            // Not compressed, no language, no translated keyword.
            data.extend([0; 5]);
            data.extend(text.as_bytes());
            chunk(*b"iTXt", &data)
        }
    }
}

/// Keyword and text of every sound text chunk, within the budget.
pub(super) fn texts(chunks: &[Chunk<'_>]) -> Vec<(String, String)> {
    let mut budget = TEXT_BUDGET;
    let mut found = Vec::new();
    for chunk in chunks.iter().filter(|chunk| chunk.is_text()) {
        if found.len() == MOST_TEXTS {
            break;
        }
        if chunk.data.len() > budget || !chunk.is_sound() {
            continue;
        }
        if let Some((keyword, text)) = text(chunk, budget) {
            budget -= text.len().min(budget);
            found.push((keyword, text));
        }
    }
    found
}

/// The keyword of a text chunk.
pub(super) fn keyword(chunk: &Chunk<'_>) -> Option<String> {
    let end = chunk.data.iter().take(80).position(|&byte| byte == 0)?;
    Some(latin1(&chunk.data[..end]))
}

fn text(chunk: &Chunk<'_>, budget: usize) -> Option<(String, String)> {
    let keyword = keyword(chunk)?;
    let rest = chunk.data.get(keyword.chars().count() + 1..)?;
    let text = match &chunk.kind {
        b"tEXt" => latin1(rest),
        b"zTXt" => latin1(&unpack(rest.strip_prefix(&[0])?, budget)?),
        _ => {
            let (&[packed, method], rest) = rest.split_first_chunk::<2>()?;
            let mut parts = rest.splitn(3, |&byte| byte == 0);
            let (_language, _translated, text) = (parts.next()?, parts.next()?, parts.next()?);
            match (packed, method) {
                (0, _) => String::from_utf8(text.to_vec()).ok()?,
                (1, 0) => String::from_utf8(unpack(text, budget)?).ok()?,
                _ => return None,
            }
        }
    };
    Some((keyword, text))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Unpacks at most `budget` bytes; `None` for more, and for damaged data.
fn unpack(packed: &[u8], budget: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(packed)
        .take(budget as u64 + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    (bytes.len() <= budget).then_some(bytes)
}
