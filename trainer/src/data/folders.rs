//! Folders of pictures and captions as the authors keep them, and folders of their precomputed
//! latents.
//!
//! One data set is four folders whose files share names: photos, masks, sketches, captions. The
//! CelebA style keeps them side by side (`images`, `masks`, `sketches`), the FFHQ style has photos
//! in numbered sub-folders and masks in a folder of their own; captions may lie elsewhere. Files
//! are matched by their path below their folder, else by name alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mmface_engine::condition::import::{PartFiles, part_of};
use mmface_engine::format::hex;
use mmface_engine::picture::EXTENSIONS;
use mmface_engine::{Error, Result};
use sha2::{Digest, Sha256};

use super::webdataset::{Form, Sample};

/// Names that a folder of photos may have.
const PHOTOS: [&str; 6] = [
    "images",
    "image",
    "photos",
    "images1024x1024",
    "CelebA-HQ-img",
    "image_latents",
];
const MASKS: [&str; 6] = [
    "masks",
    "mask",
    "Masks_Colored_1024",
    "masks_colored",
    "CelebAMask-HQ-mask-anno",
    "mask_latents",
];
const SKETCHES: [&str; 3] = ["sketches", "sketch", "sketch_latents"];
const CAPTIONS: [&str; 4] = ["text", "texts", "captions", "caption"];
/// Deepest sub-folder that is looked into.
const DEPTH: usize = 4;
/// Samples in a latent file, about.
const PER_FILE: usize = 16;

/// Where the four parts of one data set lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Name of the data set, the first part of its samples' keys.
    pub name: String,
    /// Photos, or their latents.
    pub photos: PathBuf,
    /// Masks, or their latents.
    pub masks: PathBuf,
    /// Sketches, or their latents.
    pub sketches: PathBuf,
    /// Captions: one text file a sample, one caption a line.
    pub captions: PathBuf,
    /// Ends of the names of photos, masks and sketches, with the dot; empty for any picture.
    pub suffixes: [String; 3],
    /// What the files hold.
    pub form: Form,
}

/// The files of one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Data set and path of the photo below its folder, without extension.
    pub key: String,
    photo: Option<PathBuf>,
    mask: Option<Mask>,
    sketch: Option<PathBuf>,
    captions: Option<PathBuf>,
    form: Form,
}

/// The file of a mask, or the files of its classes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mask {
    Whole(PathBuf),
    Parts(PartFiles),
}

impl Layout {
    /// Recognises the data sets in a folder: the folder itself, its `train` folder, or its
    /// sub-folders. `captions` is used where a data set has none of its own.
    ///
    /// # Errors
    /// When there is no photo folder anywhere.
    pub fn discover(root: &Path, captions: Option<&Path>) -> Result<Vec<Self>> {
        let mut found: Vec<Self> = Vec::new();
        let mut places = vec![root.to_path_buf(), root.join("train")];
        places.extend(
            folders(root)?
                .into_iter()
                .filter(|place| !place.ends_with("test")),
        );
        for place in &places {
            if let Some(layout) = Self::at(place, captions)
                && !found.contains(&layout)
            {
                found.push(layout);
            }
        }
        if found.is_empty() {
            return Err(Error::content(
                root,
                "neither WebDataset tars nor a folder of photos here",
                "expected train-*.tar, or `images`, `masks` and `sketches` with captions in `text` or --captions",
            ));
        }
        Ok(found)
    }

    fn at(place: &Path, captions: Option<&Path>) -> Option<Self> {
        let first = |names: &[&str]| {
            names
                .iter()
                .map(|name| place.join(name))
                .find(|folder| folder.is_dir())
        };
        let photos = first(&PHOTOS)?;
        let form = if photos.ends_with("image_latents") {
            Form::Latents
        } else {
            Form::Foreign
        };
        let name = place
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        Some(Self {
            name,
            photos,
            masks: first(&MASKS).unwrap_or_else(|| place.join(MASKS[0])),
            sketches: first(&SKETCHES).unwrap_or_else(|| place.join(SKETCHES[0])),
            captions: first(&CAPTIONS)
                .or_else(|| captions.map(Path::to_path_buf))
                .unwrap_or_else(|| place.join(CAPTIONS[0])),
            suffixes: Default::default(),
            form,
        })
    }

    /// The samples in the order of their keys: one for each photo.
    ///
    /// # Errors
    /// When the photos' folder cannot be listed, or is empty.
    pub fn samples(&self) -> Result<Vec<Files>> {
        let extensions: &[&str] = if self.form == Form::Latents {
            &["pt"]
        } else {
            &EXTENSIONS
        };
        let list = |folder: &Path, suffix: &str, extensions: &[&str]| {
            let mut files = BTreeMap::new();
            walk(folder, folder, suffix, extensions, DEPTH, &mut files).map(|()| files)
        };
        let photos = list(&self.photos, &self.suffixes[0], extensions)
            .map_err(Error::file("list the photos", &self.photos))?;
        if photos.is_empty() {
            return Err(Error::content(
                &self.photos,
                "no photo here",
                "check the folder and the suffix",
            ));
        }
        // A folder that is not there is a table full of missing files, told before the first step.
        let part = |folder: &Path, suffix: &str, extensions: &[&str]| {
            Index::new(list(folder, suffix, extensions).unwrap_or_default())
        };
        let masks = Masks::new(
            list(&self.masks, &self.suffixes[1], extensions).unwrap_or_default(),
            &self.masks,
        );
        let sketches = part(&self.sketches, &self.suffixes[2], extensions);
        let captions = part(&self.captions, ".txt", &["txt"]);
        Ok(photos
            .into_iter()
            .map(|(path, photo)| Files {
                key: format!("{}/{path}", self.name),
                photo: Some(photo),
                mask: masks.find(&path),
                sketch: sketches.find(&path),
                captions: captions.find(&path),
                form: self.form,
            })
            .collect())
    }
}

/// Masks as whole files and as one file a class.
struct Masks {
    whole: Index,
    /// By the picture's name; numbers without leading zeros, since CelebAMask-HQ calls the parts
    /// `00007_hair.png` and the photo `7.jpg`.
    parts: BTreeMap<String, PartFiles>,
}

impl Masks {
    fn new(files: BTreeMap<String, PathBuf>, folder: &Path) -> Self {
        let mut parts: BTreeMap<String, PartFiles> = BTreeMap::new();
        for file in files.values() {
            if let Some((picture, class)) = part_of(file) {
                let entry = parts
                    .entry(without_zeros(picture).to_owned())
                    .or_insert_with(|| PartFiles {
                        files: BTreeMap::new(),
                        place: folder.join(picture),
                    });
                entry.files.insert(class, file.clone());
            }
        }
        Self {
            whole: Index::new(files),
            parts,
        }
    }

    fn find(&self, path: &str) -> Option<Mask> {
        let parts = || self.parts.get(without_zeros(last_part(path))).cloned();
        let whole = self.whole.find(path).map(Mask::Whole);
        whole.or_else(|| parts().map(Mask::Parts))
    }
}

/// A number without leading zeros; other names as they are.
fn without_zeros(name: &str) -> &str {
    let bare = name.trim_start_matches('0');
    match bare.bytes().all(|digit| digit.is_ascii_digit()) {
        true if !bare.is_empty() => bare,
        true if !name.is_empty() => "0",
        _ => name,
    }
}

/// Files by path and by name; a name that several files share finds none.
struct Index {
    by_path: BTreeMap<String, PathBuf>,
    by_name: BTreeMap<String, Option<PathBuf>>,
}

impl Index {
    fn new(by_path: BTreeMap<String, PathBuf>) -> Self {
        let mut by_name = BTreeMap::new();
        for (path, file) in &by_path {
            by_name
                .entry(last_part(path).to_owned())
                .and_modify(|other| *other = None)
                .or_insert_with(|| Some(file.clone()));
        }
        Self { by_path, by_name }
    }

    fn find(&self, path: &str) -> Option<PathBuf> {
        self.by_path
            .get(path)
            .cloned()
            .or_else(|| self.by_name.get(last_part(path)).cloned().flatten())
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).map_err(Error::file("list the data folder", root))? {
        let path = entry
            .map_err(Error::file("list the data folder", root))?
            .path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Collects files by their path below `root` without the suffix.
fn walk(
    root: &Path,
    folder: &Path,
    suffix: &str,
    extensions: &[&str],
    depth: usize,
    found: &mut BTreeMap<String, PathBuf>,
) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if depth > 0 {
                walk(root, &path, suffix, extensions, depth - 1, found)?;
            }
            continue;
        }
        let below = path.strip_prefix(root).unwrap_or(&path);
        let Some(name) = below.to_str().map(|name| name.replace('\\', "/")) else {
            continue;
        };
        let stem = if suffix.is_empty() {
            let extension = path
                .extension()
                .and_then(|extension| extension.to_str())
                .map(str::to_ascii_lowercase);
            match extension {
                Some(extension) if extensions.contains(&extension.as_str()) => {
                    name[..name.len() - extension.len() - 1].to_owned()
                }
                _ => continue,
            }
        } else {
            match name.strip_suffix(suffix) {
                Some(stem) => stem.to_owned(),
                None => continue,
            }
        };
        if !stem.is_empty() {
            found.entry(stem).or_insert(path);
        }
    }
    Ok(())
}

impl Files {
    /// Reads the files.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn read(&self) -> Result<Sample> {
        let read = |path: &Option<PathBuf>| -> Result<Option<Vec<u8>>> {
            path.as_deref()
                .map(|path| std::fs::read(path).map_err(Error::file("read", path)))
                .transpose()
        };
        Ok(Sample {
            key: self.key.clone(),
            photo: read(&self.photo)?,
            mask: match &self.mask {
                Some(Mask::Parts(parts)) => Some(parts.read()?.0.to_png()?),
                Some(Mask::Whole(path)) => read(&Some(path.clone()))?,
                None => None,
            },
            sketch: read(&self.sketch)?,
            captions: read(&self.captions)?,
            form: self.form,
        })
    }

    /// The sample without its pictures, which is enough to count what is missing.
    ///
    /// # Errors
    /// When the captions cannot be read.
    pub fn outline(&self) -> Result<Sample> {
        let there = |path: &Option<PathBuf>| path.is_some().then(Vec::new);
        let captions = self
            .captions
            .as_deref()
            .map(|path| std::fs::read(path).map_err(Error::file("read the captions", path)))
            .transpose()?;
        Ok(Sample {
            key: self.key.clone(),
            photo: there(&self.photo),
            mask: self.mask.is_some().then(Vec::new),
            sketch: there(&self.sketch),
            captions,
            form: self.form,
        })
    }
}

/// A number that belongs to a key, whatever else there is.
fn hash(key: &str) -> u64 {
    let digest = Sha256::digest(key.as_bytes());
    digest
        .iter()
        .take(8)
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Splits samples into training and held-out ones: the `heldout` keys with the smallest hashes, so
/// that the choice does not depend on the order of files.
pub fn split(mut samples: Vec<Files>, heldout: usize) -> [Vec<Files>; 2] {
    samples.sort_by_cached_key(|files| (hash(&files.key), files.key.clone()));
    let count = heldout.min(samples.len() / 2);
    let train = samples.split_off(count);
    [train, samples]
}

/// Spreads samples over files of about the same size by their keys: a new or changed sample changes
/// one file only. Returns a name for each file and the samples in it.
pub fn buckets(samples: Vec<Files>) -> Vec<(String, Vec<Files>)> {
    let count = samples.len().div_ceil(PER_FILE).next_power_of_two().max(1) as u64;
    let mut buckets: BTreeMap<u64, Vec<Files>> = BTreeMap::new();
    for files in samples {
        // Other bits than those that the split is made by.
        let place = hash(&hex(files.key.as_bytes())) % count;
        buckets.entry(place).or_default().push(files);
    }
    buckets
        .into_iter()
        .map(|(place, mut files)| {
            files.sort_by(|a, b| a.key.cmp(&b.key));
            (format!("{count:05}-{place:05}"), files)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
    }

    #[test]
    fn both_styles_are_recognised_and_matched() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["1", "2"] {
            touch(&at(&format!("Celeb/train/images/{name}.jpg")));
            touch(&at(&format!("Celeb/train/masks/{name}.png")));
            touch(&at(&format!("Celeb/train/sketches/{name}.png")));
            touch(&at(&format!("Captions/{name}.txt")));
        }
        let celeb = Layout::discover(&at("Celeb"), Some(&at("Captions"))).unwrap();
        assert_eq!(celeb.len(), 1);
        let samples = celeb[0].samples().unwrap();
        assert_eq!(samples[1].key, "train/2");
        assert!(
            samples.iter().all(|files| files.read().is_ok()
                && files.mask.is_some()
                && files.captions.is_some())
        );

        // FFHQ: photos in numbered folders, masks flat, one sketch missing.
        for name in ["00000/00001", "00000/00002"] {
            touch(&at(&format!("FFHQ/images1024x1024/{name}.png")));
        }
        touch(&at("FFHQ/Masks_Colored_1024/00001.png"));
        touch(&at("FFHQ/Masks_Colored_1024/00002.png"));
        touch(&at("FFHQ/sketches/00001.png"));
        touch(&at("FFHQ/text/00001.txt"));
        let ffhq = Layout::discover(&at("FFHQ"), None).unwrap();
        let samples = ffhq[0].samples().unwrap();
        assert!(samples[0].sketch.is_some() && samples[1].sketch.is_none());
        assert!(samples[1].mask.is_some() && samples[1].captions.is_none());
        assert!(samples[1].outline().unwrap().captions.is_none());

        let error = Layout::discover(&at("Captions"), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("train-*.tar"), "{error}");
    }

    #[test]
    fn celebamask_hq_is_read_as_it_is_handed_out() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let put = |name: &str, pixels: &[u8]| {
            let path = at(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let png = mmface_engine::picture::write::encode_gray(2, 1, pixels).unwrap();
            std::fs::write(path, png).unwrap();
        };
        for photo in ["0", "7"] {
            touch(&at(&format!("CelebA-HQ-img/{photo}.jpg")));
        }
        put("CelebAMask-HQ-mask-anno/0/00000_skin.png", &[255, 255]);
        put("CelebAMask-HQ-mask-anno/0/00000_hair.png", &[0, 255]);
        put("CelebAMask-HQ-mask-anno/1/00007_skin.png", &[255, 0]);
        let layouts = Layout::discover(root.path(), None).unwrap();
        let samples = layouts[0].samples().unwrap();
        let labels = |files: &Files| {
            let png = files.read().unwrap().mask.unwrap();
            mmface_engine::picture::read::decode(&png, Path::new("mask"))
                .unwrap()
                .to_gray()
                .pixels
        };
        assert_eq!(labels(&samples[0]), [1, 13], "hair is drawn over skin");
        assert_eq!(labels(&samples[1]), [1, 0]);
        assert!(samples[1].outline().unwrap().mask.is_some());
    }

    #[test]
    fn suffixes_and_latents_are_understood() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        touch(&at("p/5.jpg"));
        touch(&at("m/5_mask.png"));
        let layout = Layout {
            photos: at("p"),
            masks: at("m"),
            suffixes: [".jpg".into(), "_mask.png".into(), String::new()],
            ..Layout::default()
        };
        assert!(layout.samples().unwrap()[0].mask.is_some());
        for kind in ["image_latents", "mask_latents", "sketch_latents"] {
            touch(&at(&format!("latents_256/FFHQ/{kind}/7.pt")));
        }
        touch(&at("latents_256/FFHQ/text/7.txt"));
        let latents = Layout::discover(&at("latents_256"), None).unwrap();
        assert_eq!(
            (latents[0].form, latents[0].name.as_str()),
            (Form::Latents, "FFHQ")
        );
        assert_eq!(latents[0].samples().unwrap()[0].key, "FFHQ/7");
    }

    #[test]
    fn a_new_sample_moves_no_other() {
        let files = |count: usize| -> Vec<Files> {
            (0..count)
                .map(|index| Files {
                    key: format!("set/{index}"),
                    photo: None,
                    mask: None,
                    sketch: None,
                    captions: None,
                    form: Form::Foreign,
                })
                .collect()
        };
        let [train, heldout] = split(files(100), 10);
        assert_eq!((train.len(), heldout.len()), (90, 10));
        let before = buckets(files(100));
        let after = buckets(files(101));
        let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert_eq!((before.len(), changed), (after.len(), 1));
        assert!(before.iter().all(|(_, files)| files.len() < 4 * PER_FILE));
    }
}
