//! Files dropped on the window. A picture of ours brings everything back that made it, one of
//! another program its prompt; what else it may be is for those to say who can use it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mmface_engine::picture::{RgbImage, read};
use mmface_engine::provenance::{self, Foreign, Recipe};

use super::{restore, show_on_canvas};
use crate::studio::photo::PhotoCommand;
use crate::studio::state::Studio;
use crate::studio::toast::Toast;

/// What a dropped picture says of itself.
enum Found {
    Ours(Box<Recipe>, Option<Arc<RgbImage>>),
    Foreign(Foreign),
    /// A recipe that cannot be used, and why.
    Unusable(String),
    Plain,
}

/// Whether it is a picture by its name.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["png", "jpg", "jpeg"].iter().any(|known| ending == *known)
}

/// Takes the pictures among the files that were dropped in this frame; others are left to others.
pub fn take(studio: &mut Studio) {
    if studio.photo.photo.is_some() {
        // Its window takes the next photo.
        return;
    }
    let dropped: Vec<PathBuf> = studio.ctx.input_mut(|input| {
        let (ours, others): (Vec<_>, Vec<_>) = std::mem::take(&mut input.raw.dropped_files)
            .into_iter()
            .partition(|file| is_picture(file.path()));
        input.raw.dropped_files = others;
        ours.iter().map(|file| file.path().to_owned()).collect()
    });
    let mut dropped = dropped.into_iter();
    if let Some(path) = dropped.next() {
        open(studio, path);
    }
    if dropped.next().is_some() {
        studio.tell(Toast::Info(
            "one picture at a time; the first one was taken".into(),
        ));
    }
}

/// Reads a picture and takes over what it says of itself.
pub fn open(studio: &mut Studio, path: PathBuf) {
    studio
        .services
        .tasks
        .spawn("reading the dropped picture", move || {
            let found = look(&path);
            move |studio: &mut Studio| match found {
                Ok(Found::Ours(recipe, picture)) => {
                    restore::bring_back(studio, &recipe);
                    if let Some(picture) = picture {
                        show_on_canvas(studio, &picture);
                    }
                }
                Ok(Found::Foreign(foreign)) => restore::take_foreign(studio, &foreign),
                Ok(Found::Unusable(why)) => {
                    let name = path.display();
                    studio.tell(Toast::Error(format!(
                        "{name}: {why}; update the program, or ask who made it"
                    )));
                }
                Ok(Found::Plain) => studio.emit(PhotoCommand::Read(path)),
                Err(error) => studio.tell(Toast::Error(error.to_string())),
            }
        });
}

fn look(path: &Path) -> mmface_engine::Result<Found> {
    let bytes = read::read_bytes(path)?;
    if !bytes.starts_with(b"\x89PNG") {
        return Ok(Found::Plain);
    }
    let texts = provenance::read_bytes(&bytes, path)?;
    Ok(match (texts.recipe, texts.problem, texts.foreign) {
        (Some(recipe), ..) => {
            // Pixels may be damaged where the recipe is not: that is enough to draw it again.
            let picture = read::decode(&bytes, path).ok();
            Found::Ours(
                Box::new(recipe),
                picture.map(|raster| Arc::new(raster.to_rgb())),
            )
        }
        (None, Some(why), _) => Found::Unusable(why),
        (None, None, Some(foreign)) => Found::Foreign(foreign),
        (None, None, None) => Found::Plain,
    })
}
