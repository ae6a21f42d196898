//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

/// Writes through a temporary file beside the target, syncs it, and renames it.
///
/// # Errors
/// What the writer returns, or the system's reason; the target is then as it was.
pub fn write_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::Builder::new()
        .prefix(".mmface-")
        .suffix(".part")
        .tempfile_in(folder)
        .map_err(Error::file("write into the folder", folder))?;
    {
        let mut buffered = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
        write(&mut buffered)?;
        buffered.flush().map_err(Error::file("write", path))?;
    }
    share(temporary.as_file()).map_err(Error::file("write", path))?;
    temporary
        .as_file()
        .sync_all()
        .map_err(Error::file("write", path))?;
    temporary
        .persist(path)
        .map_err(|error| Error::file("write", path)(error.error))?;
    Ok(())
}

/// Writes a small file.
///
/// # Errors
/// The system's reason.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| {
        file.write_all(bytes).map_err(Error::file("write", path))
    })
}

/// Temporary files are private; models are as readable as any new file.
#[cfg(unix)]
fn share(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share(_: &File) -> std::io::Result<()> {
    Ok(())
}
