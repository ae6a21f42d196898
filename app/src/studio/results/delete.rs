//! Deleting with a moment to think: the pictures vanish from the filmstrip at once, from the disk a
//! little later, so that taking it back needs nothing from the system's trash. A crash in between
//! leaves them where they were.

use std::time::Duration;

use super::State;
use super::{library, scan};
use crate::studio::context::Context;
use crate::studio::toast::Toast;

/// Seconds in which a deletion can be taken back.
const MOMENT: f64 = 12.0;

/// What was deleted a moment ago.
#[derive(Debug, Default)]
pub struct Deleting {
    files: Vec<String>,
    until: f64,
}

impl Deleting {
    /// Pictures that can still be brought back.
    pub fn count(&self) -> usize {
        self.files.len()
    }
}

/// Deletes the selected pictures.
pub fn chosen(state: &mut State, cx: &mut Context) {
    // What was deleted before can no longer be taken back.
    now(state, cx);
    let prompt = state
        .strip
        .current()
        .map(|entry| crate::studio::document::title(&entry.about.draw.prompt));
    let files = state.strip.hide_chosen();
    if files.is_empty() {
        cx.tell(Toast::Info("choose pictures in the filmstrip first".into()));
        return;
    }
    let what = match (files.len(), prompt) {
        (1, Some(prompt)) => {
            format!("“{prompt}” is deleted; “Undo deletion” in the filmstrip brings it back")
        }
        (count, _) => format!(
            "{count} pictures are deleted; “Undo deletion” in the filmstrip brings them back"
        ),
    };
    state.deleting = Deleting {
        files,
        until: cx.now + MOMENT,
    };
    cx.tell(Toast::Info(what));
    super::show_current(state, cx);
}

/// Takes the last deletion back.
pub fn undo(state: &mut State, cx: &mut Context) {
    let files = std::mem::take(&mut state.deleting.files);
    if files.is_empty() {
        return;
    }
    state.strip.unhide(&files);
    super::show_current(state, cx);
}

/// Deletes for good when the moment is over.
pub fn tick(state: &mut State, cx: &mut Context) {
    let deleting = &state.deleting;
    if deleting.files.is_empty() {
        return;
    }
    let left = deleting.until - cx.now;
    if left <= 0.0 {
        now(state, cx);
    } else {
        cx.ctx
            .request_repaint_after(Duration::from_secs_f64(left.min(MOMENT)));
    }
}

/// Moves what was deleted into the trash.
pub fn now(state: &mut State, cx: &mut Context) {
    let files = std::mem::take(&mut state.deleting.files);
    if files.is_empty() {
        return;
    }
    let library = library(state, cx);
    cx.spawn(&state.inbox, "moving pictures into the trash", move || {
        let mut failed = Vec::new();
        for file in &files {
            if library.path(file).exists()
                && let Err(error) = library.delete(file)
            {
                failed.push((file.clone(), error.to_string()));
            }
        }
        move |state: &mut State, cx: &mut Context| {
            for file in &files {
                state.strip.hidden.remove(file);
                if !failed.iter().any(|(kept, _)| kept == file) {
                    state.strip.listing.remove(file);
                }
            }
            state.strip.refresh();
            if let Some((_, why)) = failed.into_iter().next() {
                cx.tell(Toast::Error(why));
            }
            scan(state, cx);
        }
    });
}

/// The same without a task: nobody would wait for it.
pub fn before_the_end(state: &mut State, cx: &Context) {
    let library = library(state, cx);
    for file in std::mem::take(&mut state.deleting.files) {
        // One that cannot be moved stays where it was.
        if library.delete(&file).is_ok() {
            state.strip.listing.remove(&file);
        }
    }
    state.strip.refresh();
}
