//! The project file: a zip with `project.ron`, the mask and the sketch as PNG, perhaps the picture
//! under the canvas, and perhaps copies of results.
//!
//! A file from a stranger is read within bounds and never unpacked by its own names: the entries
//! that belong to a project are looked for, anything that points elsewhere is refused.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};

use mmface_engine::file::{self, Overwrite};
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::{GrayImage, Pixels, RgbImage, png_header, read, write};
use mmface_engine::{Error, Result};
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::data::{MAX_TEXT, ProjectData};

/// Ending of a project file.
pub const EXTENSION: &str = "mmface-project";

/// Longest project file that is read or written, in bytes.
const MAX_FILE: u64 = 1 << 30;
/// Longest picture entry, in bytes.
const MAX_PICTURE: usize = 64 << 20;
/// Longest side of the picture under the canvas.
const MAX_ONION_SIDE: u32 = 8192;
/// Most entries of a project file.
const MAX_ENTRIES: usize = 5000;

const TEXT: &str = "project.ron";
const MASK: &str = "mask.png";
const SKETCH: &str = "sketch.png";
const ONION: &str = "onion.png";
const RESULTS: &str = "results/";

/// A project as it lies in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Everything but the pictures.
    pub data: ProjectData,
    /// The mask, `data.side` pixels a side.
    pub mask: LabelImage,
    /// The sketch, `data.side` pixels a side.
    pub sketch: GrayImage,
    /// The picture under the canvas.
    pub onion: Option<RgbImage>,
}

/// Writes a project whole or not at all. `copies` are finished pictures that travel with it, as
/// name and file; a copy that is gone stays a mere reference.
///
/// # Errors
/// The system's reason, or what does not fit together; the old file is then as it was.
pub fn save(path: &Path, document: &Document, copies: &[(String, PathBuf)]) -> Result<()> {
    file::write(path, &encode(document, copies)?, Overwrite::Replace)
}

/// The bytes of a project file.
///
/// # Errors
/// What does not fit together.
pub fn encode(document: &Document, copies: &[(String, PathBuf)]) -> Result<Vec<u8>> {
    let Document {
        mask,
        sketch,
        onion,
        ..
    } = document;
    let mut data = document.data.clone();
    for (what, width, height) in [
        ("mask", mask.width, mask.height),
        ("sketch", sketch.width, sketch.height),
    ] {
        if (width, height) != (data.side, data.side) {
            return Err(Error::Internal(format!(
                "the {what} is {width} x {height}, but the canvas has {} pixels a side",
                data.side
            )));
        }
    }
    data.check()
        .map_err(|why| Error::Input(format!("cannot save the project: {why}")))?;
    data.onion = onion.as_ref().map(|_| data.onion.unwrap_or(0.5));
    let mut bundled = Vec::new();
    for result in &mut data.results {
        let copy = copies.iter().find(|(name, _)| *name == result.file);
        let bytes = copy.and_then(|(_, source)| read::read_bytes(source).ok());
        let name =
            copy_name(&result.file).filter(|name| bundled.iter().all(|(other, _)| other != name));
        result.copy = name.clone().filter(|_| bytes.is_some());
        bundled.extend(name.zip(bytes));
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, method: CompressionMethod, bytes: &[u8]| -> Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .unix_permissions(0o644);
        let failed = |error: ZipError| {
            Error::Internal(format!("cannot pack {name} into the project: {error}"))
        };
        zip.start_file(name, options).map_err(failed)?;
        zip.write_all(bytes).map_err(|error| failed(error.into()))
    };
    put(
        TEXT,
        CompressionMethod::Deflated,
        data.to_text()?.as_bytes(),
    )?;
    put(MASK, CompressionMethod::Stored, &mask.to_png()?)?;
    put(SKETCH, CompressionMethod::Stored, &sketch.to_png()?)?;
    if let Some(onion) = onion {
        put(ONION, CompressionMethod::Stored, &write::encode_rgb(onion)?)?;
    }
    for (name, bytes) in &bundled {
        put(
            &format!("{RESULTS}{name}"),
            CompressionMethod::Stored,
            bytes,
        )?;
    }
    let bytes = zip
        .finish()
        .map_err(Error::unwritable("the project"))?
        .into_inner();
    if bytes.len() as u64 > MAX_FILE {
        return Err(Error::Input(
            "the project would be larger than 1 GB; save it without copies of the results".into(),
        ));
    }
    Ok(bytes)
}

/// Reads a project file.
///
/// # Errors
/// One line that says what is wrong with the file and what to do; nothing is half loaded.
pub fn load(path: &Path) -> Result<Document> {
    let mut archive = open(path)?;
    decode(&mut archive, path)
}

/// Reads a project from bytes; `path` is only for messages.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(bytes: &[u8], path: &Path) -> Result<Document> {
    let mut archive = checked(
        ZipArchive::new(Cursor::new(bytes)).map_err(damaged(path))?,
        path,
    )?;
    decode(&mut archive, path)
}

/// The bytes of a result's copy in a project file, under [`ResultRef::copy`](super::ResultRef)'s name.
///
/// # Errors
/// As [`load`].
pub fn read_copy(path: &Path, name: &str) -> Result<Vec<u8>> {
    let mut archive = open(path)?;
    entry(&mut archive, &format!("{RESULTS}{name}"), MAX_PICTURE, path)?
        .ok_or_else(|| missing(path, &format!("{RESULTS}{name}")))
}

fn open(path: &Path) -> Result<ZipArchive<BufReader<File>>> {
    let file = File::open(path).map_err(Error::file("open the project", path))?;
    let about = file
        .metadata()
        .map_err(Error::file("open the project", path))?;
    if about.is_dir() {
        return Err(Error::content(
            path,
            "this is a folder, not a project file",
            "choose a .mmface-project file",
        ));
    }
    if about.len() == 0 {
        return Err(Error::content(
            path,
            "the project file is empty",
            "open an older copy",
        ));
    }
    if about.len() > MAX_FILE {
        return Err(Error::content(
            path,
            "the project file is larger than 1 GB",
            "choose a file that this program saved",
        ));
    }
    checked(
        ZipArchive::new(BufReader::new(file)).map_err(damaged(path))?,
        path,
    )
}

/// Looks at the names of all entries before any is read.
fn checked<R: Read + Seek>(mut archive: ZipArchive<R>, path: &Path) -> Result<ZipArchive<R>> {
    if archive.len() > MAX_ENTRIES {
        return Err(Error::content(
            path,
            format!(
                "the file has {} entries, more than any project",
                archive.len()
            ),
            "choose a file that this program saved",
        ));
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged(path))?;
        let name = entry.name().map_err(damaged(path))?;
        if entry.is_symlink() || !stays_inside(&name) {
            let name: String = name
                .chars()
                .filter(|letter| !letter.is_control())
                .take(60)
                .collect();
            return Err(Error::content(
                path,
                format!("the entry `{name}` points outside of the project"),
                "do not trust the file; nothing was opened",
            ));
        }
        if entry.encrypted() {
            return Err(Error::content(
                path,
                "the project is locked with a password",
                "unlock it with a zip program first",
            ));
        }
    }
    Ok(archive)
}

/// Whether a name stays in the folder on every system: no root, no drive, no way up.
fn stays_inside(name: &str) -> bool {
    let odd = |letter: char| letter == '\\' || letter == ':' || letter.is_control();
    !name.is_empty()
        && !name.starts_with('/')
        && !name.contains(odd)
        && name.split('/').all(|part| part != "..")
}

/// The name of a result's copy: the file name alone, if it can be an entry.
fn copy_name(file: &str) -> Option<String> {
    let name = file.rsplit('/').next().unwrap_or(file);
    (stays_inside(name) && name != "." && name.len() <= 200).then(|| name.to_string())
}

fn decode<R: Read + Seek>(archive: &mut ZipArchive<R>, path: &Path) -> Result<Document> {
    let text = entry(archive, TEXT, MAX_TEXT, path)?.ok_or_else(|| {
        Error::content(
            path,
            "the file is no MMFace project: it has no project.ron",
            "choose a .mmface-project file",
        )
    })?;
    let text = String::from_utf8(text).map_err(|_| {
        Error::content(
            path,
            "the project's text is damaged",
            "open an older copy; nothing was changed",
        )
    })?;
    let data = ProjectData::from_text(&text, path)?;
    let side = data.side as u32;
    let (width, labels) = gray(archive, MASK, side, path)?;
    let mask = LabelImage::new(width, width, labels).map_err(|error| {
        Error::content(
            path,
            format!("mask.png is damaged: {error}"),
            "open an older copy; nothing was changed",
        )
    })?;
    let (width, pixels) = gray(archive, SKETCH, side, path)?;
    let sketch = GrayImage::new(width, width, pixels)?;
    let onion = match data.onion {
        None => None,
        Some(_) => {
            let png =
                entry(archive, ONION, MAX_PICTURE, path)?.ok_or_else(|| missing(path, ONION))?;
            check_size(&png, ONION, path, |width, height| {
                width.max(height) <= MAX_ONION_SIDE
            })?;
            Some(
                read::decode(&png, path)
                    .map_err(|error| in_entry(ONION, error, path))?
                    .to_rgb(),
            )
        }
    };
    for copy in data
        .results
        .iter()
        .filter_map(|result| result.copy.as_ref())
    {
        if archive
            .index_for_name(&format!("{RESULTS}{copy}"))
            .is_none()
        {
            return Err(missing(path, &format!("{RESULTS}{copy}")));
        }
    }
    Ok(Document {
        data,
        mask,
        sketch,
        onion,
    })
}

/// A grey PNG of the canvas's size, as side and values.
fn gray<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    side: u32,
    path: &Path,
) -> Result<(usize, Vec<u8>)> {
    let png = entry(archive, name, MAX_PICTURE, path)?.ok_or_else(|| missing(path, name))?;
    check_size(&png, name, path, |width, height| {
        (width, height) == (side, side)
    })?;
    let raster = read::decode(&png, path).map_err(|error| in_entry(name, error, path))?;
    match raster.pixels {
        Pixels::Gray {
            values,
            max: 255,
            alpha: None,
        } if (raster.width, raster.height) == (side as usize, side as usize) => Ok((
            raster.width,
            values.into_iter().map(|value| value as u8).collect(),
        )),
        _ => Err(Error::content(
            path,
            format!("{name} is not 8-bit grey"),
            "open an older copy; nothing was changed",
        )),
    }
}

/// Looks at the size in a PNG's header before anything is decoded.
fn check_size(png: &[u8], name: &str, path: &Path, fits: impl Fn(u32, u32) -> bool) -> Result<()> {
    let size = png_header::size(png);
    match size {
        Some((width, height)) if fits(width, height) => Ok(()),
        Some((width, height)) => Err(Error::content(
            path,
            format!("{name} is {width} x {height} pixels, which does not fit the project"),
            "open an older copy; nothing was changed",
        )),
        None => Err(Error::content(
            path,
            format!("{name} is no PNG"),
            "open an older copy; nothing was changed",
        )),
    }
}

fn in_entry(name: &str, error: Error, path: &Path) -> Error {
    match error {
        Error::Content { what, hint, .. } => Error::content(path, format!("{name}: {what}"), hint),
        other => other,
    }
}

fn missing(path: &Path, name: &str) -> Error {
    Error::content(
        path,
        format!("the project has no {name}: a part of the file is lost"),
        "open an older copy; nothing was changed",
    )
}

fn damaged(path: &Path) -> impl Fn(ZipError) -> Error + '_ {
    move |error| match error {
        ZipError::FileNotFound => missing(path, "such entry"),
        error => {
            let why = error.to_string().replace('\n', " ");
            Error::content(
                path,
                format!("the project file is damaged or cut off: {why}"),
                "open an older copy; nothing was changed",
            )
        }
    }
}

/// An entry's bytes, at most `most` of them, whatever its header promises; `None` without the entry.
fn entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    most: usize,
    path: &Path,
) -> Result<Option<Vec<u8>>> {
    let found: ZipFile<'_, R> = match archive.by_name(name) {
        Ok(found) => found,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(damaged(path)(error)),
    };
    let mut bytes = Vec::new();
    found
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| damaged(path)(error.into()))?;
    if bytes.len() > most {
        return Err(Error::content(
            path,
            format!(
                "{name} unpacks to more than {} MB, more than any project has",
                most >> 20
            ),
            "do not trust the file; nothing was opened",
        ));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
