//! Where pictures go: names, an early check that they can be written, and whole files only.

use std::path::{Path, PathBuf};

use mmface_engine::file::{self, Overwrite};

use crate::failure::Result;

/// Fails before a minute of work when the target cannot be written. Leaves nothing behind.
///
/// # Errors
/// When the folder is missing or read-only, or the target is a folder.
pub fn check_writable(path: &Path) -> Result<()> {
    Ok(file::check(path, Overwrite::Replace)?)
}

/// The path of one of several files: `out.png` becomes `out-2.png`.
pub fn numbered(path: &Path, number: impl std::fmt::Display) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or("png".as_ref()).to_string_lossy();
    path.with_file_name(format!("{stem}-{number}.{extension}"))
}

/// Paths of `count` pictures: the path itself when there is one.
pub fn paths(path: &Path, count: usize) -> Vec<PathBuf> {
    match count {
        1 => vec![path.to_path_buf()],
        _ => (1..=count).map(|number| numbered(path, number)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_pictures_are_numbered() {
        assert_eq!(paths(Path::new("a/o.png"), 1), [PathBuf::from("a/o.png")]);
        assert_eq!(
            paths(Path::new("o.png"), 2),
            [PathBuf::from("o-1.png"), PathBuf::from("o-2.png")]
        );
        assert_eq!(numbered(Path::new("o"), "x"), PathBuf::from("o-x.png"));
    }

    #[test]
    fn the_check_leaves_nothing_and_sees_missing_folders() {
        let folder = tempfile::tempdir().expect("temporary folder");
        assert!(check_writable(&folder.path().join("o.png")).is_ok());
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("readable").count(),
            0
        );
        assert!(check_writable(&folder.path().join("none/o.png")).is_err());
        assert!(check_writable(folder.path()).is_err());
    }
}
