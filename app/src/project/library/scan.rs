//! Reading the folder: what is new is read, what is known is taken over, what is gone disappears.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use mmface_engine::picture::png_header;
use mmface_engine::provenance::{self, Recipe};
use mmface_engine::{Error, Result, file};
use serde::{Deserialize, Serialize};

use super::entry::{About, Entry, Listing};
use super::{Library, TRASH};
use crate::project::clock;

/// Deepest folder within the library that is looked into.
const DEPTH: usize = 4;
/// Most files that are looked at.
const MAX_FILES: usize = 200_000;
/// Longest stretch of texts before the pixels that is read.
const MAX_HEAD: u64 = 64 << 20;
/// Longest index that is read.
const MAX_INDEX: u64 = 512 << 20;
/// Version of the index: another one is made again.
const FORMAT: u32 = 2;

/// The index as it lies in the cache.
#[derive(Serialize, Deserialize)]
struct Index {
    format: u32,
    folder: String,
    entries: Vec<Entry>,
    others: Vec<(String, u64, u64)>,
}

/// A file of the folder.
struct Found {
    file: String,
    modified: u64,
    bytes: u64,
}

impl Library {
    /// The listing of the last scan, without looking at the folder; empty at the first start.
    pub fn cached(&self) -> Listing {
        let path = self.index_path();
        let small = fs::metadata(&path).is_ok_and(|about| about.len() <= MAX_INDEX);
        let text = if small {
            fs::read_to_string(&path).unwrap_or_default()
        } else {
            String::new()
        };
        // An index that cannot be read is made again by the next scan: the folder is the truth.
        let Ok(index) = ron::from_str::<Index>(&text) else {
            return Listing::default();
        };
        if index.format != FORMAT || index.folder != self.folder().to_string_lossy() {
            return Listing::default();
        }
        let mut listing = Listing {
            entries: index.entries,
            others: index.others,
            trash_bytes: 0,
        };
        listing.entries.iter_mut().for_each(Entry::prepare);
        listing.sort();
        listing
    }

    /// Looks at the folder; files that are as `known` says are not read again.
    ///
    /// # Errors
    /// When the folder has gone or cannot be read; `known` then still says what was there.
    pub fn scan(&self, known: &Listing) -> Result<Listing> {
        if !self.folder().exists() {
            if known.entries.is_empty() {
                return Ok(Listing::default());
            }
            return Err(Error::content(
                self.folder(),
                "the folder of results is gone",
                "bring it back, or go on: it is made again with the next picture",
            ));
        }
        let mut found = Vec::new();
        walk(self.folder(), "", 0, &mut found)
            .map_err(Error::file("read the folder of results", self.folder()))?;
        let mut old: HashMap<&str, &Entry> = known
            .entries
            .iter()
            .map(|entry| (entry.file.as_str(), entry))
            .collect();
        let mut listing = Listing {
            trash_bytes: folder_bytes(&self.folder().join(TRASH)),
            ..Listing::default()
        };
        let mut changed = false;
        for Found {
            file,
            modified,
            bytes,
        } in found
        {
            if let Some(entry) = old
                .remove(file.as_str())
                .filter(|entry| (entry.modified, entry.bytes) == (modified, bytes))
            {
                listing.entries.push(entry.clone());
                continue;
            }
            let other = (file, modified, bytes);
            if known.others.contains(&other) {
                listing.others.push(other);
                continue;
            }
            changed = true;
            let (file, ..) = &other;
            match read_head(&self.path(file)) {
                Some((recipe, size)) => {
                    let about = About::new(&recipe);
                    listing
                        .entries
                        .push(Entry::new(file.clone(), modified, bytes, size, about));
                }
                None => listing.others.push(other),
            }
        }
        listing.sort();
        if changed
            || listing.entries.len() != known.entries.len()
            || listing.others.len() != known.others.len()
        {
            // Without an index the next start reads the pictures again, no more.
            self.write_index(&listing).ok();
        }
        Ok(listing)
    }

    fn write_index(&self, listing: &Listing) -> Result<()> {
        let index = Index {
            format: FORMAT,
            folder: self.folder().to_string_lossy().into_owned(),
            entries: listing.entries.clone(),
            others: listing.others.clone(),
        };
        let text = ron::to_string(&index).map_err(Error::unwritable("the library's index"))?;
        file::store(&self.index_path(), text.as_bytes())
    }

    /// What the folder says of one file.
    pub(super) fn look_at(&self, file: &str, recipe: &Recipe, size: (u32, u32)) -> Result<Entry> {
        let path = self.path(file);
        let about = fs::metadata(&path).map_err(Error::file("read the picture", &path))?;
        let modified = about.modified().map_or(0, clock::milliseconds);
        Ok(Entry::new(
            file.to_string(),
            modified,
            about.len(),
            size,
            About::new(recipe),
        ))
    }
}

/// Collects the PNGs of a folder. Hidden names, `.trash` among them, and links are left alone.
fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<Found>) -> std::io::Result<()> {
    for item in fs::read_dir(folder)? {
        let Ok(item) = item else { continue };
        let name = item.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let Ok(about) = item.metadata() else { continue };
        let file = format!("{prefix}{name}");
        if about.is_dir() {
            if depth < DEPTH {
                // A folder that may not be read hides its pictures, not those of the others.
                walk(&item.path(), &format!("{file}/"), depth + 1, found).ok();
            }
        } else if about.is_file()
            && name.to_ascii_lowercase().ends_with(".png")
            && found.len() < MAX_FILES
        {
            let modified = about.modified().map_or(0, clock::milliseconds);
            found.push(Found {
                file,
                modified,
                bytes: about.len(),
            });
        }
    }
    Ok(())
}

pub(super) fn folder_bytes(folder: &Path) -> u64 {
    let items = fs::read_dir(folder).into_iter().flatten().flatten();
    items
        .filter_map(|item| item.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|about| about.len())
        .sum()
}

/// Recipe and size of a picture of ours from the part before its pixels; `None` for other PNGs.
///
/// Our recipes stand right behind the header, so the megabytes of pixels are not read.
fn read_head(path: &Path) -> Option<(Recipe, (u32, u32))> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let mut head = vec![0; 8];
    file.read_exact(&mut head).ok()?;
    loop {
        let mut start = [0; 8];
        file.read_exact(&mut start).ok()?;
        let (length, kind) = (
            u32::from_be_bytes([start[0], start[1], start[2], start[3]]),
            &start[4..],
        );
        if kind == b"IDAT" || kind == b"IEND" {
            break;
        }
        let rest = u64::from(length) + 4;
        if head.len() as u64 + rest > MAX_HEAD {
            return None;
        }
        head.extend(start);
        let before = head.len();
        file.by_ref().take(rest).read_to_end(&mut head).ok()?;
        if ((head.len() - before) as u64) < rest {
            return None;
        }
    }
    let size = png_header::size(&head)?;
    provenance::read_bytes(&head, path)
        .ok()?
        .recipe
        .map(|recipe| (recipe, size))
}
