//! What is there of a package, what is wrong with it, and the hashes of what is right.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Serialize;

use super::hash;
use super::manifest;
use super::manifest::{PackageFile, PackageManifest, Part};
use super::package::Package;
use crate::file::{self, Overwrite};
use crate::{Error, Result};

/// What a person needs to know about one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartState {
    /// Which part.
    pub part: Part,
    /// Where it is, or should be.
    pub path: Option<PathBuf>,
    /// Its size in the manifest.
    pub bytes: u64,
    /// Without it the model does not load.
    pub needed: bool,
    /// Its bytes were hashed and are those of the manifest.
    pub hash_checked: bool,
    /// What is wrong, in one sentence.
    pub problem: Option<String>,
}

/// Parts that every model needs, or has.
fn parts(package: &Package) -> Vec<(Part, bool)> {
    let split_tokenizer = package.has(Part::Vocabulary) && !package.has(Part::Tokenizer);
    let tokenizer: &[Part] = if split_tokenizer {
        &[Part::Vocabulary, Part::Merges]
    } else {
        &[Part::Tokenizer]
    };
    let needed = [Part::Dit, Part::Vae, Part::Text]
        .iter()
        .chain(tokenizer)
        .map(|&part| (part, true));
    let others = Part::ALL
        .into_iter()
        .filter(|&part| package.has(part))
        .map(|part| (part, false));
    let mut list: Vec<(Part, bool)> = needed.collect();
    for (part, needed) in others {
        if list.iter().all(|(known, _)| *known != part) {
            list.push((part, needed));
        }
    }
    list
}

/// The parts by size, header, names and shapes, without reading their numbers.
pub fn states(package: &Package) -> Vec<PartState> {
    let state = |(part, needed)| {
        let place = package.place(part);
        let checked = match (&place, is_text(part)) {
            (Ok(_), true) => Ok(()),
            (Ok(_), false) => package.weights(part).map(drop),
            (Err(_), _) => Ok(()),
        };
        let problem = place
            .as_ref()
            .err()
            .map(ToString::to_string)
            .or(checked.err().map(|error| error.to_string()));
        let bytes = package
            .manifest()
            .files
            .get(&part)
            .map_or(0, |file| file.bytes);
        PartState {
            part,
            path: place.ok().map(|place| place.path),
            bytes,
            needed,
            hash_checked: false,
            problem,
        }
    };
    parts(package).into_iter().map(state).collect()
}

/// The parts with every byte looked at: hashes, shapes, and numbers that are no numbers.
///
/// # Errors
/// Only when `progress` stopped the work; faults are in the states.
pub fn verify(
    package: &Package,
    progress: &mut dyn FnMut(Part, u64, u64) -> bool,
) -> Result<Vec<PartState>> {
    let mut states = states(package);
    for state in states.iter_mut().filter(|state| state.problem.is_none()) {
        let part = state.part;
        match verify_part(package, part, &mut |done, of| progress(part, done, of)) {
            Ok(()) => state.hash_checked = true,
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => state.problem = Some(error.to_string()),
        }
    }
    Ok(states)
}

fn verify_part(package: &Package, part: Part, progress: hash::Progress<'_>) -> Result<()> {
    let place = package.place(part)?;
    let expected = package
        .manifest()
        .files
        .get(&part)
        .map_or("", |file| &file.sha256);
    let mut file = std::fs::File::open(&place.path).map_err(Error::file("read", &place.path))?;
    file.seek(SeekFrom::Start(place.offset))
        .map_err(Error::file("read", &place.path))?;
    let (found, _) = hash::copy_hashed(
        file.take(place.bytes),
        &mut std::io::sink(),
        &place.path,
        place.bytes,
        progress,
    )?;
    if !found.eq_ignore_ascii_case(expected) {
        return Err(Error::content(
            &place.path,
            format!(
                "{} has other bytes than the package was made with",
                part.title()
            ),
            "copy this file again",
        ));
    }
    if is_text(part) {
        if part != Part::Merges {
            package.load_tokenizer()?;
        }
        return Ok(());
    }
    package.weights(part)?.check_finite(|_| true)
}

fn is_text(part: Part) -> bool {
    matches!(part, Part::Tokenizer | Part::Vocabulary | Part::Merges)
}

/// Size and hash of a file of a package.
///
/// # Errors
/// When the file cannot be read, or `progress` stopped the work.
pub fn describe_file(
    folder: &std::path::Path,
    path: &str,
    progress: hash::Progress<'_>,
) -> Result<PackageFile> {
    let (sha256, bytes) = hash::sha256_file(&folder.join(path), progress)?;
    Ok(PackageFile {
        path: path.to_owned(),
        sha256,
        bytes,
    })
}

/// Writes sizes and hashes of a folder's files into its manifest, after a part was replaced.
/// `added` names parts that the manifest does not have yet, with their paths in the folder.
///
/// # Errors
/// When a file is missing, or the manifest is malformed.
pub fn seal(folder: &std::path::Path, added: &[(Part, &str)]) -> Result<PackageManifest> {
    let package = Package::open(folder)?;
    let mut manifest = package.manifest().clone();
    let known = manifest
        .files
        .iter()
        .map(|(part, file)| (*part, file.path.clone()));
    let mut paths: std::collections::BTreeMap<Part, String> = known.collect();
    paths.extend(added.iter().map(|(part, path)| (*part, (*path).to_owned())));
    for (part, path) in paths {
        manifest
            .files
            .insert(part, describe_file(folder, &path, &mut |_, _| true)?);
    }
    write_manifest(folder, &manifest)?;
    Ok(manifest)
}

/// Writes `model.ron` into a package's folder, atomically.
///
/// # Errors
/// When the manifest contradicts itself or the disk refuses.
pub fn write_manifest(folder: &std::path::Path, contents: &PackageManifest) -> Result<()> {
    let path = folder.join(manifest::FILE);
    let text = contents
        .to_text()
        .map_err(|what| Error::content(&path, what, "correct the model's description"))?;
    file::write(&path, text.as_bytes(), Overwrite::Replace)
}
