//! WebDataset shards: tar files whose members share a key, the name's part before the FIRST dot.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use mmface_engine::condition::{GrayImage, LabelImage};
use mmface_engine::picture::RgbImage;
use mmface_engine::{Error, Result};

/// Largest member that is read.
const LARGEST_MEMBER: u64 = 64 << 20;
/// Largest side of a picture.
const LARGEST_SIDE: u32 = 8192;

/// The files of one key, still encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The key.
    pub key: String,
    /// JPEG or PNG photo.
    pub photo: Option<Vec<u8>>,
    /// Index mask, grey PNG.
    pub mask: Option<Vec<u8>>,
    /// Grey sketch.
    pub sketch: Option<Vec<u8>>,
    /// Captions, one a line.
    pub captions: Option<Vec<u8>>,
}

/// The pictures of one sample, all of the same square size.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// The photo.
    pub photo: RgbImage,
    /// Class indices 0..=18.
    pub mask: LabelImage,
    /// Dark lines on white.
    pub sketch: GrayImage,
}

/// What a set holds and lacks, shown before the first step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Keys found.
    pub samples: usize,
    /// Keys without a mask.
    pub without_mask: usize,
    /// Keys without a sketch.
    pub without_sketch: usize,
    /// Keys without any caption line.
    pub without_captions: usize,
    /// Samples left out, with the reason.
    pub skipped: Vec<String>,
}

/// Shards of a folder whose names begin with the prefix, in name order.
pub fn shards(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::file("list the data folder", folder))? {
        let path = entry
            .map_err(Error::file("list the data folder", folder))?
            .path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with(prefix) && name.ends_with(".tar") {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Error::content(
            folder,
            format!("no {prefix}*.tar shard here"),
            "name the folder that holds the WebDataset tars with --data",
        ));
    }
    Ok(found)
}

/// Calls the function for each sample of a shard, in file order.
pub fn for_each_sample(path: &Path, mut each: impl FnMut(Sample) -> Result<()>) -> Result<()> {
    let file = File::open(path).map_err(Error::file("open the shard", path))?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let damaged = |error: std::io::Error| {
        Error::content(
            path,
            format!("damaged tar: {error}"),
            "copy the shard again",
        )
    };
    let mut current = Sample::default();
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry
            .path()
            .map_err(damaged)?
            .to_string_lossy()
            .into_owned();
        let Some((key, extension)) = split_name(&name) else {
            continue;
        };
        if key != current.key {
            if !current.key.is_empty() {
                each(std::mem::take(&mut current))?;
            }
            current.key = key.to_string();
        }
        let slot = match extension {
            "jpg" | "jpeg" | "png" => &mut current.photo,
            "mask.png" => &mut current.mask,
            "txt" => &mut current.captions,
            other if other.starts_with("sketch.") => &mut current.sketch,
            _ => continue,
        };
        if entry.size() > LARGEST_MEMBER {
            return Err(Error::content(
                path,
                format!("member {name} has {} bytes", entry.size()),
                "members above 64 MiB are refused",
            ));
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        *slot = Some(bytes);
    }
    if !current.key.is_empty() {
        each(current)?;
    }
    Ok(())
}

/// Key (with folders) and extension: the name is cut at the FIRST dot of its last part.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = start + name[start..].find('.')?;
    (dot > start).then(|| (&name[..dot], &name[dot + 1..]))
}

impl Sample {
    /// The non-empty caption lines, trimmed.
    pub fn caption_lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(self.captions.as_deref().unwrap_or_default());
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_string)
            .collect()
    }

    /// Decodes the pictures; an error is a clause for the list of skipped samples.
    pub fn pictures(&self) -> std::result::Result<Pictures, String> {
        let decode = |what: &str,
                      bytes: &Option<Vec<u8>>|
         -> std::result::Result<image::DynamicImage, String> {
            let bytes = bytes.as_deref().ok_or_else(|| format!("no {what}"))?;
            let mut reader = image::ImageReader::new(std::io::Cursor::new(bytes))
                .with_guessed_format()
                .map_err(|error| format!("{what}: {error}"))?;
            let mut limits = image::Limits::default();
            (limits.max_image_width, limits.max_image_height) =
                (Some(LARGEST_SIDE), Some(LARGEST_SIDE));
            reader.limits(limits);
            reader.decode().map_err(|error| format!("{what}: {error}"))
        };
        let photo = decode("photo", &self.photo)?.into_rgb8();
        let mask = match decode("mask", &self.mask)? {
            image::DynamicImage::ImageLuma8(mask) => mask,
            other => {
                return Err(format!(
                    "mask is {:?}, not an 8-bit index picture",
                    other.color()
                ));
            }
        };
        let sketch = decode("sketch", &self.sketch)?.into_luma8();
        if let Some(index) = mask.as_raw().iter().find(|&&index| index > 18) {
            return Err(format!("mask has class {index}, the largest is 18"));
        }
        if photo.dimensions() != mask.dimensions() || photo.dimensions() != sketch.dimensions() {
            return Err(format!(
                "photo {:?}, mask {:?} and sketch {:?} differ in size",
                photo.dimensions(),
                mask.dimensions(),
                sketch.dimensions()
            ));
        }
        if photo.width() != photo.height() || photo.width() < 64 {
            return Err(format!(
                "picture {:?} is not a square of at least 64 pixels",
                photo.dimensions()
            ));
        }
        let (width, height) = (photo.width() as usize, photo.height() as usize);
        Ok(Pictures {
            photo: RgbImage {
                width,
                height,
                pixels: photo.into_raw(),
            },
            mask: LabelImage {
                width,
                height,
                labels: mask.into_raw(),
            },
            sketch: GrayImage {
                width,
                height,
                pixels: sketch.into_raw(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    pub(crate) fn write_tar(path: &Path, members: &[(&str, &[u8])]) {
        let mut builder = tar::Builder::new(File::create(path).unwrap());
        for (name, bytes) in members {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        builder.finish().unwrap();
    }

    #[test]
    fn keys_end_at_the_first_dot() {
        assert_eq!(split_name("f0001.mask.png"), Some(("f0001", "mask.png")));
        assert_eq!(split_name("a.b/c.txt"), Some(("a.b/c", "txt")));
        assert_eq!(split_name(".hidden"), None);
        assert_eq!(split_name("none"), None);
    }

    #[test]
    fn members_are_grouped_and_captions_split() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train-0.tar");
        write_tar(
            &path,
            &[
                ("a.jpg", b"1"),
                ("a.mask.png", b"2"),
                ("a.txt", b" one \n\ntwo\n"),
                ("a.json", b"{}"),
                ("b.sketch.jpg", b"3"),
            ],
        );
        let mut samples = Vec::new();
        for_each_sample(&path, |sample| {
            samples.push(sample);
            Ok(())
        })
        .unwrap();
        assert_eq!(samples.len(), 2);
        assert_eq!(samples[0].caption_lines(), ["one", "two"]);
        assert_eq!(samples[1].sketch.as_deref(), Some(&b"3"[..]));
        assert_eq!(samples[1].pictures().unwrap_err(), "no photo");
    }

    #[test]
    fn a_cut_shard_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train-0.tar");
        write_tar(&path, &[("a.jpg", &[7; 3000])]);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..1200]).unwrap();
        let error = for_each_sample(&path, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("damaged tar"), "{error}");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2048)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.tar");
            std::fs::write(&path, &bytes).unwrap();
            let _ = for_each_sample(&path, |sample| { let _ = sample.pictures(); Ok(()) });
            let sample = Sample { photo: Some(bytes.clone()), mask: Some(bytes.clone()), sketch: Some(bytes), ..Sample::default() };
            proptest::prop_assert!(sample.pictures().is_err());
        }
    }
}
