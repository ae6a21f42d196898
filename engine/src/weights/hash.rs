//! SHA-256 of files, as packages record it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::format::hex;
use crate::{Error, Result};

/// Hears how many bytes of how many are done; returning false stops the work.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// Hash and size of a file.
///
/// # Errors
/// When the file cannot be read, or `progress` stopped the work.
pub fn sha256_file(path: &Path, progress: Progress<'_>) -> Result<(String, u64)> {
    let file = File::open(path).map_err(Error::file("read", path))?;
    let total = file.metadata().map_err(Error::file("read", path))?.len();
    copy_hashed(file, &mut std::io::sink(), path, total, progress)
}

/// Copies a reader to its end, hashing on the way.
///
/// # Errors
/// When a side fails, or `progress` stopped the work.
pub fn copy_hashed(
    mut from: impl Read,
    to: &mut impl Write,
    path: &Path,
    total: u64,
    progress: Progress<'_>,
) -> Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let count = from.read(&mut buffer).map_err(Error::file("read", path))?;
        if count == 0 {
            return Ok((hex(&hasher.finalize()), done));
        }
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count])
            .map_err(Error::file("write a copy of", path))?;
        done += count as u64;
        if !progress(done, total) {
            return Err(Error::Cancelled);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_known_digest_of_abc() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let (digest, bytes) = sha256_file(&path, &mut |_, _| true).unwrap();
        assert_eq!(
            digest,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(bytes, 3);
        assert!(matches!(
            sha256_file(&path, &mut |_, _| false),
            Err(Error::Cancelled)
        ));
    }
}
