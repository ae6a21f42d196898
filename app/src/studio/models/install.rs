//! Bringing a package in one file into the person's own folder: copied, checked, and only then
//! given its name.

use std::path::{Path, PathBuf};

use mmface_engine::file::{self, Draft};
use mmface_engine::system::disk;
use mmface_engine::weights::package::EXTENSION;
use mmface_engine::weights::{Package, Registry, hash, verify};
use mmface_engine::{Error, Result};

use super::progress::Progress;

/// Says how many bytes a folder's disk has left; `None` where the system does not say.
pub type FreeSpace = fn(&Path) -> Option<u64>;

/// Copies a `.mmface` file into the models' folder. It appears whole and verified, or not at all;
/// when the disk has no room for it, nothing is begun.
///
/// # Errors
/// When the source is no package in one file or is damaged, its name is taken, or the disk has no
/// room or cannot be written.
pub fn install(
    source: &Path,
    registry: &Registry,
    free_space: FreeSpace,
    progress: &Progress,
) -> Result<PathBuf> {
    let package = Package::open(source)?;
    let name = package.manifest().name.clone();
    if !source.is_file() {
        return Err(Error::content(
            source,
            "this is a folder, not a package in one file",
            "add its folder to the searched folders instead",
        ));
    }
    let into = registry.target()?;
    let target = into.join(format!("{name}.{EXTENSION}"));
    let taken = registry.list().iter().any(|model| model.name == name);
    if taken || target.exists() {
        return Err(Error::content(
            source,
            format!("a model called `{name}` is already there"),
            "remove that one first",
        ));
    }
    file::create_folder(into)?;
    let total = std::fs::metadata(source)
        .map_err(Error::file("read", source))?
        .len();
    disk::check("the model does not fit", into, total, free_space(into))?;
    let mut copy = Draft::new(&target)?;
    let from = std::fs::File::open(source).map_err(Error::file("read", source))?;
    copy.fill(|to| {
        hash::copy_hashed(from, to, source, total, &mut |done, of| {
            progress.tell("copying the model", done, of)
        })
        .map(drop)
    })?;
    let copied = Package::open(copy.path())?;
    let states = verify(&copied, &mut |part, done, of| {
        progress.tell(&format!("checking {}", part.title()), done, of)
    })?;
    if let Some(problem) = states.into_iter().find_map(|state| state.problem) {
        return Err(Error::content(
            source,
            format!("the package is damaged: {problem}"),
            "copy it again from where it was made",
        ));
    }
    copy.finish()?;
    Ok(target)
}
