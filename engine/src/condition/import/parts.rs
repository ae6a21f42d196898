//! Masks that come as one file a class, as CelebAMask-HQ is handed out (`00000_hair.png`, 0 and 255).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{ImportReport, MaskScheme, hidden, numbers, report};
use crate::file::parent_folder;
use crate::labels::{CLASS_COUNT, LabelImage, class, palette};
use crate::picture::{Raster, has_picture_extension, read};
use crate::{Error, Result};

/// Pictures that an error names.
const NAMED: usize = 3;

/// The files that hold the classes of one picture's mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFiles {
    /// Each class that has a file, the lowest first.
    pub files: BTreeMap<u8, PathBuf>,
    /// What to call them together in messages: the folder, or the files' common start.
    pub place: PathBuf,
}

/// The picture that a file belongs to and the class that it shows, by its name: `00000_l_eye.png` is
/// the left eye of `00000`. `None` for other names.
pub fn part_of(path: &Path) -> Option<(&str, u8)> {
    if !has_picture_extension(path) {
        return None;
    }
    let name = path.file_stem()?.to_str()?;
    (1..CLASS_COUNT as u8).find_map(|class| {
        let entry = palette().classes.get(usize::from(class))?;
        let picture = name.strip_suffix(&entry.name)?.strip_suffix('_')?;
        (!picture.is_empty()).then_some((picture, class))
    })
}

impl PartFiles {
    /// The files at a path: a folder that holds those of one picture, or `FOLDER/00000` where it holds
    /// those of several. `None` where the path is something else.
    ///
    /// # Errors
    /// When a folder cannot be listed, or holds the files of several pictures.
    pub fn at(path: &Path) -> Result<Option<Self>> {
        if path.is_dir() {
            let mut pictures = pictures_in(path)?;
            if pictures.len() > 1 {
                let mut names: Vec<String> = pictures.keys().take(NAMED).cloned().collect();
                let example = path.join(&names[0]);
                if pictures.len() > NAMED {
                    names.push("…".to_owned());
                }
                return Err(Error::content(
                    path,
                    format!(
                        "the folder holds the masks of {} pictures ({})",
                        pictures.len(),
                        names.join(", ")
                    ),
                    format!("name one of them: {}", example.display()),
                ));
            }
            return Ok(pictures.pop_first().map(|(_, files)| Self {
                files,
                place: path.to_path_buf(),
            }));
        }
        let folder = parent_folder(path);
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Ok(None);
        };
        if path.exists() || !folder.is_dir() {
            return Ok(None);
        }
        Ok(pictures_in(folder)?.remove(name).map(|files| Self {
            files,
            place: path.to_path_buf(),
        }))
    }

    /// The files of the picture that one of them belongs to; `None` for other names, and where nothing
    /// lies beside it.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn beside(path: &Path) -> Result<Option<Self>> {
        let Some((picture, _)) = part_of(path) else {
            return Ok(None);
        };
        let folder = parent_folder(path);
        let files = pictures_in(folder)?.remove(picture).unwrap_or_default();
        Ok((files.len() > 1).then(|| Self {
            files,
            place: folder.join(picture),
        }))
    }

    /// Reads the files as one mask. They are drawn over each other in the order of their classes, as
    /// the data set's own `g_mask.py` does: hair covers skin, a hat covers hair.
    ///
    /// # Errors
    /// When a file cannot be read, has colours, or another size than the first.
    pub fn read(&self) -> Result<(LabelImage, ImportReport)> {
        let mut whole: Option<(LabelImage, Vec<String>)> = None;
        for (&class, file) in &self.files {
            let raster = read::read(file)?;
            let (width, height) = (raster.width, raster.height);
            let shown = shown(&raster).ok_or_else(|| {
                Error::content(
                    file,
                    "the picture has colours: it is not the mask of a single class",
                    "take it out of the folder, or rename it",
                )
            })?;
            let (mask, notes) = whole.get_or_insert_with(|| {
                (
                    LabelImage::filled(width, height, class::BACKGROUND),
                    Vec::new(),
                )
            });
            if (mask.width, mask.height) != (width, height) {
                return Err(Error::content(
                    file,
                    format!(
                        "this mask is {width} x {height} pixels, those before it are {} x {}",
                        mask.width, mask.height
                    ),
                    "bring all of them to one size",
                ));
            }
            for (label, _) in mask
                .labels
                .iter_mut()
                .zip(&shown)
                .filter(|(_, shown)| **shown)
            {
                *label = class;
            }
            notes.extend(raster.notes);
        }
        let Some((mask, notes)) = whole else {
            return Err(Error::content(
                &self.place,
                "there is no mask of a class here",
                "name a folder with files such as 00000_hair.png",
            ));
        };
        let mut report = report(&mask, notes, MaskScheme::Numbers, true);
        report.warnings.push(format!(
            "put together from the masks of {} classes",
            self.files.len()
        ));
        Ok((mask, report))
    }
}

/// The files of each picture in a folder.
fn pictures_in(folder: &Path) -> Result<BTreeMap<String, BTreeMap<u8, PathBuf>>> {
    let mut pictures: BTreeMap<String, BTreeMap<u8, PathBuf>> = BTreeMap::new();
    let failed = || Error::file("list the folder", folder);
    for entry in std::fs::read_dir(folder).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        let found = part_of(&path).map(|(picture, class)| (picture.to_owned(), class));
        if let Some((picture, class)) = found
            && path.is_file()
        {
            pictures.entry(picture).or_default().insert(class, path);
        }
    }
    Ok(pictures)
}

/// Where a mask of a single class shows it; `None` for a coloured picture.
fn shown(raster: &Raster) -> Option<Vec<bool>> {
    let values = numbers::raw(raster, hidden(raster).as_deref())?;
    // In a JPEG, black is not quite black.
    let least = if raster.lossy { 128 } else { 1 };
    Some(values.into_iter().map(|value| value >= least).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::picture::write;

    /// A class's file that covers columns `from..` of an 8 × 8 picture.
    fn put(folder: &Path, name: &str, from: usize) {
        let values: Vec<u8> = (0..64)
            .map(|i| if i % 8 >= from { 255 } else { 0 })
            .collect();
        std::fs::write(
            folder.join(name),
            write::encode_gray(8, 8, &values).unwrap(),
        )
        .unwrap();
    }

    #[test]
    fn names_tell_picture_and_class() {
        let part = |name: &str| part_of(Path::new(name)).map(|(p, c)| (p.to_owned(), c));
        assert_eq!(
            part("a/00000_hair.png"),
            Some(("00000".into(), class::HAIR))
        );
        assert_eq!(part("7_l_eye.JPG"), Some(("7".into(), class::LEFT_EYE)));
        assert_eq!(part("x_neck_l.png"), Some(("x".into(), class::NECKLACE)));
        assert_eq!(part("x_neck.png"), Some(("x".into(), class::NECK)));
        for other in [
            "hair.png",
            "_hair.png",
            "00000_hair.txt",
            "00000.png",
            "00000_tail.png",
        ] {
            assert_eq!(part(other), None, "{other}");
        }
    }

    #[test]
    fn classes_are_drawn_in_the_official_order() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "00000_hair.png", 4);
        put(folder.path(), "00000_skin.png", 2);
        put(folder.path(), "00000_hat.png", 6);
        let (mask, report) = super::super::read_mask(folder.path()).unwrap();
        let expected = [0, 0, 1, 1, class::HAIR, class::HAIR, class::HAT, class::HAT];
        assert_eq!(mask.labels[..8], expected);
        assert!(
            report
                .warnings
                .iter()
                .any(|text| text.contains("3 classes")),
            "{report:?}"
        );
    }

    #[test]
    fn one_of_several_pictures_is_named() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "00000_hair.png", 4);
        put(folder.path(), "00001_skin.png", 2);
        let error = super::super::read_mask(folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("2 pictures (00000, 00001)"), "{error}");
        let beside = |name: &str| PartFiles::beside(&folder.path().join(name)).unwrap();
        assert_eq!(beside("00000_hair.png"), None, "nothing lies beside it");
        put(folder.path(), "00000_skin.png", 1);
        assert_eq!(beside("00000_hair.png").unwrap().files.len(), 2);
        let (mask, _) = super::super::read_mask(&folder.path().join("00001")).unwrap();
        assert_eq!(mask.counts()[1], 48);
        let missing = super::super::read_mask(&folder.path().join("00002"));
        assert!(missing.unwrap_err().to_string().contains("cannot read"));
    }

    #[test]
    fn parts_that_do_not_fit_are_named() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "0_skin.png", 2);
        let small = write::encode_gray(2, 2, &[0, 0, 255, 255]).unwrap();
        std::fs::write(folder.path().join("0_hair.png"), small).unwrap();
        let error = super::super::read_mask(folder.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("0_hair.png") && error.contains("2 x 2"),
            "{error}"
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(super::super::read_mask(empty.path()).is_err());
    }
}
