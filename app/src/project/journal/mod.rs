//! The journal of a session: what is drawn and set reaches the disk within half a second, written
//! by a thread of its own, so that a crash or a kill loses at most the last strokes.
//!
//! The file begins with the whole state and goes on with what changed: tiles whose pointer differs
//! from the one that was written, texts that differ. When it has grown long, it is written anew
//! and renamed into place.

mod read;
mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mmface_engine::file::{self, Append};
use mmface_engine::picture::{RgbImage, write};
use mmface_engine::{Error, Result};

pub use read::{Recovered, preview, read};
use record::{Record, encode_tile};

use super::clock;
use super::data::ProjectData;
use super::writer::{Report, Writer};
use crate::paint::{Drawing, Tiles};

/// The journal's name in the folder of a session.
pub const NAME: &str = "journal";

/// Shortest time between two writes: with the write itself, the journal stays within half a
/// second of the hand.
const PACE: Duration = Duration::from_millis(200);
/// Longest time between two calls that push the file through to the disk while it is written.
const SYNC: Duration = Duration::from_secs(1);
/// The journal is written anew when it is longer than this and several times its first state.
const LONG: u64 = 8 << 20;

/// Everything that a crash must not take. A clone shares all pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The drawing, a stroke at hand included.
    pub drawing: Drawing,
    /// Everything else of the project.
    pub data: Arc<ProjectData>,
    /// The picture under the canvas.
    pub onion: Option<Arc<RgbImage>>,
    /// The project file, once there is one.
    pub file: Option<PathBuf>,
    /// Something is not in the project file yet.
    pub unsaved: bool,
}

/// Writes a session's journal.
pub struct Journal {
    writer: Writer<Frame>,
}

impl Journal {
    /// Starts the journal in the folder of a session. `report` is called from the journal's thread
    /// when writing fails, once until it works again.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(folder: &Path, report: impl Fn(Report) + Send + 'static) -> Result<Self> {
        let mut log = Log::new(folder);
        let writer =
            Writer::start_paced("recovery journal", PACE, report, move |frame: &Frame| {
                log.write(frame)
            })?;
        Ok(Self { writer })
    }

    /// Passes the state on. Never waits for the disk; of states that come faster than they are
    /// written only the newest counts.
    pub fn put(&self, frame: Frame) {
        self.writer.put(frame);
    }

    /// Waits until what was put is written, at most this long; returns whether it is.
    pub fn flush(&self, most: Duration) -> bool {
        self.writer.flush(most)
    }
}

/// The file and what it says so far.
struct Log {
    folder: PathBuf,
    open: Option<Open>,
    synced: Instant,
}

struct Open {
    file: Append,
    /// Bytes of the state that the file begins with.
    first: u64,
    frame: Frame,
}

impl Log {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            open: None,
            synced: Instant::now(),
        }
    }

    /// Brings the file up to the frame.
    fn write(&mut self, frame: &Frame) -> Result<()> {
        let path = self.folder.join(NAME);
        let short = |open: &Open| open.file.len() <= LONG.max(4 * open.first);
        match self.open.take().filter(|open| short(open) && path.exists()) {
            Some(mut open) if open.frame.drawing.side() == frame.drawing.side() => {
                let mut bytes = Vec::new();
                changes(Some(&open.frame), frame, &mut bytes)?;
                if bytes.is_empty() {
                    self.open = Some(open);
                    return Ok(());
                }
                Record::Commit(clock::milliseconds(SystemTime::now())).encode(&mut bytes);
                let sync = self.synced.elapsed() >= SYNC;
                let written = open.file.push(&bytes).and_then(|()| match sync {
                    true => open.file.sync(),
                    false => Ok(()),
                });
                if written.is_ok() {
                    open.frame = frame.clone();
                    if sync {
                        self.synced = Instant::now();
                    }
                }
                // Half a record at the end would hide all that follows it: where it could not be
                // cut off, the next write begins a new file.
                self.open = open.file.is_whole().then_some(open);
                written.map_err(failed)
            }
            _ => self.begin(&path, frame),
        }
    }

    /// Writes the whole state into a new file and renames it into place.
    fn begin(&mut self, path: &Path, frame: &Frame) -> Result<()> {
        let mut bytes = record::MAGIC.to_vec();
        Record::Start {
            side: frame.drawing.side() as u32,
        }
        .encode(&mut bytes);
        changes(None, frame, &mut bytes)?;
        Record::Commit(clock::milliseconds(SystemTime::now())).encode(&mut bytes);
        file::store(path, &bytes).map_err(failed)?;
        let file = Append::open(path).map_err(failed)?;
        self.open = Some(Open {
            first: file.len(),
            file,
            frame: frame.clone(),
        });
        self.synced = Instant::now();
        Ok(())
    }
}

/// An error of the journal, told as what was being done.
fn failed(error: Error) -> Error {
    error.doing("write the recovery journal")
}

/// The records that lead from one state to another; from nothing, all that is not empty.
fn changes(old: Option<&Frame>, new: &Frame, bytes: &mut Vec<u8>) -> Result<()> {
    let blank;
    let drawing = match old {
        Some(frame) => &frame.drawing,
        None => {
            blank = Drawing::new(new.drawing.side());
            &blank
        }
    };
    tiles(0, &drawing.mask, &new.drawing.mask, bytes);
    tiles(1, &drawing.sketch, &new.drawing.sketch, bytes);
    let same_data = |old: &Frame| Arc::ptr_eq(&old.data, &new.data) || old.data == new.data;
    if !old.is_some_and(same_data) {
        Record::Data(new.data.to_text()?.into_bytes()).encode(bytes);
    }
    let same_onion = |old: &Frame| match (&old.onion, &new.onion) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (old, new) => old.is_none() && new.is_none(),
    };
    if !old.map_or(new.onion.is_none(), same_onion) {
        let png = new
            .onion
            .as_ref()
            .map(|onion| write::encode_rgb(onion))
            .transpose()?;
        Record::Onion(png.unwrap_or_default()).encode(bytes);
    }
    if old.is_none_or(|old| (&old.file, old.unsaved) != (&new.file, new.unsaved)) {
        let file = new.file.as_ref().and_then(|file| file.to_str());
        Record::Place {
            file: file.unwrap_or_default().into(),
            unsaved: new.unsaved,
        }
        .encode(bytes);
    }
    Ok(())
}

fn tiles(layer: u8, old: &Tiles, new: &Tiles, bytes: &mut Vec<u8>) {
    for (index, (old, new)) in old.tiles().iter().zip(new.tiles()).enumerate() {
        if !Arc::ptr_eq(old, new) && old != new {
            Record::Tile {
                layer,
                index: index as u32,
                packed: encode_tile(new),
            }
            .encode(bytes);
        }
    }
}

#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod tests;
