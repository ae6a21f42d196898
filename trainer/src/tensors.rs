//! Safetensors files: written whole with their metadata, read as a memory map.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

use candle_core::{DType, Tensor};
use memmap2::Mmap;
use mmface_engine::{Error, Result};
use safetensors::{Dtype, SafeTensors, View};

/// One tensor to be written.
#[derive(Clone, Debug)]
pub struct Blob<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Blob<'a> {
    /// f32 values.
    pub fn f32(shape: &[usize], values: &'a [f32]) -> Self {
        Self {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: Cow::Owned(
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            ),
        }
    }

    /// Bytes.
    pub fn u8(shape: &[usize], values: &'a [u8]) -> Self {
        Self {
            dtype: Dtype::U8,
            shape: shape.to_vec(),
            bytes: Cow::Borrowed(values),
        }
    }

    /// f32 values rounded to f16.
    pub fn f16(shape: &[usize], values: &[f32]) -> Self {
        let bytes = values
            .iter()
            .flat_map(|&value| half::f16::from_f32(value).to_le_bytes())
            .collect();
        Self {
            dtype: Dtype::F16,
            shape: shape.to_vec(),
            bytes: Cow::Owned(bytes),
        }
    }

    /// A tensor, as f32 or, with `bf16`, rounded to bf16.
    pub fn tensor(tensor: &Tensor, bf16: bool) -> Result<Self> {
        let values = tensor
            .to_dtype(DType::F32)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        let bytes: Vec<u8> = if bf16 {
            values
                .iter()
                .flat_map(|&value| half::bf16::from_f32(value).to_le_bytes())
                .collect()
        } else {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        Ok(Self {
            dtype: if bf16 { Dtype::BF16 } else { Dtype::F32 },
            shape: tensor.dims().to_vec(),
            bytes: Cow::Owned(bytes),
        })
    }
}

impl View for &Blob<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes a file that is either whole or not there, and waits until it is on the disk.
pub fn write(
    path: &Path,
    blobs: &BTreeMap<String, Blob<'_>>,
    metadata: &[(&str, String)],
) -> Result<()> {
    let metadata = metadata
        .iter()
        .map(|(key, value)| ((*key).to_string(), value.clone()))
        .collect();
    safetensors::serialize_to_file(blobs, Some(metadata), path).map_err(|error| {
        let source = match error {
            safetensors::SafeTensorError::IoError(source) => source,
            other => std::io::Error::other(other.to_string()),
        };
        Error::File {
            action: "write",
            path: path.to_path_buf(),
            source,
        }
    })?;
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::file("flush", path))
}

/// A safetensors file mapped into memory.
#[derive(Debug)]
pub struct Mapped {
    map: Mmap,
    entries: HashMap<String, Entry>,
    metadata: HashMap<String, String>,
}

#[derive(Clone, Debug)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl Mapped {
    /// Opens a file and checks its header.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::file("open", path))?;
        // SAFETY: the map is read only; the files are replaced by renaming, never written in place.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::file("map", path))?;
        let damaged = |error: safetensors::SafeTensorError| {
            Error::content(
                path,
                format!("damaged safetensors file: {error}"),
                "delete it; it is made again",
            )
        };
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(damaged)?;
        // The header is preceded by its length in eight bytes.
        let start = header + 8;
        let mut entries = HashMap::new();
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let bytes = start + from..start + to;
            if bytes.end > map.len() {
                return Err(Error::content(
                    path,
                    format!("tensor {name} ends outside the file"),
                    "delete it; it is made again",
                ));
            }
            entries.insert(
                name,
                Entry {
                    dtype: info.dtype,
                    shape: info.shape.clone(),
                    bytes,
                },
            );
        }
        let metadata = metadata.metadata().clone().unwrap_or_default();
        Ok(Self {
            map,
            entries,
            metadata,
        })
    }

    /// A metadata entry.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Shape and raw bytes of a tensor of the expected type.
    pub fn bytes(&self, name: &str, dtype: Dtype) -> Option<(&[usize], &[u8])> {
        let entry = self
            .entries
            .get(name)
            .filter(|entry| entry.dtype == dtype)?;
        Some((&entry.shape, self.map.get(entry.bytes.clone())?))
    }
}

/// Reads f16 bytes as f32.
pub fn f16_values(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes
        .chunks_exact(2)
        .map(|pair| half::f16::from_le_bytes([pair[0], pair[1]]).to_f32())
}

/// Reads f32 bytes.
pub fn f32_values(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let values = [1.0f32, -2.5, 3.25];
        let blobs = BTreeMap::from([
            ("a".to_string(), Blob::f32(&[3], &values)),
            ("b".to_string(), Blob::f16(&[3, 1], &values)),
        ]);
        write(&path, &blobs, &[("key", "value".into())]).unwrap();
        let mapped = Mapped::open(&path).unwrap();
        assert_eq!(mapped.metadata("key"), Some("value"));
        let (shape, bytes) = mapped.bytes("a", Dtype::F32).unwrap();
        assert_eq!(
            (shape, f32_values(bytes).collect::<Vec<_>>()),
            (&[3][..], values.to_vec())
        );
        let (shape, bytes) = mapped.bytes("b", Dtype::F16).unwrap();
        assert_eq!(
            (shape, f16_values(bytes).collect::<Vec<_>>()),
            (&[3, 1][..], values.to_vec())
        );
        assert!(mapped.bytes("b", Dtype::F32).is_none());
    }

    #[test]
    fn a_cut_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write(
            &path,
            &BTreeMap::from([("a".to_string(), Blob::f32(&[64], &[0.0; 64]))]),
            &[],
        )
        .unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        assert!(Mapped::open(&path).is_err());
    }
}
