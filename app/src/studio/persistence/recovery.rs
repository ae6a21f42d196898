//! The journal of this session, and the work that crashed sessions left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, unbounded};
use egui::{ColorImage, TextureHandle, TextureOptions};
use mmface_engine::picture::RgbImage;

use super::State;
use super::{bridge, display_name, project_file};
use crate::project::session::{self, Claim, Left};
use crate::project::{Frame, Journal, ProjectData, Recent, Report, Session};
use crate::studio::context::Context;
use crate::studio::toast::Toast;

/// How long the end of the program waits for the journal at most.
const LAST_WRITE: Duration = Duration::from_secs(3);

/// The session's folder and journal.
#[derive(Default)]
pub(super) struct SessionJournal {
    session: Option<Session>,
    journal: Option<Arc<Journal>>,
    reports: Option<Receiver<Report>>,
    /// What the journal was given last.
    given: Option<Given>,
}

/// Enough of a frame to see whether another one differs.
struct Given {
    revision: u64,
    data: ProjectData,
    results: usize,
    onion: Option<Arc<RgbImage>>,
    file: Option<PathBuf>,
    unsaved: bool,
}

/// Work that a crashed session left, with its preview.
pub struct Offer {
    /// What was left.
    pub left: Left,
    /// Its preview.
    pub picture: TextureHandle,
}

impl Offer {
    /// What it is called in the list.
    pub fn title(&self) -> String {
        match &self.left.file {
            Some(file) => display_name(file),
            None => "Untitled".into(),
        }
    }

    /// When it was drawn, in words.
    pub fn age(&self) -> String {
        crate::project::clock::ago(self.left.time, SystemTime::now())
    }
}

/// Begins the session, and looks for those that crashed.
pub(super) fn start(state: &mut State, cx: &mut Context) {
    let recovery = cx.services.folders.recovery.clone();
    let list = cx.services.folders.config.join("recent.ron");
    cx.spawn(&state.inbox, "looking for lost work", move || {
        let left = session::left(&recovery);
        let session = Session::start(&recovery);
        let recent = Recent::load(&list);
        move |state: &mut State, cx: &mut Context| {
            cx.facts.recent = recent;
            match left {
                Ok(left) => offer(state, cx, left),
                Err(error) => cx.tell(Toast::Warning(error.to_string())),
            }
            if let Err(error) = session.and_then(|session| begin(state, cx, session)) {
                let why = error.to_string();
                cx.tell(Toast::Warning(format!(
                    "a crash would lose unsaved work: {why}"
                )));
            }
        }
    });
}

fn begin(state: &mut State, cx: &Context, session: Session) -> mmface_engine::Result<()> {
    let (sender, reports) = unbounded();
    let ctx = cx.ctx.clone();
    let journal = Journal::start(session.folder(), move |report| {
        // The studio may be gone by now; then there is nobody to tell.
        sender.send(report).ok();
        ctx.request_repaint();
    })?;
    state.keeping = SessionJournal {
        session: Some(session),
        journal: Some(Arc::new(journal)),
        reports: Some(reports),
        given: None,
    };
    Ok(())
}

fn offer(state: &mut State, cx: &Context, left: Vec<Left>) {
    let offers = left.into_iter().enumerate().map(|(number, left)| {
        let size = [left.preview.width, left.preview.height];
        let image = ColorImage::from_rgb(size, &left.preview.pixels);
        let picture =
            cx.ctx
                .load_texture(format!("lost work {number}"), image, TextureOptions::LINEAR);
        Offer { left, picture }
    });
    state.offers = offers.collect();
    state.offering = !state.offers.is_empty();
}

/// Looks for lost work because the person wants to see it.
pub(super) fn look_again(state: &mut State, cx: &mut Context) {
    let recovery = cx.services.folders.recovery.clone();
    cx.spawn(&state.inbox, "looking for lost work", move || {
        let left = session::left(&recovery);
        move |state: &mut State, cx: &mut Context| match left {
            Ok(left) => {
                offer(state, cx, left);
                if state.offers.is_empty() {
                    cx.tell(Toast::Info(
                        "there is no lost work: nothing crashed, or all is restored".into(),
                    ));
                }
            }
            Err(error) => cx.tell(Toast::Warning(error.to_string())),
        }
    });
}

/// Gives the journal what has changed and tells what it reports.
pub(super) fn tick(state: &mut State, cx: &mut Context) {
    let reports: Vec<Report> = match &state.keeping.reports {
        Some(reports) => reports.try_iter().collect(),
        None => return,
    };
    for report in reports {
        cx.tell(match report {
            Report::Failed(why) => Toast::Warning(format!(
                "a crash would lose your work now, save the project: {why}"
            )),
            Report::Recovered => Toast::Info("unsaved work is safe from a crash again".into()),
        });
    }
    give(state, cx);
}

fn give(state: &mut State, cx: &Context) {
    let data = bridge::gather(state, cx);
    let onion = cx.document.under.clone();
    let unsaved = super::is_unsaved(state, cx);
    let revision = cx.document.painter.drawing_revision();
    let same_picture = |other: &Option<Arc<RgbImage>>| match (other, &onion) {
        (Some(other), Some(onion)) => Arc::ptr_eq(other, onion),
        (other, onion) => other.is_none() && onion.is_none(),
    };
    let same = state.keeping.given.as_ref().is_some_and(|given| {
        given.revision == revision
            && given.unsaved == unsaved
            && given.results == state.results.len()
            && given.file == state.file
            && same_picture(&given.onion)
            && given.data == data
    });
    let Some(journal) = state.keeping.journal.as_ref().filter(|_| !same) else {
        return;
    };
    journal.put(Frame {
        drawing: cx.document.painter.drawing().clone(),
        data: Arc::new(ProjectData {
            results: state.results.clone(),
            ..data.clone()
        }),
        onion: onion.clone(),
        file: state.file.clone(),
        unsaved,
    });
    let (results, file) = (state.results.len(), state.file.clone());
    state.keeping.given = Some(Given {
        revision,
        data,
        results,
        onion,
        file,
        unsaved,
    });
}

/// Takes up the work of a crashed session. Its journal is removed only when this session's own
/// has it.
pub(super) fn restore(state: &mut State, cx: &mut Context, folder: PathBuf) {
    cx.spawn(&state.inbox, "restoring lost work", move || {
        let found = Claim::take(&folder).and_then(|claim| claim.read().map(|found| (claim, found)));
        move |state: &mut State, cx: &mut Context| match found {
            Ok((claim, found)) => {
                let Frame {
                    drawing,
                    data,
                    onion,
                    file,
                    ..
                } = found.frame;
                project_file::take(state, cx, drawing, &data, onion);
                state.file = file;
                state.saved = None;
                remove_offer(state, &folder);
                state.offering = false;
                state.question = None;
                give(state, cx);
                hand_over(state, cx, claim);
                let name = super::name(state);
                cx.tell(Toast::Success(format!(
                    "Restored {name}; save it to keep it"
                )));
            }
            Err(error) => cx.tell(Toast::Error(error.to_string())),
        }
    });
}

/// Removes a crashed session's journal when this session's own has its work.
fn hand_over(state: &State, cx: &mut Context, claim: Claim) {
    let Some(journal) = state.keeping.journal.clone() else {
        // Without a journal of our own the old one stays the only copy.
        return;
    };
    cx.spawn_shared("keeping restored work", move || {
        let safe = journal.flush(Duration::from_secs(30));
        // Never wait for the end of the journal's thread on the GUI thread.
        drop(journal);
        if safe {
            // One that cannot be removed is offered again, no more.
            drop(claim.discard());
        }
        |_: &mut Context| {}
    });
}

/// Removes the work of a crashed session for good.
pub(super) fn discard(state: &mut State, cx: &mut Context, folder: PathBuf) {
    remove_offer(state, &folder);
    cx.spawn_shared("discarding lost work", move || {
        let discarded = Claim::take(&folder).and_then(Claim::discard);
        move |cx: &mut Context| {
            if let Err(error) = discarded {
                cx.tell(Toast::Warning(error.to_string()));
            }
        }
    });
}

fn remove_offer(state: &mut State, folder: &std::path::Path) {
    state.offers.retain(|offer| offer.left.folder != folder);
    state.offering &= !state.offers.is_empty();
}

/// Ends the journal, and the session if the program ends properly.
pub(super) fn end(state: &mut State, cx: &Context, properly: bool) {
    if !properly {
        give(state, cx);
    }
    let keeper = std::mem::take(&mut state.keeping);
    if let Some(journal) = keeper.journal {
        journal.flush(LAST_WRITE);
    }
    if let Some(session) = keeper.session.filter(|_| properly) {
        // A session that cannot be closed is offered once more, no more.
        drop(session.close());
    }
}
