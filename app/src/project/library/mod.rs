//! The library of finished pictures: a folder of PNGs with our recipes in them is the truth, an
//! index and thumbnails beside it only save time.
//!
//! Every picture is saved here before it is shown. Files that a person removes or renames with
//! another program disappear or move with the next scan.

mod entry;
mod scan;
mod thumbnail;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mmface_engine::format::hex;
use mmface_engine::picture::{RgbImage, png_header};
use mmface_engine::provenance::{self, Recipe};
use mmface_engine::{Error, Result, file};
use sha2::{Digest, Sha256};

pub use entry::{About, Entry, Listing, Search};
pub use thumbnail::SIDE as THUMBNAIL_SIDE;

use super::clock;

/// Where deleted pictures go when the system has no trash.
const TRASH: &str = ".trash";
/// Most pictures that one second and one seed can give.
const MAX_TWINS: usize = 100_000;

/// Where a deleted picture went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// Into the system's trash, from which the file manager restores it.
    SystemTrash,
    /// Into the library's `.trash` folder, under this path; [`Library::undelete`] brings it back.
    Folder(PathBuf),
}

/// A library. Cheap to clone; every method that touches the disk belongs beside the GUI thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    folder: PathBuf,
    cache: PathBuf,
    system_trash: bool,
}

impl Library {
    /// The library of a folder; `cache` holds what can be made again. Nothing is touched yet.
    pub fn new(folder: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            cache: cache.into(),
            system_trash: true,
        }
    }

    /// The same library, deleting into its own `.trash` folder only.
    pub fn with_own_trash(mut self) -> Self {
        self.system_trash = false;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of an entry's file.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn index_path(&self) -> PathBuf {
        self.cache.join(format!(
            "library-{}.ron",
            short_hash(self.folder.to_string_lossy().as_bytes())
        ))
    }

    /// Saves a picture with its recipe under a name of date and seed that nothing else has.
    ///
    /// # Errors
    /// The system's reason; there is then no file, and nothing else has changed.
    pub fn save(&self, picture: &RgbImage, recipe: &Recipe) -> Result<Entry> {
        self.save_in("", picture, recipe)
    }

    /// Saves a picture into a folder of the library, a sweep's for instance; `""` is the library
    /// itself. Characters that no file system takes become dashes.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn save_in(&self, folder: &str, picture: &RgbImage, recipe: &Recipe) -> Result<Entry> {
        let recipe = Recipe {
            pixels: provenance::pixel_hash(picture),
            ..recipe.clone()
        };
        let bytes = provenance::encode(picture, &recipe)?;
        let stem = format!(
            "{}-seed{}",
            clock::stamp(SystemTime::now()),
            recipe.job.draw.seed
        );
        let file = self.write_new(&plain(folder), &stem, &bytes)?;
        self.look_at(
            &file,
            &recipe,
            (picture.width as u32, picture.height as u32),
        )
    }

    /// Takes a finished picture's file into the library, a copy from a project for instance.
    ///
    /// # Errors
    /// When it is no picture of ours, and as [`Self::save`].
    pub fn import(&self, name: &str, bytes: &[u8]) -> Result<Entry> {
        let source = Path::new(name);
        let found = provenance::read_bytes(bytes, source)?;
        let (Some(recipe), Some(size)) = (found.recipe, png_header::size(bytes)) else {
            let why = found
                .problem
                .unwrap_or_else(|| "the picture has no recipe of MMFace Studio's".into());
            return Err(Error::content(
                source,
                why,
                "only pictures with a recipe come into the library",
            ));
        };
        let stem = source
            .file_stem()
            .map_or_else(String::new, |stem| plain(&stem.to_string_lossy()));
        let stem = if stem.is_empty() {
            "picture".to_string()
        } else {
            stem
        };
        let file = self.write_new("", &stem, bytes)?;
        self.look_at(&file, &recipe, size)
    }

    /// The whole recipe of a picture: what was asked for, condition included.
    ///
    /// # Errors
    /// When the file has gone, or has no recipe that can be used.
    pub fn recipe(&self, file: &str) -> Result<Recipe> {
        let path = self.path(file);
        let found = provenance::read(&path)?;
        found.recipe.ok_or_else(|| {
            let why = found
                .problem
                .unwrap_or_else(|| "the picture has no recipe".into());
            Error::content(&path, why, "choose a picture that this program made")
        })
    }

    /// Deletes a picture into the system's trash, or into `.trash` where there is none.
    ///
    /// # Errors
    /// When the file cannot be moved; it is then still there.
    pub fn delete(&self, file: &str) -> Result<Deleted> {
        let path = self.inside(file)?;
        if !path.exists() {
            return Err(Error::content(
                &path,
                "the picture is gone already",
                "it disappears from the list",
            ));
        }
        if self.system_trash && trash::delete(&path).is_ok() {
            return Ok(Deleted::SystemTrash);
        }
        let folder = self.folder.join(TRASH);
        file::create_folder(&folder)?;
        let name = file.replace('/', "-");
        let stem = name.strip_suffix(".png").unwrap_or(&name);
        let target = (1..MAX_TWINS)
            .map(|twin| folder.join(numbered(stem, twin)))
            .find(|target| !target.exists());
        let target = target.ok_or_else(|| full(&folder))?;
        file::move_new(&path, &target).map_err(|error| error.doing("delete the picture"))?;
        Ok(Deleted::Folder(target))
    }

    /// Brings a picture back from the library's `.trash` folder.
    ///
    /// # Errors
    /// When it has gone from there, or another file has its name.
    pub fn undelete(&self, file: &str, trashed: &Path) -> Result<()> {
        let path = self.inside(file)?;
        if path.exists() {
            return Err(Error::content(
                &path,
                "another picture has this name by now",
                "rename that one first",
            ));
        }
        file::create_folder(file::parent_folder(&path))?;
        file::move_new(trashed, &path).map_err(|error| error.doing("bring back the picture"))
    }

    /// Empties the library's `.trash` folder for good; returns the bytes that are free now.
    ///
    /// # Errors
    /// The system's reason.
    pub fn empty_trash(&self) -> Result<u64> {
        let folder = self.folder.join(TRASH);
        let bytes = scan::folder_bytes(&folder);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("empty the trash", &folder)(error))
            }
            _ => Ok(bytes),
        }
    }

    /// The path of a file that must lie within the library.
    fn inside(&self, file: &str) -> Result<PathBuf> {
        let parts = Path::new(file).components();
        let mut kinds = parts.map(|part| matches!(part, std::path::Component::Normal(_)));
        if file.is_empty() || !kinds.all(|normal| normal) {
            return Err(Error::Input(format!(
                "`{file}` is no picture of the library"
            )));
        }
        Ok(self.path(file))
    }

    /// Writes a file whole under the first free name; returns the name within the library.
    fn write_new(&self, folder: &str, stem: &str, bytes: &[u8]) -> Result<String> {
        let into = match folder {
            "" => self.folder.clone(),
            _ => self.folder.join(folder),
        };
        file::create_folder(&into)?;
        let names = (1..MAX_TWINS).map(|twin| numbered(stem, twin));
        // Never over another file, even if a second studio saves in the same moment.
        let name = file::first_free(&into, names, bytes)
            .map_err(|error| error.doing("save the picture in"))?
            .ok_or_else(|| full(&into))?;
        Ok(match folder {
            "" => name,
            _ => format!("{folder}/{name}"),
        })
    }
}

fn full(folder: &Path) -> Error {
    Error::content(
        folder,
        "the folder has too many pictures of one name",
        "move some away",
    )
}

fn numbered(stem: &str, twin: usize) -> String {
    match twin {
        1 => format!("{stem}.png"),
        _ => format!("{stem}-{twin}.png"),
    }
}

/// A name that every file system takes: no separators, no hidden names, of bounded length.
fn plain(name: &str) -> String {
    let odd = |letter: char| letter.is_control() || "/\\:*?\"<>|".contains(letter);
    let name: String = name
        .chars()
        .map(|letter| if odd(letter) { '-' } else { letter })
        .take(80)
        .collect();
    name.trim_start_matches('.')
        .trim()
        .trim_end_matches('.')
        .to_string()
}

/// The first 16 hexadecimal digits of the SHA-256.
fn short_hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..8])
}

#[cfg(test)]
mod tests;
