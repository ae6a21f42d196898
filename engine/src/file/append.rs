//! Files that only grow: journals and logs. A piece that does not get on the disk whole is cut off
//! again, since half of it would hide or spoil what follows.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file that is appended to.
#[derive(Debug)]
pub struct Append {
    file: File,
    path: PathBuf,
    /// Bytes of whole pieces.
    length: u64,
    /// Half a piece stands at the end and could not be cut off.
    torn: bool,
}

impl Append {
    /// Opens a file at its end; makes it when there is none.
    ///
    /// # Errors
    /// The system's reason.
    pub fn open(path: &Path) -> Result<Self> {
        Self::with(path, OpenOptions::new().create(true))
    }

    /// Makes a file that is not there yet.
    ///
    /// # Errors
    /// The system's reason, or that a file of the name is there.
    pub fn create(path: &Path) -> Result<Self> {
        Self::with(path, OpenOptions::new().create_new(true))
    }

    fn with(path: &Path, options: &mut OpenOptions) -> Result<Self> {
        let mut open = || {
            let file = options.append(true).open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = open().map_err(Error::file("open", path))?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            length,
            torn: false,
        })
    }

    /// Appends a piece, whole or not at all.
    ///
    /// # Errors
    /// The system's reason. When the half that was written cannot be cut off either,
    /// [`is_whole`](Self::is_whole) says so from then on.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        match self.file.write_all(piece) {
            Ok(()) => {
                self.length += piece.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.torn |= self.file.set_len(self.length).is_err();
                Err(Error::file("write", &self.path)(error))
            }
        }
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// The system's reason.
    pub fn sync(&self) -> Result<()> {
        self.file
            .sync_data()
            .map_err(Error::file("write", &self.path))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of whole pieces.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is no whole piece yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether the file holds whole pieces and nothing else.
    pub fn is_whole(&self) -> bool {
        !self.torn
    }

    /// The open file, for a process that goes on writing into it.
    pub fn into_file(self) -> File {
        self.file
    }
}
