//! Opening and saving project files, beside the GUI thread.

use std::path::{Path, PathBuf};

use super::State;
use super::{Mark, Next, bridge, display_name, go_on};
use crate::paint::Drawing;
use crate::project::file::{self, EXTENSION};
use crate::project::{Document, Library, ProjectData, Recent};
use crate::studio::context::Context;
use crate::studio::dialogs::{Ask, AskKind};
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

fn recent_path(cx: &Context) -> PathBuf {
    cx.services.folders.config.join("recent.ron")
}

/// Begins an empty project. Numbers and tools stay as they are.
pub(super) fn begin(state: &mut State, cx: &mut Context) {
    cx.document
        .painter
        .replace(Drawing::new(cx.settings.canvas_side));
    cx.document.request.draw.prompt.clear();
    cx.document.request.draw.negative.clear();
    cx.document.template = None;
    state.results.clear();
    bridge::set_onion(cx, None, None);
    state.file = None;
    state.saved = Some(Mark::of(state, cx));
}

/// Puts a project on screen.
pub(super) fn take(
    state: &mut State,
    cx: &mut Context,
    drawing: Drawing,
    data: &ProjectData,
    onion: Option<std::sync::Arc<mmface_engine::picture::RgbImage>>,
) {
    cx.document.painter.replace(drawing);
    bridge::apply(state, cx, data);
    bridge::set_onion(cx, onion, data.onion);
}

pub(super) fn ask_to_open(state: &State, cx: &mut Context) {
    let ask = ask(AskKind::Open, "Open a project", String::new());
    cx.ask(&state.inbox, &ask, |state, cx, path| {
        super::ask_first(state, cx, Next::Open(path))
    });
}

/// Reads a project and puts it on screen, unless the person has gone on drawing meanwhile.
pub(super) fn open(state: &mut State, cx: &mut Context, path: PathBuf) {
    let before = Mark::of(state, cx);
    let list = recent_path(cx);
    let folders = &cx.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    cx.spawn(&state.inbox, "opening the project", move || {
        let loaded = load(&path, &library).map_err(|error| error.to_string());
        let recent = loaded
            .is_ok()
            .then(|| Recent::add(&list, &path).ok())
            .flatten();
        move |state: &mut State, cx: &mut Context| {
            let (document, warnings) = match loaded {
                Ok(loaded) => loaded,
                Err(why) => return cx.tell(Toast::Error(why)),
            };
            if cx.document.painter.drawing_revision() != before.revision
                || super::differs(&before.data, &bridge::gather(state, cx), false)
            {
                let name = display_name(&path);
                return cx.tell(Toast::Warning(format!(
                    "the drawing changed while {name} was being opened; open it again"
                )));
            }
            warnings
                .into_iter()
                .for_each(|text| cx.tell(Toast::Warning(text)));
            let drawing = Drawing::new(document.data.side)
                .with_mask(&document.mask)
                .with_sketch(&document.sketch);
            take(
                state,
                cx,
                drawing,
                &document.data,
                document.onion.map(std::sync::Arc::new),
            );
            state.file = Some(path);
            state.saved = Some(Mark::of(state, cx));
            if let Some(recent) = recent {
                cx.facts.recent = recent;
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
pub(super) fn save(state: &mut State, cx: &mut Context, next: Option<Next>) {
    match state.file.clone() {
        Some(path) => save_to(state, cx, path, next),
        None => save_as(state, cx, next),
    }
}

/// Asks for a file and saves into it; then goes on with `next`.
pub(super) fn save_as(state: &mut State, cx: &mut Context, next: Option<Next>) {
    let name = match &state.file {
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
    cx.ask(
        &state.inbox,
        &ask,
        move |state, cx, path| match with_ending(&path) {
            Some(ended) if ended != path && ended.exists() => {
                let text = format!(
                    "{} exists already; choose it by its whole name to write over it",
                    ended.display()
                );
                cx.tell(Toast::Error(text));
            }
            Some(ended) => save_to(state, cx, ended, next),
            None => cx.tell(Toast::Error(format!(
                "{} is no name for a file; choose another",
                path.display()
            ))),
        },
    );
}

/// The path with our ending.
fn with_ending(path: &Path) -> Option<PathBuf> {
    let mut name = path.file_name()?.to_os_string();
    if path.extension().is_none_or(|ending| ending != EXTENSION) {
        name.push(format!(".{EXTENSION}"));
    }
    Some(path.with_file_name(name))
}

fn save_to(state: &mut State, cx: &mut Context, path: PathBuf, next: Option<Next>) {
    if state.saving {
        state.again = Some((path, next));
        return;
    }
    state.saving = true;
    let mark = Mark::of(state, cx);
    let data = ProjectData {
        results: state.results.clone(),
        ..mark.data.clone()
    };
    let (drawing, onion) = (
        cx.document.painter.drawing().clone(),
        cx.document.under.clone(),
    );
    let folders = &cx.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    let list = recent_path(cx);
    cx.spawn(&state.inbox, "saving the project", move || {
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
        move |state: &mut State, cx: &mut Context| {
            on_saved(state, cx, path, saved, mark, recent, next)
        }
    });
}

fn on_saved(
    state: &mut State,
    cx: &mut Context,
    path: PathBuf,
    saved: Result<(), String>,
    mark: Mark,
    recent: Option<Recent>,
    next: Option<Next>,
) {
    state.saving = false;
    let again = state.again.take();
    match saved {
        Ok(()) => {
            cx.tell(Toast::Success(format!("Saved {}", display_name(&path))));
            state.file = Some(path);
            state.saved = Some(mark);
            if let Some(recent) = recent {
                cx.facts.recent = recent;
            }
            match (again, next) {
                (Some((path, next)), _) => save_to(state, cx, path, next),
                // Strokes that were made while it was being saved are asked about again.
                (None, Some(next)) if super::is_unsaved(state, cx) => state.question = Some(next),
                (None, Some(next)) => go_on(state, cx, next),
                (None, None) => {}
            }
        }
        Err(why) => cx.tell(Toast::Error(why)),
    }
}

pub(super) fn forget_recent(cx: &mut Context, path: PathBuf) {
    cx.facts.recent.files.retain(|file| file.path != path);
    let list = recent_path(cx);
    cx.spawn_shared("forgetting a recent project", move || {
        let result = Recent::remove(&list, &path).map_err(|error| error.to_string());
        move |cx: &mut Context| match result {
            Ok(recent) => cx.facts.recent = recent,
            Err(why) => cx.tell(Toast::Warning(why)),
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
