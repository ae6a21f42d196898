//! Bringing a package in one file into the person's own folder: copied, checked, and only then
//! given its name.

use std::path::{Path, PathBuf};

use mmface_engine::weights::package::EXTENSION;
use mmface_engine::weights::{Package, Registry, atomic, hash, verify};
use mmface_engine::{Error, Result};

use super::progress::Progress;

/// Says how many bytes a folder's disk has left; `None` where the system does not say.
pub type FreeSpace = fn(&Path) -> Option<u64>;

/// Copies a `.mmface` file into the models' folder. It appears whole and verified, or not at all;
/// when the disk has no room for it, nothing is begun.
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
    std::fs::create_dir_all(into).map_err(Error::file("create the folder", into))?;
    let total = std::fs::metadata(source)
        .map_err(Error::file("read", source))?
        .len();
    atomic::check_free(into, total, free_space(into))?;
    let copy = tempfile::Builder::new()
        .prefix(".import-")
        .suffix(".part")
        .tempfile_in(into)
        .map_err(Error::file("write into the folder", into))?;
    let file = std::fs::File::open(source).map_err(Error::file("read", source))?;
    let mut to = copy.as_file();
    hash::copy_hashed(file, &mut to, source, total, &mut |done, of| {
        progress.tell("copying the model", done, of)
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
    copy.as_file()
        .sync_all()
        .map_err(Error::file("write", &target))?;
    share(copy.path())?;
    copy.persist_noclobber(&target)
        .map_err(|error| Error::file("write", &target)(error.error))?;
    Ok(target)
}

/// Temporary files are private; a model is as readable as any new file.
fn share(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(path, mode).map_err(Error::file("write", path))?;
    }
    let _ = path;
    Ok(())
}
