//! The GGUF container, version 2 and 3, for our own models: tensors keep their checkpoint names.
//!
//! Written by our own bounded reader and writer: a header is hostile until every count in it has
//! been held against the bytes that are left.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::layout::{ElementType, Entry, Fault, Layout, shown};
use super::safetensors::Output;
use crate::file::{self, Overwrite};
use crate::{Error, Result};

/// Tensor data begin at multiples of this unless `general.alignment` says otherwise.
const ALIGNMENT: usize = 32;

/// Longest key or name; longer ones are no names.
const LONGEST_NAME: u64 = 1 << 16;

/// Most dimensions of a tensor, as in ggml.
const DIMENSIONS: u32 = 4;

/// Numbers of the value types in a header.
mod kind {
    pub(super) const UINT32: u32 = 4;
    pub(super) const STRING: u32 = 8;
    pub(super) const ARRAY: u32 = 9;

    /// Bytes of a value that has a fixed size.
    pub(super) fn size(kind: u32) -> Option<usize> {
        match kind {
            0 | 1 | 7 => Some(1),
            2 | 3 => Some(2),
            4..=6 => Some(4),
            10..=12 => Some(8),
            _ => None,
        }
    }
}

fn element(code: u32) -> Option<ElementType> {
    Some(match code {
        0 => ElementType::F32,
        1 => ElementType::F16,
        8 => ElementType::Q8_0,
        28 => ElementType::F64,
        30 => ElementType::Bf16,
        _ => return None,
    })
}

fn code(element: ElementType) -> Option<u32> {
    Some(match element {
        ElementType::F32 => 0,
        ElementType::F16 => 1,
        ElementType::Q8_0 => 8,
        ElementType::F64 => 28,
        ElementType::Bf16 => 30,
        ElementType::Other(_) => return None,
    })
}

/// Reads forward and never past the end.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let end = self
            .at
            .checked_add(count)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| {
            Fault::short(
                (self.at as u64).saturating_add(count as u64),
                self.bytes.len() as u64,
            )
        })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Text of any length up to the end of the file.
    fn text(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.u64()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn name(&mut self) -> Result<String, Fault> {
        let text = self.text()?;
        if text.len() as u64 > LONGEST_NAME {
            return Err(Fault::damaged("the header holds a name longer than any"));
        }
        String::from_utf8(text.to_vec())
            .map_err(|_| Fault::damaged("the header holds a name that is not text"))
    }

    /// Reads a value; texts and whole numbers are returned as text, other values are passed over.
    fn value(&mut self, kind: u32, nested: bool) -> Result<Option<String>, Fault> {
        if kind == kind::STRING {
            let text = self.text()?;
            // A chat template or a vocabulary may be long; nothing that we read is.
            let short = text.len() <= LONGEST_NAME as usize;
            return Ok(std::str::from_utf8(text)
                .ok()
                .filter(|_| short)
                .map(str::to_owned));
        }
        if kind == kind::ARRAY {
            if nested {
                return Err(Fault::damaged("the header nests arrays in arrays"));
            }
            let (kind, count) = (self.u32()?, self.u64()?);
            match kind::size(kind) {
                Some(size) => {
                    let count = usize::try_from(count).unwrap_or(usize::MAX);
                    self.take(count.saturating_mul(size))?;
                }
                // Each element takes at least its length, so the file's end bounds the loop.
                None => {
                    for _ in 0..count {
                        self.value(kind, true)?;
                    }
                }
            }
            return Ok(None);
        }
        let Some(size) = kind::size(kind) else {
            return Err(Fault::damaged(format!(
                "the header holds a value of unknown type {kind}"
            )));
        };
        let bytes = self.take(size)?;
        let whole = matches!(kind, 0 | 2 | 4 | 10).then(|| {
            bytes
                .iter()
                .rev()
                .fold(0u64, |n, &byte| n << 8 | u64::from(byte))
        });
        Ok(whole.map(|number| number.to_string()))
    }
}

/// Reads the header of a whole file.
///
/// # Errors
/// When the file is cut or its header impossible.
pub fn parse(bytes: &[u8]) -> Result<Layout, Fault> {
    let mut cursor = Cursor { bytes, at: 0 };
    if cursor.take(4)? != b"GGUF" {
        return Err(Fault::damaged("this is not a GGUF file"));
    }
    let version = cursor.u32()?;
    if !(2..=3).contains(&version) {
        return Err(Fault {
            what: format!("GGUF version {version} is not known"),
            hint: "write it again as version 3",
        });
    }
    let (tensor_count, value_count) = (cursor.u64()?, cursor.u64()?);
    let mut metadata = BTreeMap::new();
    for _ in 0..value_count {
        let key = cursor.name()?;
        let kind = cursor.u32()?;
        if let Some(value) = cursor.value(kind, false)? {
            metadata.insert(key, value);
        }
    }
    let alignment = match metadata
        .get("general.alignment")
        .map(|text| text.parse::<usize>())
    {
        None => ALIGNMENT,
        Some(Ok(alignment)) if alignment.is_power_of_two() && alignment <= 1 << 20 => alignment,
        Some(_) => {
            return Err(Fault::damaged(
                "the header asks for an impossible alignment",
            ));
        }
    };
    let mut tensors = BTreeMap::new();
    let mut offsets = Vec::new();
    for _ in 0..tensor_count {
        let name = cursor.name()?;
        let (element, shape, offset) = tensor(&mut cursor, &name)?;
        offsets.push((offset, name.clone()));
        let entry = Entry {
            element,
            shape,
            range: 0..0,
        };
        if tensors.insert(name.clone(), entry).is_some() {
            return Err(Fault::damaged(format!(
                "the header names `{}` twice",
                shown(&name)
            )));
        }
    }
    let start = cursor.at.checked_next_multiple_of(alignment);
    place(bytes.len(), start, alignment, offsets, &mut tensors)?;
    Ok(Layout { tensors, metadata })
}

fn tensor(cursor: &mut Cursor, name: &str) -> Result<(ElementType, Vec<usize>, u64), Fault> {
    let dimensions = cursor.u32()?;
    if dimensions > DIMENSIONS {
        return Err(Fault::damaged(format!(
            "tensor `{}` has {dimensions} dimensions",
            shown(name)
        )));
    }
    let mut shape = Vec::with_capacity(dimensions as usize);
    for _ in 0..dimensions {
        let side = usize::try_from(cursor.u64()?);
        shape.push(side.map_err(|_| {
            Fault::damaged(format!("tensor `{}` has an impossible size", shown(name)))
        })?);
    }
    // GGUF lists the fastest dimension first.
    shape.reverse();
    let code = cursor.u32()?;
    let Some(element) = element(code) else {
        return Err(Fault {
            what: format!(
                "tensor `{}` is stored as GGUF type {code}, which our models do not use",
                shown(name)
            ),
            hint: "write it as F32, F16, BF16, or Q8_0",
        });
    };
    Ok((element, shape, cursor.u64()?))
}

fn place(
    length: usize,
    start: Option<usize>,
    alignment: usize,
    mut offsets: Vec<(u64, String)>,
    tensors: &mut BTreeMap<String, Entry>,
) -> Result<(), Fault> {
    offsets.sort_unstable();
    let mut free = start.unwrap_or(usize::MAX);
    for (offset, name) in offsets {
        let Some(entry) = tensors.get_mut(&name) else {
            continue;
        };
        let count = entry
            .shape
            .iter()
            .try_fold(1usize, |product, &side| product.checked_mul(side));
        let rows_fit = entry.element != ElementType::Q8_0
            || entry.shape.last().is_some_and(|row| row % 32 == 0);
        let bytes = count
            .filter(|_| rows_fit)
            .and_then(|count| entry.element.bytes(count));
        let begin = usize::try_from(offset)
            .ok()
            .and_then(|offset| start?.checked_add(offset));
        let (Some(bytes), Some(begin)) = (bytes, begin) else {
            return Err(Fault::damaged(format!(
                "tensor `{}` has an impossible size",
                shown(&name)
            )));
        };
        if offset % alignment as u64 != 0 || begin < free {
            return Err(Fault::damaged(format!(
                "tensor `{}` overlaps its neighbour or stands askew",
                shown(&name)
            )));
        }
        let end = begin.saturating_add(bytes);
        if end > length {
            return Err(Fault::short(end as u64, length as u64));
        }
        entry.range = begin..end;
        free = end;
    }
    Ok(())
}

/// Writes tensors as they come, atomically: the file appears whole or not at all.
///
/// # Errors
/// When the disk refuses, or a tensor's bytes do not fit its shape.
pub fn write_outputs(
    path: &Path,
    outputs: Vec<Output<'_>>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let text = |header: &mut Vec<u8>, text: &str| {
        header.extend((text.len() as u64).to_le_bytes());
        header.extend(text.as_bytes());
    };
    let mut header = b"GGUF".to_vec();
    header.extend(3u32.to_le_bytes());
    header.extend((outputs.len() as u64).to_le_bytes());
    header.extend((metadata.len() as u64 + 1).to_le_bytes());
    text(&mut header, "general.alignment");
    header.extend(kind::UINT32.to_le_bytes());
    header.extend((ALIGNMENT as u32).to_le_bytes());
    for (key, value) in metadata {
        text(&mut header, key);
        header.extend(kind::STRING.to_le_bytes());
        text(&mut header, value);
    }
    let mut offset = 0usize;
    let mut lengths = Vec::with_capacity(outputs.len());
    for output in &outputs {
        let bytes = output.element.bytes(output.shape.iter().product());
        let (Some(code), Some(bytes), true) = (
            code(output.element),
            bytes,
            output.shape.len() <= DIMENSIONS as usize,
        ) else {
            return Err(Error::Internal(format!(
                "GGUF cannot hold `{}` as {}",
                output.name,
                output.element.name()
            )));
        };
        text(&mut header, &output.name);
        header.extend((output.shape.len() as u32).to_le_bytes());
        header.extend(
            output
                .shape
                .iter()
                .rev()
                .flat_map(|&side| (side as u64).to_le_bytes()),
        );
        header.extend(code.to_le_bytes());
        header.extend((offset as u64).to_le_bytes());
        lengths.push(bytes);
        offset += bytes.next_multiple_of(ALIGNMENT);
    }
    header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
    file::write_with(path, Overwrite::Replace, |file| {
        file.write_all(&header)
            .map_err(Error::file("write", path))?;
        for (output, length) in outputs.into_iter().zip(lengths) {
            let mut bytes = (output.bytes)()?;
            if bytes.len() != length {
                return Err(Error::Internal(format!(
                    "tensor `{}` has {} bytes, not {length}",
                    output.name,
                    bytes.len()
                )));
            }
            bytes.resize(length.next_multiple_of(ALIGNMENT), 0);
            file.write_all(&bytes).map_err(Error::file("write", path))?;
        }
        Ok(())
    })
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::weights::convert;
    use proptest::prelude::*;

    /// A small healthy file.
    pub(crate) fn healthy() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        let values: Vec<f32> = (0..64).map(|index| (index as f32 - 31.0) / 7.0).collect();
        let output = |name: &str, element: ElementType, shape: Vec<usize>| {
            let values = values.clone();
            let count: usize = shape.iter().product();
            let bytes = move || Ok(convert::from_f32(element, &values[..count]).unwrap());
            Output {
                name: name.to_owned(),
                element,
                shape,
                bytes: Box::new(bytes),
            }
        };
        let outputs = vec![
            output("q", ElementType::Q8_0, vec![2, 32]),
            output("b", ElementType::Bf16, vec![3]),
            output("h", ElementType::F16, vec![2, 2]),
            output("f", ElementType::F32, vec![1, 2, 1, 2]),
        ];
        let metadata = BTreeMap::from([("general.name".to_owned(), "x".to_owned())]);
        write_outputs(&path, outputs, &metadata).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = healthy();
        let layout = parse(&bytes).unwrap();
        assert_eq!(layout.metadata["general.name"], "x");
        let read = |name: &str| {
            let entry = &layout.tensors[name];
            (
                entry.shape.clone(),
                convert::to_f32(entry.element, &bytes[entry.range.clone()]).unwrap(),
            )
        };
        assert_eq!(
            read("f"),
            (
                vec![1, 2, 1, 2],
                (0..4).map(|index| (index as f32 - 31.0) / 7.0).collect()
            )
        );
        assert_eq!(read("q").0, [2, 32]);
        assert!((read("q").1[0] + 31.0 / 7.0).abs() < 0.02);
        assert_eq!((read("b").0, read("h").0), (vec![3], vec![2, 2]));
    }

    /// The tensor library has a reader of its own: both must see the same file.
    #[test]
    fn the_reader_of_the_tensor_library_agrees() {
        let bytes = healthy();
        let content =
            candle_core::quantized::gguf_file::Content::read(&mut std::io::Cursor::new(&bytes))
                .unwrap();
        let layout = parse(&bytes).unwrap();
        assert_eq!(content.tensor_infos.len(), layout.tensors.len());
        for (name, entry) in &layout.tensors {
            let info = &content.tensor_infos[name];
            assert_eq!(info.shape.dims(), entry.shape, "{name}");
            assert_eq!(
                (content.tensor_data_offset + info.offset) as usize,
                entry.range.start,
                "{name}"
            );
        }
    }

    #[test]
    fn hostile_counts_end_at_the_files_end() {
        let header = |tensors: u64, values: u64, rest: &[u8]| {
            [
                &b"GGUF\x03\0\0\0"[..],
                &tensors.to_le_bytes(),
                &values.to_le_bytes(),
                rest,
            ]
            .concat()
        };
        for bytes in [
            header(u64::MAX, 0, &[]),
            header(0, u64::MAX, &[]),
            header(0, 1, &u64::MAX.to_le_bytes()),
            header(
                0,
                1,
                b"\x01\0\0\0\0\0\0\0k\x09\0\0\0\x04\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
            ),
            header(
                0,
                1,
                b"\x01\0\0\0\0\0\0\0k\x09\0\0\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
            ),
            header(
                0,
                1,
                b"\x01\0\0\0\0\0\0\0k\x09\0\0\0\x09\0\0\0\x01\0\0\0\0\0\0\0\x09\0\0\0",
            ),
            b"GGUF\x01\0\0\0".to_vec(),
            b"GGUF".to_vec(),
        ] {
            parse(&bytes).unwrap_err();
        }
        let bytes = healthy();
        for length in 0..bytes.len() - 32 {
            parse(&bytes[..length]).unwrap_err();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_changed_file_is_read_within_its_bounds_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
        ) {
            let mut bytes = healthy_once().to_vec();
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            if let Ok(layout) = parse(&bytes) {
                for entry in layout.tensors.values() {
                    prop_assert!(bytes.get(entry.range.clone()).is_some());
                }
            }
        }
    }

    fn healthy_once() -> &'static [u8] {
        static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        BYTES.get_or_init(healthy)
    }
}
