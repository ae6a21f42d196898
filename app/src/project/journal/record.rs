//! A record of the journal: length, kind, content, and the beginning of a SHA-256 over kind and
//! content. What does not fit its check sum ends the journal for a reader.

use sha2::{Digest, Sha256};

use crate::paint::TILE;

/// What a journal starts with.
pub(super) const MAGIC: &[u8] = b"MMFace journal 1\n";

/// Longest content that is written or believed, in bytes.
const MAX_CONTENT: usize = 256 << 20;
/// Bytes of the check sum.
const CHECK: usize = 8;
/// Pixels of a tile.
const PIXELS: usize = TILE * TILE;

/// A record, decoded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// A blank drawing of this side, and nothing else.
    Start { side: u32 },
    /// A tile of the mask (layer 0) or the sketch (layer 1).
    Tile {
        layer: u8,
        index: u32,
        packed: Vec<u8>,
    },
    /// The project's text.
    Data(Vec<u8>),
    /// The picture under the canvas as PNG; empty for none.
    Onion(Vec<u8>),
    /// The project file (empty for none), and whether something is not in it yet.
    Place { file: String, unsaved: bool },
    /// All records up to here make a state; milliseconds since 1970.
    Commit(u64),
}

impl Record {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let (kind, content): (u8, Vec<u8>) = match self {
            Self::Start { side } => (1, side.to_le_bytes().to_vec()),
            Self::Tile {
                layer,
                index,
                packed,
            } => {
                let head = [*layer].into_iter().chain(index.to_le_bytes());
                (2, head.chain(packed.iter().copied()).collect())
            }
            Self::Data(text) => (3, text.clone()),
            Self::Onion(png) => (4, png.clone()),
            Self::Place { file, unsaved } => (
                5,
                [u8::from(*unsaved)]
                    .into_iter()
                    .chain(file.bytes())
                    .collect(),
            ),
            Self::Commit(time) => (6, time.to_le_bytes().to_vec()),
        };
        bytes.extend((content.len() as u32).to_le_bytes());
        bytes.push(kind);
        bytes.extend(&content);
        bytes.extend(check(kind, &content));
    }

    /// The first record and the bytes behind it; `None` at the end and where it is torn or damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let (&kind, rest) = rest.split_first()?;
        if length > MAX_CONTENT {
            return None;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        let (sum, rest) = rest.split_first_chunk::<CHECK>()?;
        if *sum != check(kind, content) {
            return None;
        }
        let number = |bytes: &[u8]| Some(u32::from_le_bytes(*bytes.first_chunk()?));
        let record = match kind {
            1 => Self::Start {
                side: number(content)?,
            },
            2 => {
                let (&layer, content) = content.split_first()?;
                Self::Tile {
                    layer,
                    index: number(content)?,
                    packed: content.get(4..)?.to_vec(),
                }
            }
            3 => Self::Data(content.to_vec()),
            4 => Self::Onion(content.to_vec()),
            5 => {
                let (&unsaved, file) = content.split_first()?;
                Self::Place {
                    file: String::from_utf8(file.to_vec()).ok()?,
                    unsaved: unsaved != 0,
                }
            }
            6 => Self::Commit(u64::from_le_bytes(*content.first_chunk()?)),
            _ => return None,
        };
        Some((record, rest))
    }
}

fn check(kind: u8, content: &[u8]) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update([kind]);
    hash.update(content);
    let hash = hash.finalize();
    std::array::from_fn(|i| hash[i])
}

/// A tile as runs of equal values, or as it is where runs are longer.
pub(super) fn encode_tile(tile: &[u8; PIXELS]) -> Vec<u8> {
    let mut packed = vec![1];
    for run in tile.chunk_by(|a, b| a == b) {
        for piece in run.chunks(256) {
            packed.push((piece.len() - 1) as u8);
            packed.push(piece[0]);
        }
        if packed.len() > PIXELS {
            return [0].into_iter().chain(tile.iter().copied()).collect();
        }
    }
    packed
}

/// A tile from its packed form; `None` when it is not exactly a tile.
pub(super) fn decode_tile(packed: &[u8]) -> Option<Vec<u8>> {
    let (&mode, rest) = packed.split_first()?;
    let mut tile = Vec::with_capacity(PIXELS);
    match mode {
        0 => tile.extend(rest),
        1 => {
            let (runs, []) = rest.as_chunks::<2>() else {
                return None;
            };
            for [length, value] in runs {
                tile.resize(tile.len() + usize::from(*length) + 1, *value);
                if tile.len() > PIXELS {
                    return None;
                }
            }
        }
        _ => return None,
    }
    (tile.len() == PIXELS).then_some(tile)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_come_back_and_damage_ends_them() {
        let records = [
            Record::Start { side: 1024 },
            Record::Tile {
                layer: 1,
                index: 77,
                packed: vec![1, 255, 3],
            },
            Record::Data(b"text".to_vec()),
            Record::Onion(Vec::new()),
            Record::Place {
                file: "/a/ü.mmface-project".into(),
                unsaved: true,
            },
            Record::Commit(123_456),
        ];
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record.encode(&mut bytes));
        let mut rest = bytes.as_slice();
        for record in &records {
            let (found, after) = Record::decode(rest).unwrap();
            assert_eq!(found, *record);
            rest = after;
        }
        assert_eq!(Record::decode(rest), None);
        let first = &bytes[..4 + 1 + 4 + CHECK];
        for at in 0..first.len() {
            let mut damaged = first.to_vec();
            damaged[at] ^= 1;
            assert_eq!(Record::decode(&damaged), None, "byte {at}");
            assert_eq!(Record::decode(&first[..at]), None, "cut at {at}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn tiles_come_back(values in prop::collection::vec((0u8..19, 1usize..700), 1..4000)) {
            let mut tile: Vec<u8> = values.iter().flat_map(|(value, length)| vec![*value; *length]).collect();
            tile.resize(PIXELS, 7);
            let tile: [u8; PIXELS] = tile.try_into().unwrap();
            let packed = encode_tile(&tile);
            prop_assert!(packed.len() <= PIXELS + 1);
            prop_assert_eq!(decode_tile(&packed).unwrap(), tile.to_vec());
        }

        #[test]
        fn rubbish_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Record::decode(&bytes);
            if let Some(tile) = decode_tile(&bytes) {
                prop_assert_eq!(tile.len(), PIXELS);
            }
        }
    }
}
