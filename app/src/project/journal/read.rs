//! Reading a journal that a session left: up to the last state that is whole.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mmface_engine::labels::{LabelImage, palette};
use mmface_engine::picture::{self, GrayImage, RgbImage};
use mmface_engine::{Error, Result};

use super::record::{MAGIC, Record, decode_tile};
use super::{Frame, NAME};
use crate::paint::{Drawing, TILE};
use crate::project::data::{ProjectData, is_side};

/// Longest journal that is read, in bytes.
const MAX_FILE: u64 = 512 << 20;

/// What a journal says.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// The last whole state.
    pub frame: Frame,
    /// When it was written.
    pub time: SystemTime,
    /// Bytes behind it that are of no use: a write that was cut off.
    pub torn: usize,
}

/// Reads the journal in the folder of a session.
///
/// # Errors
/// When there is none, or nothing in it is whole.
pub fn read(folder: &Path) -> Result<Recovered> {
    let path = folder.join(NAME);
    let failed = |error| Error::file("read the recovery journal", &path)(error);
    let mut bytes = Vec::new();
    File::open(&path)
        .map_err(failed)?
        .take(MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    decode(&bytes, &path)
}

/// Reads a journal's bytes; `path` is only for messages.
fn decode(bytes: &[u8], path: &Path) -> Result<Recovered> {
    let nothing = || {
        Error::content(
            path,
            "the recovery journal holds nothing whole",
            "discard it",
        )
    };
    let body = bytes.strip_prefix(MAGIC).ok_or_else(nothing)?;
    let mut rest = body;
    let (mut records, mut whole, mut time, mut end) = (Vec::new(), 0, 0, body);
    while let Some((record, after)) = Record::decode(rest) {
        rest = after;
        if let Record::Commit(when) = record {
            (whole, time, end) = (records.len(), when, after);
        } else {
            records.push(record);
        }
    }
    records.truncate(whole);
    let mut state = State::default();
    for record in records {
        state.apply(record).ok_or_else(nothing)?;
    }
    let frame = state.frame(path)?.ok_or_else(nothing)?;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(time));
    Ok(Recovered {
        frame,
        time: time.unwrap_or(SystemTime::UNIX_EPOCH),
        torn: end.len(),
    })
}

/// The state that records lead to. Texts and the onion are only looked at in the end.
#[derive(Default)]
struct State {
    side: usize,
    layers: [Vec<u8>; 2],
    data: Option<Vec<u8>>,
    onion: Vec<u8>,
    file: String,
    unsaved: bool,
}

impl State {
    /// `None` for a record that makes no sense here.
    fn apply(&mut self, record: Record) -> Option<()> {
        match record {
            Record::Start { side } => {
                let side = Some(side as usize).filter(|side| is_side(*side))?;
                let blank = Drawing::new(side);
                *self = Self {
                    side,
                    layers: [blank.mask.to_pixels(), blank.sketch.to_pixels()],
                    ..Self::default()
                };
            }
            Record::Tile {
                layer,
                index,
                packed,
            } => {
                let tile = decode_tile(&packed)?;
                let (columns, index) = ((self.side / TILE).max(1), index as usize);
                let (left, top) = (index % columns * TILE, index / columns * TILE);
                let pixels = self.layers.get_mut(usize::from(layer))?;
                for (y, row) in tile.chunks_exact(TILE).enumerate() {
                    let start = (top + y) * self.side + left;
                    pixels.get_mut(start..start + TILE)?.copy_from_slice(row);
                }
            }
            Record::Data(text) => self.data = Some(text),
            Record::Onion(png) => self.onion = png,
            Record::Place { file, unsaved } => (self.file, self.unsaved) = (file, unsaved),
            Record::Commit(_) => {}
        }
        Some(())
    }

    fn frame(self, path: &Path) -> Result<Option<Frame>> {
        let (Some(text), true) = (self.data, self.side > 0) else {
            return Ok(None);
        };
        // The drawing is worth more than a text that cannot be read.
        let text = String::from_utf8_lossy(&text);
        let plain = |_| ProjectData {
            side: self.side,
            ..ProjectData::default()
        };
        let data = ProjectData::from_text(&text, path).unwrap_or_else(plain);
        let (width, height) = (self.side, self.side);
        let [labels, pixels] = self.layers;
        // Numbers that are no class become background on the way.
        let drawing = Drawing::new(self.side)
            .with_mask(&LabelImage {
                width,
                height,
                labels,
            })
            .with_sketch(&GrayImage {
                width,
                height,
                pixels,
            });
        let onion = match self.onion.is_empty() {
            true => None,
            false => {
                let onion = picture::read::decode(&self.onion, path);
                onion.ok().map(|onion| Arc::new(onion.to_rgb()))
            }
        };
        let file = (!self.file.is_empty()).then(|| PathBuf::from(self.file));
        Ok(Some(Frame {
            drawing,
            data: Arc::new(data),
            onion,
            file,
            unsaved: self.unsaved,
        }))
    }
}

/// A small picture of a drawing: the mask in its colours with the sketch over it.
pub fn preview(drawing: &Drawing, side: usize) -> RgbImage {
    let mut small = RgbImage::filled(side, side, [255; 3]);
    let at = |i: usize| (2 * i + 1) * drawing.side() / (2 * side.max(1));
    let drawn = drawing
        .mask
        .tiles()
        .iter()
        .any(|tile| tile.iter().any(|&class| class != 0));
    for (i, pixel) in small.pixels.chunks_exact_mut(3).enumerate() {
        let (x, y) = (at(i % side), at(i / side));
        // An empty mask would only darken the sketch.
        let colour = if drawn {
            palette().colour(drawing.mask.get(x, y))
        } else {
            [255; 3]
        };
        let grey = u16::from(drawing.sketch.get(x, y));
        for (value, colour) in pixel.iter_mut().zip(colour) {
            *value = (u16::from(colour) * grey / 255) as u8;
        }
    }
    small
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn journal(records: &[Record]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        records.iter().for_each(|record| record.encode(&mut bytes));
        bytes
    }

    fn data() -> Record {
        Record::Data(ProjectData::default().to_text().unwrap().into_bytes())
    }

    #[test]
    fn what_is_not_committed_does_not_count() {
        let start = Record::Start { side: 512 };
        let tile = |value| Record::Tile {
            layer: 0,
            index: 9,
            packed: super::super::encode_tile(&[value; TILE * TILE]),
        };
        let whole = journal(&[start, data(), tile(3), Record::Commit(7), tile(5), tile(6)]);
        let back = decode(&whole, Path::new("j")).unwrap();
        assert_eq!(back.frame.drawing.mask.get(TILE + 1, TILE + 1), 3);
        assert_eq!(back.time, SystemTime::UNIX_EPOCH + Duration::from_millis(7));
        assert!(back.torn > 0);
    }

    #[test]
    fn journals_that_make_no_sense_are_refused() {
        let end = Record::Commit(1);
        let tile = |layer, index| Record::Tile {
            layer,
            index,
            packed: super::super::encode_tile(&[3; TILE * TILE]),
        };
        for records in [
            vec![],
            vec![Record::Start { side: 512 }, end.clone()],
            vec![data(), end.clone()],
            vec![Record::Start { side: 511 }, data(), end.clone()],
            vec![Record::Start { side: u32::MAX }, data(), end.clone()],
            vec![Record::Start { side: 512 }, data(), tile(2, 0), end.clone()],
            vec![
                Record::Start { side: 512 },
                data(),
                tile(0, 64),
                end.clone(),
            ],
            vec![tile(0, 0), data(), end.clone()],
        ] {
            let error = decode(&journal(&records), Path::new("j"))
                .unwrap_err()
                .to_string();
            assert!(!error.contains('\n'), "{error}");
        }
        assert!(decode(b"rubbish", Path::new("j")).is_err());
    }

    #[test]
    fn a_text_or_a_photo_that_cannot_be_read_costs_only_itself() {
        let mut bytes = MAGIC.to_vec();
        for record in [
            Record::Start { side: 1024 },
            Record::Data(b"(format: 99)".to_vec()),
            Record::Onion(b"no png".to_vec()),
            Record::Commit(1),
        ] {
            record.encode(&mut bytes);
        }
        let found = decode(&bytes, Path::new("j")).unwrap().frame;
        assert_eq!((found.data.side, found.drawing.side()), (1024, 1024));
        assert!(found.onion.is_none());
    }

    #[test]
    fn previews_show_the_mask_or_the_sketch() {
        let mut drawing = Drawing::new(512);
        assert_eq!(preview(&drawing, 8), RgbImage::filled(8, 8, [255; 3]));
        drawing.sketch.fill_row(32, 0..512, 0);
        assert_eq!(preview(&drawing, 8).pixel(3, 0), [0; 3]);
        for y in 256..512 {
            drawing.mask.fill_row(y, 0..512, 13);
        }
        assert_eq!(preview(&drawing, 8).pixel(3, 7), palette().colour(13));
    }
}
