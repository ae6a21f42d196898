//! Event files that TensorBoard reads: scalars and sample sheets below `RUN/tensorboard`.
//!
//! A file is a row of records (length, check sum, bytes, check sum), each a protocol buffer message
//! `Event`. Only the few fields that are used are written, by hand. A resumed run opens a new file
//! that begins with a session start at its step: TensorBoard then drops what older files say after
//! that step.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use mmface_engine::Result;
use mmface_engine::file::{self, Append};
use mmface_engine::picture::png_header;
use mmface_engine::system::disk;

use super::{Sink, TrainEvent, Weights};

/// Largest sheet that is copied into an event file.
const LARGEST_PICTURE: u64 = 16 << 20;

/// Writes one event file.
#[derive(Debug)]
pub struct TensorBoard {
    file: Append,
}

impl TensorBoard {
    /// Opens a new event file in the folder for a run that continues from `step`.
    ///
    /// # Errors
    /// When folder or file cannot be written.
    pub fn open(folder: &Path, step: u64) -> Result<Self> {
        file::create_folder(folder)?;
        let now = seconds();
        // Process and count distinguish two starts within a second.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "events.out.tfevents.{:010}.mmface.{}.{}",
            now as u64,
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = folder.join(name);
        let mut writer = Self {
            file: Append::create(&path)?,
        };
        let mut version = event(now, 0);
        text(&mut version, 3, "brain.Event:2");
        writer.record(&version)?;
        let mut session = event(now, step);
        let mut start = Vec::new();
        number(&mut start, 1, 1);
        bytes(&mut session, 7, &start);
        writer.record(&session)?;
        Ok(writer)
    }

    fn record(&mut self, data: &[u8]) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(data.len() + 16);
        record.extend(length);
        record.extend(masked(crc32c(&length)).to_le_bytes());
        record.extend(data);
        record.extend(masked(crc32c(data)).to_le_bytes());
        match self.file.push(&record) {
            // The curves are in metrics.jsonl as well: a full disk costs points here, not the run.
            Err(error) if disk::is_full_error(&error) => Ok(()),
            pushed => pushed.map_err(|error| error.doing("write the event file")),
        }
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut entry = Vec::new();
            text(&mut entry, 1, tag);
            float(&mut entry, 2, *value as f32);
            bytes(&mut summary, 1, &entry);
        }
        let mut message = event(seconds(), step);
        bytes(&mut message, 5, &summary);
        self.record(&message)
    }

    fn picture(&mut self, step: u64, tag: &str, path: &Path) -> Result<()> {
        let small = std::fs::metadata(path).is_ok_and(|data| data.len() <= LARGEST_PICTURE);
        let Some(png) = small.then(|| std::fs::read(path).ok()).flatten() else {
            return Ok(());
        };
        let Some((width, height)) = png_header::size(&png) else {
            return Ok(());
        };
        let mut image = Vec::new();
        number(&mut image, 1, u64::from(height));
        number(&mut image, 2, u64::from(width));
        number(&mut image, 3, 3);
        bytes(&mut image, 4, &png);
        let mut entry = Vec::new();
        text(&mut entry, 1, tag);
        bytes(&mut entry, 4, &image);
        let mut summary = Vec::new();
        bytes(&mut summary, 1, &entry);
        let mut message = event(seconds(), step);
        bytes(&mut message, 5, &summary);
        self.record(&message)
    }
}

impl Sink for TensorBoard {
    fn on_event(&mut self, event: &TrainEvent) -> Result<()> {
        match event {
            TrainEvent::Step(line) => self.scalars(
                line.step,
                &[
                    ("train/loss", line.loss),
                    ("train/loss_smooth", line.smooth),
                    ("train/learning_rate", line.rate),
                    ("train/grad_norm", line.grad_norm),
                    ("speed/samples_per_second", line.samples_per_second),
                    ("speed/memory_bytes", line.memory as f64),
                ],
            ),
            TrainEvent::HeldOut(report) => {
                let mut values = vec![("heldout/loss".to_owned(), report.loss)];
                for (name, buckets) in [("mask", &report.mask), ("sketch", &report.sketch)] {
                    for (index, value) in buckets.iter().enumerate() {
                        values.push((format!("heldout/{name}_{index}"), *value));
                    }
                }
                let values: Vec<(&str, f64)> = values
                    .iter()
                    .map(|(name, value)| (name.as_str(), *value))
                    .collect();
                self.scalars(report.step, &values)
            }
            TrainEvent::Sample {
                step,
                path,
                weights,
            } => {
                let tag = match weights {
                    Weights::Raw => "samples/raw",
                    Weights::Averaged => "samples/averaged",
                };
                self.picture(*step, tag, Path::new(path))
            }
            _ => Ok(()),
        }
    }
}

fn seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

/// An `Event` with its time and step.
fn event(time: f64, step: u64) -> Vec<u8> {
    let mut message = vec![1 << 3 | 1];
    message.extend(time.to_le_bytes());
    number(&mut message, 2, step);
    message
}

/// A whole number in seven-bit groups, lowest first.
fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn number(into: &mut Vec<u8>, field: u8, value: u64) {
    into.push(field << 3);
    varint(into, value);
}

fn float(into: &mut Vec<u8>, field: u8, value: f32) {
    into.push(field << 3 | 5);
    into.extend(value.to_le_bytes());
}

fn bytes(into: &mut Vec<u8>, field: u8, value: &[u8]) {
    into.push(field << 3 | 2);
    varint(into, value.len() as u64);
    into.extend(value);
}

fn text(into: &mut Vec<u8>, field: u8, value: &str) {
    bytes(into, field, value.as_bytes());
}

/// Castagnoli's cyclic redundancy check, reflected polynomial 0x82f63b78.
const TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ 0x82f6_3b78
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |sum, &byte| {
        sum >> 8 ^ TABLE[usize::from(sum as u8 ^ byte)]
    })
}

/// Record files store check sums rotated and shifted, since a sum over data that holds its own sum
/// is weak.
fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::report::{HeldOutReport, Step};

    /// Splits a file into its records, checking both sums.
    fn records(file: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = file;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let sum = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
            assert_eq!(sum(8), masked(crc32c(&rest[..8])));
            let data = &rest[12..12 + length];
            assert_eq!(sum(12 + length), masked(crc32c(data)));
            found.push(data.to_vec());
            rest = &rest[16 + length..];
        }
        found
    }

    #[test]
    fn the_check_sum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn scalars_and_pictures_stand_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let png = folder.path().join("sheet.png");
        let picture = mmface_engine::picture::RgbImage::filled(3, 2, [9; 3]);
        std::fs::write(
            &png,
            mmface_engine::picture::write::encode_rgb(&picture).unwrap(),
        )
        .unwrap();
        let mut board = TensorBoard::open(&folder.path().join("tb"), 300).unwrap();
        board
            .on_event(&TrainEvent::Step(Step {
                step: 301,
                loss: 0.5,
                ..Step::default()
            }))
            .unwrap();
        board
            .on_event(&TrainEvent::HeldOut(HeldOutReport {
                step: 301,
                loss: 0.25,
                mask: vec![1.0],
                sketch: vec![2.0],
            }))
            .unwrap();
        board
            .on_event(&TrainEvent::Sample {
                step: 301,
                path: png.display().to_string(),
                weights: Weights::Raw,
            })
            .unwrap();
        let records = records(&std::fs::read(board.file.path()).unwrap());
        assert_eq!(records.len(), 5);
        assert!(records[0].ends_with(b"brain.Event:2"));
        // Step 300 as two groups of seven bits, then the session log that says "start".
        assert!(records[1].ends_with(&[2 << 3, 0xac, 0x02, 7 << 3 | 2, 2, 8, 1]));
        let holds =
            |record: &[u8], part: &[u8]| record.windows(part.len()).any(|window| window == part);
        let mut loss = Vec::new();
        text(&mut loss, 1, "train/loss");
        float(&mut loss, 2, 0.5);
        assert!(holds(&records[2], &loss));
        assert!(holds(&records[3], b"heldout/sketch_0"));
        // Height, width, colour channels.
        assert!(holds(&records[4], &[8, 2, 16, 3, 24, 3]) && holds(&records[4], b"samples/raw"));
    }
}
