//! Files dropped on the window. A picture of ours brings everything back that made it, a grid its
//! sweep, a picture of another program its prompt; a class mask is looked at before it is taken, and
//! any other picture may be a photo. What nobody can use is named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mmface_engine::condition::import::PartFiles;
use mmface_engine::condition::mask_from;
use mmface_engine::picture::{RgbImage, has_picture_extension, read};
use mmface_engine::provenance::{self, Foreign, Recipe};
use mmface_engine::weights::package;
use mmface_engine::{Error, Result};

use super::{restore, show_on_canvas};
use crate::project::SweepNote;
use crate::project::file::EXTENSION;
use crate::project::sweep_note::MAX_INDEX;
use crate::studio::command::ModelsCommand;
use crate::studio::command::PhotoCommand;
use crate::studio::command::ToolsCommand;
use crate::studio::command::Workspace;
use crate::studio::context::Context;
use crate::studio::toast::Toast;

/// What a dropped picture says of itself.
enum Found {
    Ours(Box<Recipe>, Option<Arc<RgbImage>>),
    Foreign(Foreign),
    /// A recipe that cannot be used, and why.
    Unusable(String),
    /// A grid of a sweep.
    Sweep(Box<SweepNote>),
    /// Class numbers or class colours.
    Mask,
    Plain,
}

/// Whether it is a picture by its name, or a folder with the masks of a picture's classes.
pub fn is_picture(path: &Path) -> bool {
    has_picture_extension(path) || is_mask_folder(path)
}

fn is_mask_folder(path: &Path) -> bool {
    // A folder with those of several pictures is one, too: whoever reads it says what to do.
    path.is_dir() && !matches!(PartFiles::at(path), Ok(None))
}

fn ends_in(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    endings.iter().any(|known| ending == *known)
}

/// Takes what was dropped in this frame and is nobody else's: projects and, on their workspace,
/// models have their own places.
fn take_others(cx: &mut Context, others: Vec<PathBuf>) {
    let models = cx.workspace == Workspace::Models;
    for path in others {
        if models || ends_in(&path, &[EXTENSION]) {
            continue;
        }
        if ends_in(&path, &["json"]) {
            open_index(cx, path);
        } else if ends_in(&path, &[package::EXTENSION]) {
            cx.workspace = Workspace::Models;
            cx.emit(ModelsCommand::Install(path));
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let text = format!(
                "{} cannot be opened here; drop a picture, a project, or a sweep's index",
                name.to_string_lossy()
            );
            cx.tell(Toast::Warning(text));
        }
    }
}

/// Reads the index beside a grid and brings its sweep back.
fn open_index(cx: &mut Context, path: PathBuf) {
    cx.spawn_shared("reading the dropped index", move || {
        let note = read_index(&path);
        move |cx: &mut Context| match note {
            Ok(note) => restore::bring_sweep_back(cx, &note),
            Err(error) => cx.tell(Toast::Error(error.to_string())),
        }
    });
}

fn read_index(path: &Path) -> Result<SweepNote> {
    let failed = || Error::file("read the index", path);
    let about = std::fs::metadata(path).map_err(failed())?;
    if about.len() > MAX_INDEX {
        let what = "the file is larger than any index of a sweep";
        return Err(Error::content(path, what, "drop the exported grid instead"));
    }
    SweepNote::of_index(&std::fs::read(path).map_err(failed())?, path)
}

/// Takes the pictures among the files that were dropped in this frame; others are left to others.
pub fn take(cx: &mut Context) {
    if cx.facts.photo_open {
        // Its window takes the next photo.
        return;
    }
    let (dropped, others): (Vec<PathBuf>, Vec<PathBuf>) = cx.ctx.input_mut(|input| {
        let (ours, others): (Vec<_>, Vec<_>) = std::mem::take(&mut input.raw.dropped_files)
            .into_iter()
            .partition(|file| is_picture(file.path()));
        let paths = |files: &[egui::DroppedFileHandle]| {
            files.iter().map(|file| file.path().to_owned()).collect()
        };
        let paths = (paths(&ours), paths(&others));
        input.raw.dropped_files = others;
        paths
    });
    take_others(cx, others);
    let mut dropped = dropped.into_iter();
    if let Some(path) = dropped.next() {
        open(cx, path);
    }
    if dropped.next().is_some() {
        cx.tell(Toast::Info(
            "one picture at a time; the first one was taken".into(),
        ));
    }
}

/// Reads a picture and takes over what it says of itself.
pub fn open(cx: &mut Context, path: PathBuf) {
    if path.is_dir() {
        cx.workspace = Workspace::Studio;
        cx.emit(ToolsCommand::ReadMask(path));
        return;
    }
    cx.spawn_shared("reading the dropped picture", move || {
        let found = look(&path);
        let signed = found.as_ref().is_ok_and(|(_, signed)| *signed);
        let found = found.map(|(found, _)| found);
        move |cx: &mut Context| {
            if signed {
                tell_signed(cx, &path);
            }
            match found {
                Ok(Found::Ours(recipe, picture)) => {
                    restore::bring_back(cx, &recipe);
                    if let Some(picture) = picture {
                        show_on_canvas(cx, picture);
                    }
                }
                Ok(Found::Foreign(foreign)) => restore::take_foreign(cx, &foreign),
                Ok(Found::Unusable(why)) => {
                    let name = path.display();
                    cx.tell(Toast::Error(format!(
                        "{name}: {why}; update the program, or ask who made it"
                    )));
                }
                Ok(Found::Sweep(note)) => restore::bring_sweep_back(cx, &note),
                Ok(Found::Mask) => {
                    cx.workspace = Workspace::Studio;
                    cx.emit(ToolsCommand::ReadMask(path));
                }
                Ok(Found::Plain) => cx.emit(PhotoCommand::Read(path)),
                Err(error) => cx.tell(Toast::Error(error.to_string())),
            }
        }
    });
}

/// What comes of a signed picture is another file, for which the signature says nothing.
fn tell_signed(cx: &mut Context, path: &Path) {
    let name = path.file_name().unwrap_or(path.as_os_str());
    cx.tell(Toast::Info(format!(
        "{} is signed (C2PA): the file keeps its signature, pictures made from it here do not carry it",
        name.to_string_lossy()
    )));
}

/// What a picture says of itself, and whether it is signed.
fn look(path: &Path) -> Result<(Found, bool)> {
    let bytes = read::read_bytes(path)?;
    Ok((look_at(&bytes, path)?, provenance::is_signed(&bytes)))
}

fn look_at(bytes: &[u8], path: &Path) -> Result<Found> {
    if !bytes.starts_with(b"\x89PNG") {
        return Ok(mask_or_plain(bytes, path));
    }
    let texts = provenance::read_bytes(bytes, path)?;
    if let Some(note) = SweepNote::of(&texts, path) {
        return note.map(|note| Found::Sweep(Box::new(note)));
    }
    Ok(match (texts.recipe, texts.problem, texts.foreign) {
        (Some(recipe), ..) => {
            // Pixels may be damaged where the recipe is not: that is enough to draw it again.
            let picture = read::decode(bytes, path).ok();
            Found::Ours(
                Box::new(recipe),
                picture.map(|raster| Arc::new(raster.to_rgb())),
            )
        }
        (None, Some(why), _) => Found::Unusable(why),
        (None, None, Some(foreign)) => Found::Foreign(foreign),
        (None, None, None) => mask_or_plain(bytes, path),
    })
}

/// A picture without words of its own: a mask when it reads as one and shows something. What is
/// wrong with a damaged file is said by whoever reads it next.
fn mask_or_plain(bytes: &[u8], path: &Path) -> Found {
    let mask = read::decode(bytes, path).and_then(|raster| mask_from(&raster, None, path));
    match mask {
        Ok((_, report)) if report.counts.iter().skip(1).any(|&count| count > 0) => Found::Mask,
        _ => Found::Plain,
    }
}
