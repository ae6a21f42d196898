//! Writing a file whole: beside its place, synced, then renamed into it.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::folder::create_folder;
use super::target::{Overwrite, Target, inherit, parent_folder, resolve};
use crate::{Error, Result};

/// What a write goes through.
pub type Writer<'a> = BufWriter<&'a mut File>;

/// Bytes that are gathered before the system is asked to take them.
const BUFFER: usize = 1 << 20;

/// Writes a file whose bytes are at hand in one piece.
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8], overwrite: Overwrite) -> Result<()> {
    write_with(path, overwrite, |file| {
        file.write_all(bytes).map_err(Error::file("write", path))
    })
}

/// Fails before a minute of work when a write to the path would. Leaves nothing behind.
///
/// # Errors
/// As [`write()`] would return.
pub fn check(path: &Path, overwrite: Overwrite) -> Result<()> {
    match resolve(path, overwrite)? {
        Target::Stream { path: place } => may_write(&place).map_err(Error::file("write", path)),
        Target::File { path, old } => beside(&path, old.is_some()).map(drop),
    }
}

/// Asks without opening: a pipe would wait for its reader.
#[cfg(unix)]
fn may_write(path: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?)
}

#[cfg(not(unix))]
fn may_write(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Writes a file of the program's own over its older state; its folder is made when it is not there.
///
/// # Errors
/// As [`write_with`].
pub fn store(path: &Path, bytes: &[u8]) -> Result<()> {
    create_folder(parent_folder(path))?;
    write(path, bytes, Overwrite::Replace)
}

/// Writes a file piece by piece.
///
/// # Errors
/// What `content` returns, or the system's reason; what stood at the path is then as it was,
/// unless it is a device or a pipe, which has got a part.
pub fn write_with(
    path: &Path,
    overwrite: Overwrite,
    content: impl FnOnce(&mut Writer<'_>) -> Result<()>,
) -> Result<()> {
    match resolve(path, overwrite)? {
        Target::Stream { path: place } => {
            let mut stream = open_stream(&place).map_err(Error::file("write", path))?;
            fill(&mut stream, path, content)
        }
        Target::File { path: place, old } => {
            let mut draft = Draft {
                file: beside(&place, old.is_some())?,
                path: path.to_path_buf(),
            };
            fill(draft.file.as_file_mut(), path, content)?;
            if let Some(old) = &old {
                inherit(draft.file.as_file(), old).map_err(Error::file("write", path))?;
            }
            draft.place(&place, overwrite)
        }
    }
}

fn fill(
    file: &mut File,
    path: &Path,
    content: impl FnOnce(&mut Writer<'_>) -> Result<()>,
) -> Result<()> {
    let mut buffered = BufWriter::with_capacity(BUFFER, file);
    let written = content(&mut buffered).and_then(|()| {
        let flushed = buffered.flush();
        flushed.map_err(Error::file("write", path))
    });
    if written.is_err() {
        // Dropped whole, it would try once more to write what has just failed.
        drop(buffered.into_parts());
    }
    written
}

fn open_stream(path: &Path) -> std::io::Result<File> {
    // A descriptor may be a file that was opened to be continued, by `>>`.
    let continued = path.metadata().is_ok_and(|about| about.is_file());
    OpenOptions::new().write(true).append(continued).open(path)
}

/// A new file in the folder of `place`: with the rights of any new file, or private as long as it
/// has not got those of the one that it replaces.
pub(super) fn beside(place: &Path, replaces: bool) -> Result<NamedTempFile> {
    let folder = parent_folder(place);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mmface-").suffix(".part");
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt;
        std::fs::Permissions::from_mode(if replaces { 0o600 } else { 0o666 })
    };
    #[cfg(unix)]
    builder.permissions(permissions);
    builder
        .tempfile_in(folder)
        .map_err(Error::file("write into the folder", folder))
}

/// A file that is whole or growing but has no name yet. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    /// What it is called in errors.
    path: PathBuf,
}

impl Draft {
    /// Begins a file that will stand at `path`.
    ///
    /// # Errors
    /// When nothing can be written into the folder.
    pub fn new(path: &Path) -> Result<Self> {
        Ok(Self {
            file: beside(path, false)?,
            path: path.to_path_buf(),
        })
    }

    /// Where it lies meanwhile, to be read.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes through a buffer.
    ///
    /// # Errors
    /// What `content` returns, or the system's reason.
    pub fn fill(&mut self, content: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Result<()> {
        fill(self.file.as_file_mut(), &self.path, content)
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When another file has the name by now, or with the system's reason.
    pub fn finish(self) -> Result<()> {
        let place = self.path.clone();
        self.place(&place, Overwrite::Refuse)
    }

    fn place(self, place: &Path, overwrite: Overwrite) -> Result<()> {
        let failed = |cause| Error::file("write", &self.path)(cause);
        self.file.as_file().sync_all().map_err(failed)?;
        let placed = match overwrite {
            Overwrite::Replace => self.file.persist(place),
            Overwrite::Refuse => self.file.persist_noclobber(place),
        };
        placed.map(drop).map_err(|error| failed(error.error))
    }
}

/// Writes a new file under the first of the names that nothing has, also when another process
/// takes one in the same moment; returns that name. `None` when all are taken.
///
/// # Errors
/// The system's reason; there is then no file.
pub fn first_free(
    folder: &Path,
    names: impl IntoIterator<Item = String>,
    bytes: &[u8],
) -> Result<Option<String>> {
    let failed = |cause| Error::file("write into the folder", folder)(cause);
    let mut file = beside(&folder.join("new"), false)?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    for name in names {
        match file.persist_noclobber(folder.join(&name)) {
            Ok(_) => return Ok(Some(name)),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => file = error.file,
            Err(error) => return Err(failed(error.error)),
        }
    }
    Ok(None)
}
