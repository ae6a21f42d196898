//! Deleting with a moment to think: the pictures vanish from the filmstrip at once, from the disk a
//! little later, so that taking it back needs nothing from the system's trash. A crash in between
//! leaves them where they were.

use std::time::Duration;

use super::{library, scan};
use crate::studio::dispatcher::Studio;
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
pub fn chosen(studio: &mut Studio) {
    // What was deleted before can no longer be taken back.
    now(studio);
    let prompt = studio
        .results
        .strip
        .current()
        .map(|entry| crate::studio::document::title(&entry.about.draw.prompt));
    let files = studio.results.strip.hide_chosen();
    if files.is_empty() {
        studio.tell(Toast::Info("choose pictures in the filmstrip first".into()));
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
    studio.results.deleting = Deleting {
        files,
        until: studio.context.now + MOMENT,
    };
    studio.tell(Toast::Info(what));
    super::show_current(studio);
}

/// Takes the last deletion back.
pub fn undo(studio: &mut Studio) {
    let files = std::mem::take(&mut studio.results.deleting.files);
    if files.is_empty() {
        return;
    }
    studio.results.strip.unhide(&files);
    super::show_current(studio);
}

/// Deletes for good when the moment is over.
pub fn tick(studio: &mut Studio) {
    let deleting = &studio.results.deleting;
    if deleting.files.is_empty() {
        return;
    }
    let left = deleting.until - studio.context.now;
    if left <= 0.0 {
        now(studio);
    } else {
        studio
            .context
            .ctx
            .request_repaint_after(Duration::from_secs_f64(left.min(MOMENT)));
    }
}

/// Moves what was deleted into the trash.
pub fn now(studio: &mut Studio) {
    let files = std::mem::take(&mut studio.results.deleting.files);
    if files.is_empty() {
        return;
    }
    let library = library(studio);
    studio.spawn("moving pictures into the trash", move || {
        let mut failed = Vec::new();
        for file in &files {
            if library.path(file).exists()
                && let Err(error) = library.delete(file)
            {
                failed.push((file.clone(), error.to_string()));
            }
        }
        move |studio: &mut Studio| {
            for file in &files {
                studio.results.strip.hidden.remove(file);
                if !failed.iter().any(|(kept, _)| kept == file) {
                    studio.results.strip.listing.remove(file);
                }
            }
            studio.results.strip.refresh();
            if let Some((_, why)) = failed.into_iter().next() {
                studio.tell(Toast::Error(why));
            }
            scan(studio);
        }
    });
}

/// The same without a task: nobody would wait for it.
pub fn before_the_end(studio: &mut Studio) {
    let library = library(studio);
    for file in std::mem::take(&mut studio.results.deleting.files) {
        // One that cannot be moved stays where it was.
        if library.delete(&file).is_ok() {
            studio.results.strip.listing.remove(&file);
        }
    }
    studio.results.strip.refresh();
}
