//! WebDataset shards: tar files whose members share a key, the name's part before the FIRST dot.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use mmface_engine::condition::import::mask_from;
use mmface_engine::condition::sketch_from;
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::resize::Fit;
use mmface_engine::picture::{EXTENSIONS, GrayImage, Pixels, Raster, RgbImage, read};
use mmface_engine::weights::pt;
use mmface_engine::{Error, Result};

/// Largest member that is read.
const LARGEST_MEMBER: u64 = 64 << 20;

/// What the parts of a sample are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// Square pictures of one size; the mask holds class indices.
    #[default]
    Indexed,
    /// Pictures as they are found: masks in any usual numbering or palette, parts of different sizes.
    Foreign,
    /// The authors' precomputed latents, `.pt` files.
    Latents,
}

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
    /// What the parts are.
    pub form: Form,
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

/// Shards of a folder whose names begin with the prefix, in name order.
///
/// # Errors
/// When the folder cannot be listed or holds no such shard.
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
///
/// # Errors
/// When the shard cannot be read or is no tar, and what `each` returns.
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
            "mask.png" => &mut current.mask,
            "txt" => &mut current.captions,
            other if other.starts_with("sketch.") => &mut current.sketch,
            other if EXTENSIONS.contains(&other) => &mut current.photo,
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
    ///
    /// # Errors
    /// With a clause for the list of skipped samples.
    pub fn pictures(&self) -> std::result::Result<Pictures, String> {
        if self.form == Form::Foreign {
            return self.foreign_pictures();
        }
        let photo = self.raster("photo", &self.photo)?.to_rgb();
        let mask = self.raster("mask", &self.mask)?;
        let (width, height) = (mask.width, mask.height);
        let Pixels::Gray {
            values, max: 255, ..
        } = mask.pixels
        else {
            return Err("mask is not an 8-bit index picture".to_owned());
        };
        let sketch = self.raster("sketch", &self.sketch)?.to_gray();
        if let Some(index) = values.iter().find(|&&index| index > 18) {
            return Err(format!("mask has class {index}, the largest is 18"));
        }
        let sizes = [(photo.width, photo.height), (sketch.width, sketch.height)];
        if sizes.iter().any(|&size| size != (width, height)) {
            return Err(format!(
                "photo {:?}, mask {:?} and sketch {:?} differ in size",
                sizes[0],
                (width, height),
                sizes[1]
            ));
        }
        if width != height || width < 64 {
            return Err(format!(
                "picture {:?} is not a square of at least 64 pixels",
                (width, height)
            ));
        }
        Ok(Pictures {
            photo,
            mask: LabelImage {
                width,
                height,
                labels: values.into_iter().map(|value| value as u8).collect(),
            },
            sketch,
        })
    }

    /// A part, decoded by the engine's reader as everywhere.
    fn raster(&self, what: &str, bytes: &Option<Vec<u8>>) -> std::result::Result<Raster, String> {
        let bytes = bytes.as_deref().ok_or_else(|| format!("no {what}"))?;
        read::decode(bytes, Path::new(&self.key)).map_err(|error| format!("{what}: {error}"))
    }
}

impl Sample {
    /// Pictures of any numbering and size: the middle square of the photo, and mask and sketch
    /// brought to it.
    fn foreign_pictures(&self) -> std::result::Result<Pictures, String> {
        let photo = self.raster("photo", &self.photo)?.to_rgb();
        let (width, height) = (photo.width, photo.height);
        let side = width.min(height);
        if side < 64 {
            return Err(format!("photo of {width} × {height} pixels is too small"));
        }
        // Parts may be larger or smaller than the photo, but must show the same cut of it.
        let fits = |what: &str, other: (usize, usize)| {
            let same = (width * other.1).abs_diff(height * other.0) * 50 <= width * other.1;
            if same && other.0 > 0 {
                Ok(())
            } else {
                Err(format!(
                    "{what} of {} × {} pixels has another shape than the photo of {width} × {height}",
                    other.0, other.1
                ))
            }
        };
        let mask = self.raster("mask", &self.mask)?;
        fits("mask", (mask.width, mask.height))?;
        let (mask, _) = mask_from(&mask, None, Path::new(&self.key))
            .map_err(|error| format!("mask: {error}"))?;
        let mask = mask.resized(width, height);
        let sketch = self.raster("sketch", &self.sketch)?;
        fits("sketch", (sketch.width, sketch.height))?;
        let (sketch, _) = sketch_from(&sketch);
        let sketch = if (sketch.width, sketch.height) == (width, height) {
            sketch
        } else {
            sketch.resized(width, height)
        };
        let fit = Fit::new(width, height, side).map_err(|error| error.to_string())?;
        let cut = |pixels: &[u8]| -> Vec<u8> {
            let (left, top) = fit.offset;
            (top..top + side)
                .flat_map(|row| &pixels[row * width + left..][..side])
                .copied()
                .collect()
        };
        let photo = photo
            .cropped(fit.offset.0, fit.offset.1, side, side)
            .ok_or("photo: cannot be cut")?;
        Ok(Pictures {
            photo,
            mask: LabelImage {
                width: side,
                height: side,
                labels: cut(&mask.labels),
            },
            sketch: GrayImage {
                width: side,
                height: side,
                pixels: cut(&sketch.pixels),
            },
        })
    }

    /// Photo, mask and sketch latents of a sample whose parts are latents, `[1, channels, side,
    /// side]` each for pictures of `resolution` pixels.
    ///
    /// # Shapes
    /// - results: `[1, channels, side, side]` with a side of `resolution / 8`
    ///
    /// # Errors
    /// With a clause for the list of skipped samples.
    pub fn latents(&self, resolution: usize) -> std::result::Result<Vec<Tensor>, String> {
        let side = resolution / 8;
        [
            ("photo", &self.photo),
            ("mask", &self.mask),
            ("sketch", &self.sketch),
        ]
        .into_iter()
        .map(|(what, bytes)| {
            let bytes = bytes
                .as_deref()
                .ok_or_else(|| format!("no {what} latent"))?;
            let (values, shape) =
                pt::parse(bytes).map_err(|fault| format!("{what} latent: {}", fault.what))?;
            match shape.as_slice() {
                [1, channels, height, width] | [channels, height, width]
                    if *height == side && *width == side && *channels > 0 =>
                {
                    Tensor::from_vec(values, (1, *channels, side, side), &Device::Cpu)
                        .map_err(|error| format!("{what} latent: {error}"))
                }
                _ => Err(format!(
                    "{what} latent has shape {shape:?}, pictures of {resolution} pixels need {side} × {side}"
                )),
            }
        })
        .collect()
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

    fn foreign(mask_side: usize) -> Sample {
        let photo = RgbImage::filled(80, 64, [10, 20, 30]);
        let mut mask = LabelImage::filled(mask_side * 5 / 4, mask_side, 1);
        let half = mask.labels.len() / 2;
        mask.labels[half..].fill(13);
        let sketch = GrayImage::filled(80, 64, 255);
        Sample {
            key: "set/1".into(),
            photo: Some(mmface_engine::picture::write::encode_rgb(&photo).unwrap()),
            mask: Some(mmface_engine::picture::write::encode_rgb(&mask.to_rgb()).unwrap()),
            sketch: Some(sketch.to_png().unwrap()),
            captions: None,
            form: Form::Foreign,
        }
    }

    #[test]
    fn foreign_pictures_are_brought_to_one_square() {
        // A coloured mask of twice the size, a photo that is not square.
        let pictures = foreign(128).pictures().unwrap();
        assert_eq!((pictures.photo.width, pictures.photo.height), (64, 64));
        assert_eq!(
            (pictures.mask.labels[0], pictures.mask.labels[64 * 64 - 1]),
            (1, 13)
        );
        assert_eq!(pictures.sketch.pixels.len(), 64 * 64);
        let mut other = foreign(64);
        let square = RgbImage::filled(64, 64, [0; 3]);
        other.mask = Some(mmface_engine::picture::write::encode_rgb(&square).unwrap());
        let reason = other.pictures().unwrap_err();
        assert!(reason.contains("another shape"), "{reason}");
    }

    #[test]
    fn precomputed_latents_are_read_and_checked() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/fixtures");
        let bytes = std::fs::read(fixtures.join("pt_latent__f32.pt")).unwrap();
        let (values, shape) = pt::parse(&bytes).unwrap();
        let side = shape[shape.len() - 1];
        let sample = Sample {
            photo: Some(bytes.clone()),
            mask: Some(bytes.clone()),
            sketch: Some(bytes),
            form: Form::Latents,
            ..Sample::default()
        };
        let latents = sample.latents(8 * side).unwrap();
        assert_eq!(
            latents[2].flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            values
        );
        assert!(sample.latents(16 * side).unwrap_err().contains("shape"));
        let cut = Sample {
            mask: sample
                .mask
                .as_ref()
                .map(|bytes| bytes[..bytes.len() / 2].to_vec()),
            ..sample
        };
        assert!(cut.latents(8 * side).unwrap_err().contains("mask latent"));
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
            for_each_sample(&path, |sample| { sample.pictures().ok(); Ok(()) }).ok();
            let sample = Sample { photo: Some(bytes.clone()), mask: Some(bytes.clone()), sketch: Some(bytes), ..Sample::default() };
            proptest::prop_assert!(sample.pictures().is_err());
            let foreign = Sample { form: Form::Foreign, ..sample.clone() };
            proptest::prop_assert!(foreign.pictures().is_err() && sample.latents(64).is_err());
        }
    }
}
