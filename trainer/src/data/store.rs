//! Latents on disk, read as they are needed.

use std::path::Path;

use mmface_engine::weights::{ElementType, TensorFile};
use mmface_engine::{Error, Result};

use super::latents::{Entry, KINDS};
use crate::tensors::{bytes, f16_values};

/// Which latent of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is to be drawn.
    Photo = 0,
    /// Mask condition.
    Mask = 1,
    /// Sketch condition.
    Sketch = 2,
}

/// All latents of one split.
#[derive(Debug)]
pub struct LatentStore {
    files: Vec<TensorFile>,
    /// File, position in it, and captions of each sample.
    samples: Vec<(usize, usize, Entry)>,
    /// Variants of each sample.
    pub variants: usize,
    /// Channels of a latent.
    pub channels: usize,
    /// Side of a latent.
    pub side: usize,
}

impl LatentStore {
    /// Opens the latent files of a split, in name order.
    ///
    /// # Errors
    /// When the folder cannot be listed, holds no such file, or a file is damaged or does not fit
    /// the others.
    pub fn open(folder: &Path, prefix: &str) -> Result<Self> {
        let mut paths = Vec::new();
        for entry in
            std::fs::read_dir(folder).map_err(Error::file("list the latent folder", folder))?
        {
            let path = entry
                .map_err(Error::file("list the latent folder", folder))?
                .path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name.starts_with(prefix) && name.ends_with(".safetensors") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut store = Self {
            files: Vec::new(),
            samples: Vec::new(),
            variants: 0,
            channels: 0,
            side: 0,
        };
        for path in &paths {
            store.add(path)?;
        }
        if store.samples.is_empty() {
            return Err(Error::content(
                folder,
                format!("no latents of {prefix}*"),
                "run `mmface-trainer latents` first",
            ));
        }
        Ok(store)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let damaged = |what: String| {
            Error::content(
                path,
                what,
                "delete it and run `mmface-trainer latents` again",
            )
        };
        let file = TensorFile::open(path)?;
        let entries: Vec<Entry> =
            serde_json::from_str(file.metadata().get("samples").map_or("[]", String::as_str))
                .map_err(|error| damaged(format!("list of samples: {error}")))?;
        if entries.is_empty() {
            return Ok(());
        }
        for kind in KINDS {
            let (shape, raw) = bytes(&file, kind, ElementType::F16)
                .ok_or_else(|| damaged(format!("no f16 tensor {kind}")))?;
            let &[count, variants, channels, side, width] = shape else {
                return Err(damaged(format!("{kind} has shape {shape:?}")));
            };
            if count != entries.len()
                || side != width
                || raw.len() != 2 * shape.iter().product::<usize>()
            {
                return Err(damaged(format!(
                    "{kind} has shape {shape:?} for {} samples",
                    entries.len()
                )));
            }
            if self.variants == 0 {
                (self.variants, self.channels, self.side) = (variants, channels, side);
            }
            if (variants, channels, side) != (self.variants, self.channels, self.side) {
                return Err(damaged(format!(
                    "{kind} has shape {shape:?}, unlike the files before"
                )));
            }
        }
        let index = self.files.len();
        self.files.push(file);
        self.samples.extend(
            entries
                .into_iter()
                .enumerate()
                .map(|(position, entry)| (index, position, entry)),
        );
        Ok(())
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Never true for an opened store.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Key and captions of a sample.
    pub fn entry(&self, sample: usize) -> &Entry {
        &self.samples[sample].2
    }

    /// Values of one latent.
    pub fn latent_len(&self) -> usize {
        self.channels * self.side * self.side
    }

    /// Appends one latent to the buffer.
    pub fn push(&self, sample: usize, variant: usize, kind: Kind, buffer: &mut Vec<f32>) {
        let (file, position, _) = &self.samples[sample];
        let count = 2 * self.latent_len();
        let start = (position * self.variants + variant) * count;
        let latents = bytes(&self.files[*file], KINDS[kind as usize], ElementType::F16)
            .map(|(_, bytes)| bytes);
        buffer.extend(f16_values(
            latents
                .and_then(|latents| latents.get(start..start + count))
                .unwrap_or_default(),
        ));
    }
}
