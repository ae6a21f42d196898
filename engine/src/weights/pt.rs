//! Latents as the authors' scripts save them: `torch.save` of one bare tensor (docs/reference.md
//! section 5), which may be a view into a larger storage.

use std::io::{Cursor, Read};
use std::path::Path;

use candle_core::{Device, Tensor};

use super::convert;
use super::layout::{ElementType, Fault};
use super::pickle::{self, Value};
use crate::{Error, Result};

/// Largest file that can be a latent: 64 channels of 512² pixels in f32, and room.
const LARGEST: u64 = 128 << 20;

/// Most numbers of a tensor.
const MOST_NUMBERS: usize = 32 << 20;

/// Reads one tensor in f32, with its own shape.
///
/// # Shapes
/// - result: the shape that the file says
///
/// # Errors
/// In one sentence, when the file is not one bare tensor of floats.
pub fn read_latent(path: &Path, device: &Device) -> Result<Tensor> {
    let bytes = std::fs::metadata(path)
        .map_err(Error::file("read the latent", path))?
        .len();
    if bytes > LARGEST {
        return Err(Error::content(
            path,
            format!("{bytes} bytes are too many for a latent"),
            "name a file of the latents folder",
        ));
    }
    let bytes = std::fs::read(path).map_err(Error::file("read the latent", path))?;
    let (values, shape) =
        parse(&bytes).map_err(|fault| Error::content(path, fault.what, fault.hint))?;
    Ok(Tensor::from_vec(values, shape, device)?)
}

/// Reads one tensor from the bytes of a whole file.
///
/// # Errors
/// When it is not one bare tensor of floats.
pub fn parse(bytes: &[u8]) -> std::result::Result<(Vec<f32>, Vec<usize>), Fault> {
    if bytes.is_empty() {
        return Err(Fault {
            what: "the file is empty".into(),
            hint: "precompute the latents again",
        });
    }
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(if bytes[0] == 0x80 {
            Fault {
                what: "the file is in PyTorch's format from before version 1.6".into(),
                hint: "load it and save it again with a newer PyTorch",
            }
        } else {
            Fault::damaged("this is not a file of torch.save")
        });
    }
    let mut archive = Archive::open(bytes)?;
    if archive
        .read_optional("byteorder", 16)?
        .is_some_and(|order| order != b"little")
    {
        return Err(Fault {
            what: "the file was saved on a big-endian machine".into(),
            hint: "save it again on another",
        });
    }
    let description = archive.read("data.pkl", 64 << 10)?;
    let view = View::from_pickle(pickle::read(&description)?)?;
    let storage = archive.read(&format!("data/{}", view.key), LARGEST)?;
    let values = view.gather(&storage)?;
    Ok((values, view.shape))
}

/// A strided view into a storage.
struct View {
    key: String,
    element: ElementType,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl View {
    /// Arguments are (storage, offset, shape, strides, …); a storage is
    /// ("storage", type, key, device, numbers).
    fn from_pickle(value: Value) -> std::result::Result<Self, Fault> {
        let wrong = || Fault {
            what: "the file does not hold one bare tensor".into(),
            hint: "a latent is one tensor; convert other files to safetensors",
        };
        let Value::Tensor(arguments) = value else {
            return Err(wrong());
        };
        let [
            Value::Persistent(storage),
            Value::Int(offset),
            Value::Tuple(shape),
            Value::Tuple(strides),
            ..,
        ] = arguments.as_slice()
        else {
            return Err(wrong());
        };
        let Value::Tuple(storage) = storage.as_ref() else {
            return Err(wrong());
        };
        let [
            Value::Text(tag),
            Value::Global(kind),
            Value::Text(key),
            Value::Text(_),
            Value::Int(_),
        ] = storage.as_slice()
        else {
            return Err(wrong());
        };
        if tag != "storage" || key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let element = match kind.as_str() {
            "torch FloatStorage" => ElementType::F32,
            "torch BFloat16Storage" => ElementType::Bf16,
            "torch HalfStorage" => ElementType::F16,
            "torch DoubleStorage" => ElementType::F64,
            _ => {
                return Err(Fault {
                    what: format!("the tensor's type ({kind}) is no float"),
                    hint: "precompute the latents again",
                });
            }
        };
        let numbers = |items: &[Value]| -> std::result::Result<Vec<usize>, Fault> {
            let number = |item: &Value| match item {
                Value::Int(number) => usize::try_from(*number).map_err(|_| wrong()),
                _ => Err(wrong()),
            };
            items.iter().map(number).collect()
        };
        let (shape, strides) = (numbers(shape)?, numbers(strides)?);
        let count = shape
            .iter()
            .try_fold(1usize, |product, &side| product.checked_mul(side));
        if shape.len() != strides.len()
            || shape.len() > 8
            || count.is_none_or(|count| count > MOST_NUMBERS)
        {
            return Err(Fault::damaged(format!(
                "the tensor's shape {shape:?} is impossible"
            )));
        }
        Ok(Self {
            key: key.clone(),
            element,
            offset: usize::try_from(*offset).map_err(|_| wrong())?,
            shape,
            strides,
        })
    }

    fn gather(&self, storage: &[u8]) -> std::result::Result<Vec<f32>, Fault> {
        let size = self.element.bytes(1).unwrap_or(1);
        let count: usize = self.shape.iter().product();
        if count == 0 {
            return Ok(Vec::new());
        }
        let reach = self
            .shape
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |reach, (&side, &stride)| {
                reach.checked_add((side - 1).checked_mul(stride)?)
            });
        if reach.is_none_or(|last| last >= storage.len() / size) {
            return Err(Fault::damaged("the tensor reaches beyond its storage"));
        }
        let mut bytes = Vec::with_capacity(count * size);
        let mut position = vec![0; self.shape.len()];
        for _ in 0..count {
            let at = self.offset
                + position
                    .iter()
                    .zip(&self.strides)
                    .map(|(index, stride)| index * stride)
                    .sum::<usize>();
            bytes.extend_from_slice(&storage[at * size..][..size]);
            for (index, &side) in position.iter_mut().zip(&self.shape).rev() {
                *index += 1;
                if *index < side {
                    break;
                }
                *index = 0;
            }
        }
        convert::to_f32(self.element, &bytes)
            .ok_or_else(|| Fault::damaged("the tensor's type is no float"))
    }
}

/// The zip archive of `torch.save`: everything lies in one folder whose name is the writer's.
struct Archive<'a> {
    zip: zip::ZipArchive<Cursor<&'a [u8]>>,
    folder: String,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> std::result::Result<Self, Fault> {
        let broken = |error| Fault::damaged(format!("the archive is broken: {error}"));
        let zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
        let description = zip
            .file_names()
            .flatten()
            .find(|name| name == "data.pkl" || name.ends_with("/data.pkl"));
        let folder = description.and_then(|name| name.strip_suffix("data.pkl").map(str::to_owned));
        let folder =
            folder.ok_or_else(|| Fault::damaged("the archive is not one of torch.save"))?;
        Ok(Self { zip, folder })
    }

    fn read_optional(
        &mut self,
        name: &str,
        limit: u64,
    ) -> std::result::Result<Option<Vec<u8>>, Fault> {
        let broken = |error: &dyn std::fmt::Display| {
            Fault::damaged(format!("the archive is broken: {error}"))
        };
        let name = format!("{}{name}", self.folder);
        let entry = match self.zip.by_name(&name) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(broken(&error)),
        };
        let mut bytes = Vec::new();
        entry
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| broken(&error))?;
        if bytes.len() as u64 > limit {
            return Err(Fault::damaged(
                "an entry of the archive is larger than any latent's",
            ));
        }
        Ok(Some(bytes))
    }

    fn read(&mut self, name: &str, limit: u64) -> std::result::Result<Vec<u8>, Fault> {
        let missing = || Fault::damaged(format!("the archive lacks `{name}`"));
        self.read_optional(name, limit)?.ok_or_else(missing)
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write;

    use super::*;
    use proptest::prelude::*;

    /// An archive with this description and a storage of eight floats 0, 1, 2, …
    pub(crate) fn archive(description: &[u8]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        let storage: Vec<u8> = (0..8)
            .flat_map(|value| (value as f32).to_le_bytes())
            .collect();
        for (name, bytes) in [
            ("x/data.pkl", description),
            ("x/byteorder", b"little"),
            ("x/data/0", &storage),
        ] {
            writer.start_file(name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// The description of a view with one-byte numbers.
    pub(crate) fn description(kind: &str, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
        let tuple = |items: &[u8]| {
            [
                &b"("[..],
                &items
                    .iter()
                    .flat_map(|&item| [b'K', item])
                    .collect::<Vec<_>>(),
                b"t",
            ]
            .concat()
        };
        [
            &b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n"[..],
            kind.as_bytes(),
            b"\nX\x01\0\0\x000X\x03\0\0\0cpuK\x08tQK",
            &[offset],
            &tuple(shape),
            &tuple(strides),
            b"\x89ccollections\nOrderedDict\n)RtR.",
        ]
        .concat()
    }

    fn what(bytes: &[u8]) -> String {
        parse(bytes).unwrap_err().what
    }

    #[test]
    fn a_view_is_read_by_its_offset_and_strides() {
        let (values, shape) =
            parse(&archive(&description("FloatStorage", 1, &[2, 3], &[1, 2]))).unwrap();
        assert_eq!(
            (values, shape),
            (vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0], vec![2, 3])
        );
        assert_eq!(
            parse(&archive(&description("FloatStorage", 3, &[], &[])))
                .unwrap()
                .0,
            [3.0]
        );
        assert_eq!(
            parse(&archive(&description("FloatStorage", 0, &[0, 4], &[4, 1])))
                .unwrap()
                .1,
            [0, 4]
        );
    }

    #[test]
    fn views_beyond_their_storage_and_other_types_are_refused() {
        assert!(
            what(&archive(&description("FloatStorage", 3, &[2, 3], &[3, 1])))
                .contains("beyond its storage")
        );
        assert!(
            what(&archive(&description("FloatStorage", 8, &[], &[])))
                .contains("beyond its storage")
        );
        assert!(what(&archive(&description("LongStorage", 0, &[1], &[1]))).contains("no float"));
        assert!(
            what(&archive(&description("FloatStorage", 0, &[1, 1], &[1]))).contains("impossible")
        );
        assert!(
            what(&archive(&description(
                "FloatStorage",
                0,
                &[255; 7],
                &[0; 7]
            )))
            .contains("impossible")
        );
    }

    #[test]
    fn nothing_in_a_pickle_is_run() {
        let evil = b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.";
        assert!(what(&archive(evil)).contains("asks to run `os system`"));
        assert!(what(&archive(b"\x80\x02cbuiltins\neval\n.")).contains("asks to run"));
        assert!(what(&archive(b"\x80\x04\x8c\x02os\x8c\x06system\x93.")).contains("asks to run"));
        assert!(what(&archive(b"\x80\x02}q\0.")).contains("not hold one bare tensor"));
        assert!(what(&archive(b"\x80\x02]q\0.")).contains("list or dictionary"));
        let bomb = [&b"\x80\x02)"[..], &b"q\0h\0\x86".repeat(60), b"."].concat();
        assert!(what(&archive(&bomb)).contains("without end"));
        for bytes in [
            &b""[..],
            b"\x80",
            b"\x80\x02.",
            b"(t",
            b"R",
            b"h\0.",
            b"X\xff\xff\xff\xff",
            b"\x8a\xff",
            b"ctorch",
        ] {
            parse(&archive(bytes)).unwrap_err();
        }
    }

    #[test]
    fn files_of_other_kinds_are_named() {
        assert!(what(b"").contains("empty"));
        assert!(what(b"\x80\x02\x8a\x0a").contains("before version 1.6"));
        assert!(what(b"hello").contains("not a file of torch.save"));
        assert!(what(b"PK\x03\x04").contains("archive is broken"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_description_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            pickle::read(&bytes).ok();
        }

        #[test]
        fn a_changed_file_is_read_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
        ) {
            let mut bytes = archive(&description("FloatStorage", 1, &[2, 3], &[1, 2]));
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            parse(&bytes).ok();
        }
    }
}
