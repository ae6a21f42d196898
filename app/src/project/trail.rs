//! Points on the way to a picture, kept beside the thumbnails: they can be lost without harm, so
//! they are no part of the picture's file.
//!
//! A file is `MMTRAIL1`, the header's length, the header as RON, and the numbers of the header's
//! steps one after the other, all little-endian.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use mmface_engine::contract::{Trail, TrailStep};
use mmface_engine::job::Fork;
use mmface_engine::picture::RgbImage;
use mmface_engine::{Error, Result, file};
use serde::{Deserialize, Serialize};

use super::disk::files_in;

const MAGIC: &[u8; 8] = b"MMTRAIL1";
/// Longest header that is read.
const MAX_HEADER: usize = 1 << 20;
/// Largest file that is read.
const MAX_FILE: u64 = 256 << 20;
/// Their folder in the cache.
const FOLDER: &str = "trails";
/// The ending of their files.
const ENDING: &str = "trail";

#[derive(Serialize, Deserialize)]
struct Header {
    pixels: String,
    steps: Vec<Step>,
}

#[derive(Serialize, Deserialize)]
struct Step {
    step: usize,
    values: usize,
    preview: Option<(usize, usize)>,
}

/// Where the trail of a picture lies; its pixels' hash names it.
pub fn path(cache: &Path, pixels: &str) -> PathBuf {
    let name: String = pixels
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(64)
        .collect();
    cache.join(FOLDER).join(format!("{name}.{ENDING}"))
}

/// Writes a trail, and makes room by forgetting the oldest ones: all together take `most` bytes.
///
/// # Errors
/// The system's reason.
pub fn write(cache: &Path, trail: &Trail, most: u64) -> Result<()> {
    let path = path(cache, &trail.pixels);
    if let Some(folder) = path.parent() {
        prune(folder, most);
    }
    file::store(&path, &encode(trail)?)
}

/// Bytes of all trails, and their number.
pub fn size(cache: &Path) -> (u64, usize) {
    files_in(&cache.join(FOLDER), ENDING, 0)
}

/// Forgets the oldest trails until all together take `most` bytes.
pub fn make_room(cache: &Path, most: u64) {
    prune(&cache.join(FOLDER), most);
}

/// Reads the trail of a picture; `None` when there is none.
///
/// # Errors
/// When there is one that cannot be used.
pub fn read(cache: &Path, pixels: &str) -> Result<Option<Trail>> {
    let path = path(cache, pixels);
    let file = match fs::File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Error::file("read the steps of the picture", &path))?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(Error::file("read the steps of the picture", &path))?;
    decode(&bytes)
        .filter(|trail| trail.pixels == pixels)
        .map(Some)
        .ok_or_else(|| {
            Error::content(
                &path,
                "the steps of the picture are damaged",
                "draw the picture again to have them anew",
            )
        })
}

fn encode(trail: &Trail) -> Result<Vec<u8>> {
    let steps = trail.steps.iter().map(|step| Step {
        step: step.fork.step,
        values: step.fork.latent.len(),
        preview: step
            .preview
            .as_ref()
            .map(|small| (small.width, small.height)),
    });
    let header = Header {
        pixels: trail.pixels.clone(),
        steps: steps.collect(),
    };
    let header = ron::to_string(&header).map_err(Error::unwritable("the trail"))?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(header.as_bytes());
    for step in &trail.steps {
        bytes.extend(
            step.fork
                .latent
                .iter()
                .flat_map(|value| value.to_le_bytes()),
        );
        bytes.extend(step.preview.iter().flat_map(|small| &small.pixels));
    }
    Ok(bytes)
}

/// `None` for anything that is not whole. Nothing is allocated before the bytes are there.
fn decode(bytes: &[u8]) -> Option<Trail> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (header, mut rest) = rest
        .split_at_checked(length)
        .filter(|_| length <= MAX_HEADER)?;
    let header: Header = ron::from_str(std::str::from_utf8(header).ok()?).ok()?;
    let mut steps = Vec::new();
    for Step {
        step,
        values,
        preview,
    } in header.steps
    {
        let (latent, after) = rest.split_at_checked(values.checked_mul(4)?)?;
        rest = after;
        let (numbers, _) = latent.as_chunks::<4>();
        let latent: Vec<f32> = numbers
            .iter()
            .map(|number| f32::from_le_bytes(*number))
            .collect();
        if latent.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let preview = match preview {
            None => None,
            Some((width, height)) => {
                let bytes = width.checked_mul(height)?.checked_mul(3)?;
                let (pixels, after) = rest.split_at_checked(bytes)?;
                rest = after;
                (bytes > 0).then(|| RgbImage {
                    width,
                    height,
                    pixels: pixels.to_vec(),
                })
            }
        };
        steps.push(TrailStep {
            fork: Fork { step, latent },
            preview,
        });
    }
    rest.is_empty().then_some(Trail {
        pixels: header.pixels,
        steps,
    })
}

/// Removes the oldest trails until the rest fits. A cache: what cannot be removed stays.
fn prune(folder: &Path, most: u64) {
    let items = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = items.filter(|item| item.path().extension().is_some_and(|end| end == ENDING));
    let mut files: Vec<_> = ours
        .filter_map(|item| {
            let about = item.metadata().ok()?;
            Some((about.modified().ok()?, about.len(), item.path()))
        })
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in files {
        if total <= most {
            break;
        }
        if fs::remove_file(path).is_ok() {
            total -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn trail() -> Trail {
        let step = |step: usize, preview| TrailStep {
            fork: Fork {
                step,
                latent: (0..12)
                    .map(|value| value as f32 / 3.0 - step as f32)
                    .collect(),
            },
            preview,
        };
        Trail {
            pixels: "ab12".into(),
            steps: vec![
                step(3, Some(RgbImage::filled(2, 3, [9, 8, 7]))),
                step(6, None),
            ],
        }
    }

    #[test]
    fn trails_come_back_exactly() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(read(cache.path(), "ab12").unwrap(), None);
        write(cache.path(), &trail(), 1 << 20).unwrap();
        assert_eq!(read(cache.path(), "ab12").unwrap(), Some(trail()));
        fs::copy(path(cache.path(), "ab12"), path(cache.path(), "cd34")).unwrap();
        assert!(read(cache.path(), "cd34").is_err(), "another picture's");
        assert!(path(cache.path(), "../../x").starts_with(cache.path().join("trails")));
    }

    #[test]
    fn the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age) in [("old", 3), ("middle", 2), ("new", 1)] {
            let path = folder.path().join(format!("{name}.trail"));
            fs::write(&path, [0; 100]).unwrap();
            let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age * 100);
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        fs::write(folder.path().join("other.txt"), [0; 1000]).unwrap();
        prune(folder.path(), 250);
        let there = |name: &str| folder.path().join(name).exists();
        assert!(!there("old.trail") && there("middle.trail") && there("new.trail"));
        assert!(there("other.txt"), "only ours are ours to remove");
    }

    proptest! {
        #[test]
        fn damaged_files_do_not_panic(at in 0usize..400, value: u8, keep in 0usize..400) {
            let mut bytes = encode(&trail()).unwrap();
            let length = bytes.len();
            bytes[at % length] = value;
            let _ = decode(&bytes);
            let whole = encode(&trail()).unwrap();
            prop_assert!(decode(&whole[..keep % length]).is_none(), "cut off");
        }
    }
}
