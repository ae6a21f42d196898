//! Safetensors files of the trainer: several number types in one file, beside the engine's writer
//! and reader.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Tensor};
use mmface_engine::Result;
use mmface_engine::weights::safetensors::{Output, write_outputs};
use mmface_engine::weights::{ElementType, TensorFile};

/// Bytes, for 8-bit moments.
pub const U8: ElementType = ElementType::Other("U8");

/// One tensor to be written.
#[derive(Clone, Debug)]
pub struct Blob<'a> {
    element: ElementType,
    shape: Vec<usize>,
    values: Values<'a>,
}

#[derive(Clone, Debug)]
enum Values<'a> {
    Floats(Cow<'a, [f32]>),
    Bytes(&'a [u8]),
}

impl<'a> Blob<'a> {
    /// f32 values.
    pub fn f32(shape: &[usize], values: &'a [f32]) -> Self {
        Self::floats(ElementType::F32, shape, Cow::Borrowed(values))
    }

    /// f32 values rounded to f16.
    pub fn f16(shape: &[usize], values: &'a [f32]) -> Self {
        Self::floats(ElementType::F16, shape, Cow::Borrowed(values))
    }

    /// Bytes.
    pub fn u8(shape: &[usize], values: &'a [u8]) -> Self {
        Self {
            element: U8,
            shape: shape.to_vec(),
            values: Values::Bytes(values),
        }
    }

    /// A tensor as f32.
    ///
    /// # Shapes
    /// - tensor: any
    ///
    /// # Errors
    /// When the values cannot be read from the device.
    pub fn tensor(tensor: &Tensor) -> Result<Self> {
        let values = tensor
            .to_dtype(DType::F32)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        let values = Cow::Owned(values);
        Ok(Self::floats(ElementType::F32, tensor.dims(), values))
    }

    fn floats(element: ElementType, shape: &[usize], values: Cow<'a, [f32]>) -> Self {
        Self {
            element,
            shape: shape.to_vec(),
            values: Values::Floats(values),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.values {
            Values::Bytes(bytes) => bytes.to_vec(),
            Values::Floats(values) => match self.element {
                ElementType::F16 => values
                    .iter()
                    .flat_map(|&value| half::f16::from_f32(value).to_le_bytes())
                    .collect(),
                _ => values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            },
        }
    }
}

/// Writes a file that is either whole or not there, and waits until it is on the disk.
///
/// # Errors
/// When the disk refuses.
pub fn write(
    path: &Path,
    blobs: &BTreeMap<String, Blob<'_>>,
    metadata: &[(&str, String)],
) -> Result<()> {
    let metadata = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    let outputs = blobs
        .iter()
        .map(|(name, blob)| Output {
            name: name.clone(),
            element: blob.element,
            shape: blob.shape.clone(),
            bytes: Box::new(|| Ok(blob.bytes())),
        })
        .collect();
    write_outputs(path, outputs, &metadata)
}

/// Shape and raw bytes of a tensor, if the file has it with these numbers.
pub fn bytes<'a>(
    file: &'a TensorFile,
    name: &str,
    element: ElementType,
) -> Option<(&'a [usize], &'a [u8])> {
    let entry = file.tensors().get(name)?;
    (entry.element == element).then(|| (entry.shape.as_slice(), file.raw(entry)))
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
        let mapped = TensorFile::open(&path).unwrap();
        assert_eq!(mapped.metadata()["key"], "value");
        let (shape, raw) = bytes(&mapped, "a", ElementType::F32).unwrap();
        assert_eq!(
            (shape, f32_values(raw).collect::<Vec<_>>()),
            (&[3][..], values.to_vec())
        );
        let (shape, raw) = bytes(&mapped, "b", ElementType::F16).unwrap();
        assert_eq!(
            (shape, f16_values(raw).collect::<Vec<_>>()),
            (&[3, 1][..], values.to_vec())
        );
        assert!(bytes(&mapped, "b", ElementType::F32).is_none());
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
        assert!(TensorFile::open(&path).is_err());
    }
}
