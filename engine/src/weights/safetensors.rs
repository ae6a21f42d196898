//! The safetensors format: a length, a JSON header, and the bytes of all tensors without gaps.
//!
//! The header is checked by our own rules rather than by a library's messages, because the two
//! faults that people meet (a cut download, a pointer instead of the file) deserve a sentence.
//! What a header must be:
//!
//! - its length, eight bytes little-endian, is at most 100 MB and lies inside the file;
//! - it is a JSON object whose names are distinct; `__metadata__` maps strings to strings;
//! - every tensor has a known type, and as many bytes as type and shape ask for;
//! - the tensors' bytes touch each other, do not overlap, begin after the header, and end at the
//!   file's end.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use candle_core::{DType, Tensor};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::layout::{ElementType, Entry, Fault, Layout, shown};
use super::{convert, finite};
use crate::file::{self, Overwrite};
use crate::{Error, Result};

/// The longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// Where the format keeps free text.
const METADATA: &str = "__metadata__";

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// The header in file order: a map would hide repeated names.
#[derive(Default)]
struct Header {
    tensors: Vec<(String, Info)>,
    metadata: Option<BTreeMap<String, String>>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct HeaderVisitor;

        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Header;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        header.metadata = Some(map.next_value()?);
                    } else {
                        header.tensors.push((name, map.next_value()?));
                    }
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(HeaderVisitor)
    }
}

/// Element type and its size in bytes.
fn element(dtype: &str) -> Option<(ElementType, usize)> {
    Some(match dtype {
        "F64" => (ElementType::F64, 8),
        "F32" => (ElementType::F32, 4),
        "F16" => (ElementType::F16, 2),
        "BF16" => (ElementType::Bf16, 2),
        "I64" => (ElementType::Other("I64"), 8),
        "U64" => (ElementType::Other("U64"), 8),
        "I32" => (ElementType::Other("I32"), 4),
        "U32" => (ElementType::Other("U32"), 4),
        "I16" => (ElementType::Other("I16"), 2),
        "U16" => (ElementType::Other("U16"), 2),
        "I8" => (ElementType::Other("I8"), 1),
        "U8" => (ElementType::Other("U8"), 1),
        "BOOL" => (ElementType::Other("BOOL"), 1),
        "F8_E4M3" => (ElementType::Other("F8_E4M3"), 1),
        "F8_E5M2" => (ElementType::Other("F8_E5M2"), 1),
        _ => return None,
    })
}

/// Reads the header of a whole file.
///
/// # Errors
/// When the file breaks one of the rules above.
pub fn parse(bytes: &[u8]) -> std::result::Result<Layout, Fault> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(Fault::short(8, bytes.len() as u64));
    };
    let length = u64::from_le_bytes(*prefix);
    if length > LONGEST_HEADER {
        return Err(Fault::damaged(
            "this is not a safetensors file: its header would be longer than any",
        ));
    }
    // At most 100 MB, so the conversion holds on every platform.
    let Some((header, data)) = rest.split_at_checked(length as usize) else {
        return Err(Fault::short(8 + length, bytes.len() as u64));
    };
    if header.first() != Some(&b'{') {
        return Err(Fault::damaged(
            "this is not a safetensors file: its header is not JSON",
        ));
    }
    let header: Header = serde_json::from_slice(header)
        .map_err(|error| Fault::damaged(format!("the header is not readable: {error}")))?;
    let start = 8 + length as usize;
    let mut ranges = Vec::with_capacity(header.tensors.len());
    let mut tensors = BTreeMap::new();
    for (name, info) in header.tensors {
        let (begin, end) = info.data_offsets;
        let entry = entry(&name, info, start)?;
        ranges.push((begin, end));
        if tensors.insert(name.clone(), entry).is_some() {
            return Err(Fault::damaged(format!(
                "the header names `{}` twice",
                shown(&name)
            )));
        }
    }
    check_coverage(ranges, data.len(), start)?;
    Ok(Layout {
        tensors,
        metadata: header.metadata.unwrap_or_default(),
    })
}

fn entry(name: &str, info: Info, start: usize) -> std::result::Result<Entry, Fault> {
    let (begin, end) = info.data_offsets;
    let Some((element, size)) = element(&info.dtype) else {
        return Err(Fault::damaged(format!(
            "tensor `{}` has the unknown type {}",
            shown(name),
            shown(&info.dtype)
        )));
    };
    let bytes = info
        .shape
        .iter()
        .try_fold(size, |product, &side| product.checked_mul(side));
    let (Some(bytes), Some(length)) = (bytes, end.checked_sub(begin)) else {
        return Err(Fault::damaged(format!(
            "tensor `{}` has an impossible size",
            shown(name)
        )));
    };
    if bytes != length {
        return Err(Fault::damaged(format!(
            "tensor `{}` of shape {:?} needs {bytes} bytes, its offsets span {length}",
            shown(name),
            info.shape
        )));
    }
    let (Some(begin), Some(end)) = (start.checked_add(begin), start.checked_add(end)) else {
        return Err(Fault::damaged(format!(
            "tensor `{}` lies outside the file",
            shown(name)
        )));
    };
    Ok(Entry {
        element,
        shape: info.shape,
        range: begin..end,
    })
}

fn check_coverage(
    mut ranges: Vec<(usize, usize)>,
    data: usize,
    start: usize,
) -> std::result::Result<(), Fault> {
    ranges.sort_unstable();
    let mut end = 0;
    for (begin, next) in ranges {
        if begin != end {
            let kind = if begin < end {
                "overlap"
            } else {
                "leave a hole"
            };
            return Err(Fault::damaged(format!(
                "the header's offsets {kind} at byte {begin}"
            )));
        }
        end = next;
    }
    if end > data {
        return Err(Fault::short(
            (start as u64).saturating_add(end as u64),
            (start + data) as u64,
        ));
    }
    if end < data {
        return Err(Fault::damaged(format!(
            "{} bytes follow the last tensor",
            data - end
        )));
    }
    Ok(())
}

/// A tensor to be written.
pub struct Output<'a> {
    /// Its name.
    pub name: String,
    /// How its bytes are to be read; F64, F32, F16, BF16, or U8.
    pub element: ElementType,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Gives its bytes, called once and in order, so that a large file needs one tensor's memory.
    pub bytes: Box<dyn FnOnce() -> Result<Vec<u8>> + 'a>,
}

#[derive(Serialize)]
struct OutputInfo<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: (usize, usize),
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
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert(METADATA.to_owned(), serde_json::json!(metadata));
    }
    let mut end = 0usize;
    let mut lengths = Vec::with_capacity(outputs.len());
    for output in &outputs {
        let count: usize = output.shape.iter().product();
        let bytes = match output.element {
            ElementType::Other("U8") => Some(count),
            ElementType::Q8_0 | ElementType::Other(_) => None,
            element => element.bytes(count),
        };
        let Some(bytes) = bytes else {
            return Err(Error::Internal(format!(
                "safetensors cannot hold `{}` as {}",
                output.name,
                output.element.name()
            )));
        };
        let info = OutputInfo {
            dtype: output.element.name(),
            shape: &output.shape,
            data_offsets: (end, end + bytes),
        };
        if header
            .insert(output.name.clone(), serde_json::json!(info))
            .is_some()
        {
            return Err(Error::Internal(format!(
                "tensor `{}` is to be written twice",
                output.name
            )));
        }
        lengths.push(bytes);
        end += bytes;
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    // Data starts at a multiple of 8, so that readers may look at numbers in place.
    header.resize(header.len().next_multiple_of(8), b' ');
    file::write_with(path, Overwrite::Replace, |file| {
        let fail = Error::file("write", path);
        let mut put = |bytes: &[u8]| -> io::Result<()> { file.write_all(bytes) };
        put(&(header.len() as u64).to_le_bytes())
            .and_then(|()| put(&header))
            .map_err(fail)?;
        for (output, length) in outputs.into_iter().zip(lengths) {
            let bytes = (output.bytes)()?;
            if bytes.len() != length {
                return Err(Error::Internal(format!(
                    "tensor `{}` has {} bytes, not {length}",
                    output.name,
                    bytes.len()
                )));
            }
            put(&bytes).map_err(Error::file("write", path))?;
        }
        Ok(())
    })
}

/// Writes tensors of one element type with free text, atomically and sorted by name.
///
/// # Shapes
/// - tensors: any
///
/// # Errors
/// When the disk refuses, or a number is not finite.
pub fn write_safetensors(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    element: ElementType,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let sorted: BTreeMap<String, Tensor> = tensors.into_iter().collect();
    let outputs = sorted.into_iter().map(|(name, tensor)| {
        let shape = tensor.dims().to_vec();
        let label = name.clone();
        let bytes = move || -> Result<Vec<u8>> {
            let values = tensor
                .to_dtype(DType::F32)?
                .flatten_all()?
                .to_vec1::<f32>()?;
            if let Some(fault) = finite::first_fault(&values) {
                return Err(Error::NotFinite(format!(
                    "{fault} of tensor `{}`",
                    shown(&label)
                )));
            }
            let refused = || {
                Error::Internal(format!(
                    "safetensors cannot hold weights as {}",
                    element.name()
                ))
            };
            convert::from_f32(element, &values).ok_or_else(refused)
        };
        Output {
            name,
            element,
            shape,
            bytes: Box::new(bytes),
        }
    });
    write_outputs(path, outputs.collect(), metadata)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use candle_core::Device;
    use proptest::prelude::*;

    /// A file of the given header and data.
    pub(crate) fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [
            &(header.len() as u64).to_le_bytes()[..],
            header.as_bytes(),
            data,
        ]
        .concat()
    }

    /// A small healthy file.
    pub(crate) fn healthy() -> Vec<u8> {
        let header = r#"{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[8,12]}}"#;
        file(header, &[0, 0, 128, 63, 0, 0, 0, 64, 0x80, 0x3f, 0, 0xc0])
    }

    fn what(header: &str, data: &[u8]) -> String {
        parse(&file(header, data)).unwrap_err().what
    }

    #[test]
    fn a_healthy_file_is_read() {
        let layout = parse(&healthy()).unwrap();
        assert_eq!(layout.metadata["k"], "v");
        assert_eq!(layout.tensors["b"].shape, [2, 1]);
        assert_eq!(
            &healthy()[layout.tensors["b"].range.clone()],
            [0x80, 0x3f, 0, 0xc0]
        );
    }

    #[test]
    fn lying_headers_are_named() {
        let tensor = |dtype: &str, shape: &str, offsets: &str| {
            format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
        };
        assert!(what(&tensor("F32", "[2]", "[0,8]"), &[0; 4]).contains("cut short"));
        assert!(what(&tensor("F32", "[2]", "[0,8]"), &[0; 12]).contains("4 bytes follow"));
        assert!(what(&tensor("F32", "[3]", "[0,8]"), &[0; 8]).contains("needs 12 bytes"));
        assert!(what(&tensor("F32", "[2]", "[8,0]"), &[0; 8]).contains("impossible size"));
        assert!(
            what(&tensor("F32", "[18446744073709551615,2]", "[0,8]"), &[0; 8])
                .contains("impossible size")
        );
        assert!(
            what(
                &tensor("F32", "[0]", "[18446744073709551615,18446744073709551615]"),
                &[]
            )
            .contains("outside")
        );
        assert!(what(&tensor("Q3", "[2]", "[0,8]"), &[0; 8]).contains("unknown type Q3"));
        assert!(what(&tensor("F32", "[-2]", "[0,8]"), &[0; 8]).contains("not readable"));
        assert!(what(&tensor("F32", "[2]", "[4,12]"), &[0; 12]).contains("leave a hole"));
        assert!(what("[]", &[]).contains("not JSON"));
        assert!(what("{", &[]).contains("not readable"));
        let two = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#;
        assert!(what(two, &[0; 3]).contains("overlap"));
        let twice = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#;
        assert!(what(twice, &[0; 2]).contains("twice"));
        assert!(
            parse(&[255; 8])
                .unwrap_err()
                .what
                .contains("longer than any")
        );
        assert!(
            parse(&[9, 0, 0, 0, 0, 0, 0, 0, b'{'])
                .unwrap_err()
                .what
                .contains("cut short")
        );
        assert!(parse(&[1, 2]).unwrap_err().what.contains("cut short"));
    }

    #[test]
    fn what_is_written_is_read_back_in_each_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let metadata = BTreeMap::from([("licence".to_owned(), "MIT".to_owned())]);
        for element in [ElementType::F32, ElementType::F16, ElementType::Bf16] {
            let tensors = [("b", 2), ("a", 3)].map(|(name, rows)| {
                (
                    name.to_owned(),
                    Tensor::arange(0f32, (rows * 4) as f32, &Device::Cpu)
                        .unwrap()
                        .reshape((rows, 4))
                        .unwrap(),
                )
            });
            write_safetensors(&path, tensors.clone(), element, &metadata).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let layout = parse(&bytes).unwrap();
            assert_eq!(layout.metadata, metadata);
            for (name, tensor) in tensors {
                let entry = &layout.tensors[&name];
                let values = convert::to_f32(entry.element, &bytes[entry.range.clone()]).unwrap();
                assert_eq!(
                    (entry.element, entry.shape.as_slice()),
                    (element, tensor.dims())
                );
                assert_eq!(
                    values,
                    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
                );
            }
        }
    }

    #[test]
    fn nothing_is_left_behind_when_writing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let bad = Tensor::new(&[1f32, f32::NAN], &Device::Cpu).unwrap();
        let error = write_safetensors(
            &path,
            [("w".to_owned(), bad)],
            ElementType::F32,
            &BTreeMap::new(),
        )
        .unwrap_err();
        assert!(
            error.to_string().contains("NaN at element 1 of tensor `w`"),
            "{error}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes).ok();
        }

        #[test]
        fn a_changed_file_is_read_within_its_bounds_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in 0usize..20
        ) {
            let mut bytes = healthy();
            bytes.truncate(bytes.len() - cut);
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
}
