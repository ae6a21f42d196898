//! Opening and saving project files, beside the GUI thread.

use std::path::{Path, PathBuf};

use super::{Mark, Next, bridge, display_name, go_on};
use crate::paint::Drawing;
use crate::project::file::{self, EXTENSION};
use crate::project::{Document, Library, ProjectData, Recent};
use crate::studio::dialogs::{Ask, AskKind};
use crate::studio::dispatcher::Studio;
use crate::studio::toast::Toast;

fn ask(kind: AskKind, title: &str, name: String) -> Ask {
    let filter = Some(("MMFace project".to_string(), vec![EXTENSION.to_string()]));
    Ask {
        title: title.into(),
        kind,
        filter,
        name,
    }
}

fn recent_path(studio: &Studio) -> PathBuf {
    studio.context.services.folders.config.join("recent.ron")
}

/// Begins an empty project. Numbers and tools stay as they are.
pub(super) fn begin(studio: &mut Studio) {
    studio
        .context
        .document
        .painter
        .replace(Drawing::new(studio.context.settings.canvas_side));
    studio.context.document.request.draw.prompt.clear();
    studio.context.document.request.draw.negative.clear();
    studio.context.document.template = None;
    studio.persistence.results.clear();
    bridge::set_onion(studio, None, None);
    studio.persistence.file = None;
    studio.persistence.saved = Some(Mark::of(studio));
}

/// Puts a project on screen.
pub(super) fn take(
    studio: &mut Studio,
    drawing: Drawing,
    data: &ProjectData,
    onion: Option<std::sync::Arc<mmface_engine::picture::RgbImage>>,
) {
    studio.context.document.painter.replace(drawing);
    bridge::apply(studio, data);
    bridge::set_onion(studio, onion, data.onion);
}

pub(super) fn ask_to_open(studio: &mut Studio) {
    let ask = ask(AskKind::Open, "Open a project", String::new());
    studio.ask(&ask, |studio, path| {
        super::ask_first(studio, Next::Open(path))
    });
}

/// Reads a project and puts it on screen, unless the person has gone on drawing meanwhile.
pub(super) fn open(studio: &mut Studio, path: PathBuf) {
    let before = Mark::of(studio);
    let list = recent_path(studio);
    let folders = &studio.context.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    studio.spawn("opening the project", move || {
        let loaded = load(&path, &library).map_err(|error| error.to_string());
        let recent = loaded
            .is_ok()
            .then(|| Recent::add(&list, &path).ok())
            .flatten();
        move |studio: &mut Studio| {
            let (document, warnings) = match loaded {
                Ok(loaded) => loaded,
                Err(why) => return studio.tell(Toast::Error(why)),
            };
            if studio.context.document.painter.drawing_revision() != before.revision
                || super::differs(&before.data, &bridge::gather(studio), false)
            {
                let name = display_name(&path);
                return studio.tell(Toast::Warning(format!(
                    "the drawing changed while {name} was being opened; open it again"
                )));
            }
            warnings
                .into_iter()
                .for_each(|text| studio.tell(Toast::Warning(text)));
            let drawing = Drawing::new(document.data.side)
                .with_mask(&document.mask)
                .with_sketch(&document.sketch);
            take(
                studio,
                drawing,
                &document.data,
                document.onion.map(std::sync::Arc::new),
            );
            studio.persistence.file = Some(path);
            studio.persistence.saved = Some(Mark::of(studio));
            if let Some(recent) = recent {
                studio.context.facts.recent = recent;
            }
        }
    });
}

/// Loads a project; copies of results that the library does not have any more go there.
fn load(path: &Path, library: &Library) -> mmface_engine::Result<(Document, Vec<String>)> {
    let mut document = file::load(path)?;
    let mut warnings = Vec::new();
    for result in &mut document.data.results {
        let Some(copy) = result.copy.take() else {
            continue;
        };
        if library.path(&result.file).exists() {
            continue;
        }
        let imported = file::read_copy(path, &copy).and_then(|bytes| library.import(&copy, &bytes));
        match imported {
            Ok(entry) => result.file = entry.file,
            Err(error) => {
                warnings.push(format!("a result's copy could not be restored: {}", error))
            }
        }
    }
    Ok((document, warnings))
}

/// Saves into the project file, or asks for one; then goes on with `next`.
pub(super) fn save(studio: &mut Studio, next: Option<Next>) {
    match studio.persistence.file.clone() {
        Some(path) => save_to(studio, path, next),
        None => save_as(studio, next),
    }
}

/// Asks for a file and saves into it; then goes on with `next`.
pub(super) fn save_as(studio: &mut Studio, next: Option<Next>) {
    let name = match &studio.persistence.file {
        Some(file) => file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()),
        None => None,
    };
    let ask = ask(
        AskKind::Save,
        "Save the project",
        name.unwrap_or_else(|| format!("portrait.{EXTENSION}")),
    );
    studio.ask(&ask, move |studio, path| match with_ending(&path) {
        Some(ended) if ended != path && ended.exists() => {
            let text = format!(
                "{} exists already; choose it by its whole name to write over it",
                ended.display()
            );
            studio.tell(Toast::Error(text));
        }
        Some(ended) => save_to(studio, ended, next),
        None => studio.tell(Toast::Error(format!(
            "{} is no name for a file; choose another",
            path.display()
        ))),
    });
}

/// The path with our ending.
fn with_ending(path: &Path) -> Option<PathBuf> {
    let mut name = path.file_name()?.to_os_string();
    if path.extension().is_none_or(|ending| ending != EXTENSION) {
        name.push(format!(".{EXTENSION}"));
    }
    Some(path.with_file_name(name))
}

fn save_to(studio: &mut Studio, path: PathBuf, next: Option<Next>) {
    if studio.persistence.saving {
        studio.persistence.again = Some((path, next));
        return;
    }
    studio.persistence.saving = true;
    let mark = Mark::of(studio);
    let data = ProjectData {
        results: studio.persistence.results.clone(),
        ..mark.data.clone()
    };
    let (drawing, onion) = (
        studio.context.document.painter.drawing().clone(),
        studio.context.document.under.clone(),
    );
    let folders = &studio.context.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    let list = recent_path(studio);
    studio.spawn("saving the project", move || {
        let copies: Vec<(String, PathBuf)> = match data.copies {
            true => data
                .results
                .iter()
                .map(|result| (result.file.clone(), library.path(&result.file)))
                .collect(),
            false => Vec::new(),
        };
        let document = Document {
            mask: drawing.label_image(),
            sketch: drawing.gray_image(),
            onion: onion.map(|onion| (*onion).clone()),
            data,
        };
        let saved = file::save(&path, &document, &copies).map_err(|error| error.to_string());
        let recent = saved
            .is_ok()
            .then(|| Recent::add(&list, &path).ok())
            .flatten();
        move |studio: &mut Studio| on_saved(studio, path, saved, mark, recent, next)
    });
}

fn on_saved(
    studio: &mut Studio,
    path: PathBuf,
    saved: Result<(), String>,
    mark: Mark,
    recent: Option<Recent>,
    next: Option<Next>,
) {
    studio.persistence.saving = false;
    let again = studio.persistence.again.take();
    match saved {
        Ok(()) => {
            studio.tell(Toast::Success(format!("Saved {}", display_name(&path))));
            studio.persistence.file = Some(path);
            studio.persistence.saved = Some(mark);
            if let Some(recent) = recent {
                studio.context.facts.recent = recent;
            }
            match (again, next) {
                (Some((path, next)), _) => save_to(studio, path, next),
                // Strokes that were made while it was being saved are asked about again.
                (None, Some(next)) if super::is_unsaved(studio) => {
                    studio.persistence.question = Some(next)
                }
                (None, Some(next)) => go_on(studio, next),
                (None, None) => {}
            }
        }
        Err(why) => studio.tell(Toast::Error(why)),
    }
}

pub(super) fn forget_recent(studio: &mut Studio, path: PathBuf) {
    studio
        .context
        .facts
        .recent
        .files
        .retain(|file| file.path != path);
    let list = recent_path(studio);
    studio.spawn("forgetting a recent project", move || {
        let result = Recent::remove(&list, &path).map_err(|error| error.to_string());
        move |studio: &mut Studio| match result {
            Ok(recent) => studio.context.facts.recent = recent,
            Err(why) => studio.tell(Toast::Warning(why)),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_the_ending_once() {
        let ended =
            |path: &str| with_ending(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(ended("/a/face"), Some("/a/face.mmface-project".into()));
        assert_eq!(
            ended("/a/face.v2"),
            Some("/a/face.v2.mmface-project".into())
        );
        assert_eq!(
            ended("/a/face.mmface-project"),
            Some("/a/face.mmface-project".into())
        );
        assert_eq!(ended("/"), None);
    }
}
