//! The journal of this session, and the work that crashed sessions left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, unbounded};
use egui::{ColorImage, TextureHandle, TextureOptions};
use mmface_engine::picture::RgbImage;

use super::{bridge, display_name, document};
use crate::project::session::{self, Claim, Left};
use crate::project::{Frame, Journal, ProjectData, Recent, Report, Session};
use crate::studio::dispatcher::Studio;
use crate::studio::toast::Toast;

/// How long the end of the program waits for the journal at most.
const LAST_WRITE: Duration = Duration::from_secs(3);

/// The session's folder and journal.
#[derive(Default)]
pub(super) struct Keeper {
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
pub(super) fn start(studio: &mut Studio) {
    let recovery = studio.context.services.folders.recovery.clone();
    let list = studio.context.services.folders.config.join("recent.ron");
    studio.spawn("looking for lost work", move || {
        let left = session::left(&recovery);
        let session = Session::start(&recovery);
        let recent = Recent::load(&list);
        move |studio: &mut Studio| {
            studio.context.facts.recent = recent;
            match left {
                Ok(left) => offer(studio, left),
                Err(error) => studio.tell(Toast::Warning(error.to_string())),
            }
            if let Err(error) = session.and_then(|session| begin(studio, session)) {
                let why = error.to_string();
                studio.tell(Toast::Warning(format!(
                    "a crash would lose unsaved work: {why}"
                )));
            }
        }
    });
}

fn begin(studio: &mut Studio, session: Session) -> mmface_engine::Result<()> {
    let (sender, reports) = unbounded();
    let ctx = studio.context.ctx.clone();
    let journal = Journal::start(session.folder(), move |report| {
        // The studio may be gone by now; then there is nobody to tell.
        let _ = sender.send(report);
        ctx.request_repaint();
    })?;
    studio.persistence.keeper = Keeper {
        session: Some(session),
        journal: Some(Arc::new(journal)),
        reports: Some(reports),
        given: None,
    };
    Ok(())
}

fn offer(studio: &mut Studio, left: Vec<Left>) {
    let offers = left.into_iter().enumerate().map(|(number, left)| {
        let size = [left.preview.width, left.preview.height];
        let image = ColorImage::from_rgb(size, &left.preview.pixels);
        let picture = studio.context.ctx.load_texture(
            format!("lost work {number}"),
            image,
            TextureOptions::LINEAR,
        );
        Offer { left, picture }
    });
    studio.persistence.offers = offers.collect();
    studio.persistence.offering = !studio.persistence.offers.is_empty();
}

/// Looks for lost work because the person wants to see it.
pub(super) fn look_again(studio: &mut Studio) {
    let recovery = studio.context.services.folders.recovery.clone();
    studio.spawn("looking for lost work", move || {
        let left = session::left(&recovery);
        move |studio: &mut Studio| match left {
            Ok(left) => {
                offer(studio, left);
                if studio.persistence.offers.is_empty() {
                    studio.tell(Toast::Info(
                        "there is no lost work: nothing crashed, or all is restored".into(),
                    ));
                }
            }
            Err(error) => studio.tell(Toast::Warning(error.to_string())),
        }
    });
}

/// Gives the journal what has changed and tells what it reports.
pub(super) fn tick(studio: &mut Studio) {
    let reports: Vec<Report> = match &studio.persistence.keeper.reports {
        Some(reports) => reports.try_iter().collect(),
        None => return,
    };
    for report in reports {
        studio.tell(match report {
            Report::Failed(why) => Toast::Warning(format!(
                "a crash would lose your work now, save the project: {why}"
            )),
            Report::Recovered => Toast::Info("unsaved work is safe from a crash again".into()),
        });
    }
    give(studio);
}

fn give(studio: &mut Studio) {
    let data = bridge::gather(studio);
    let onion = studio.context.document.under.clone();
    let unsaved = super::is_unsaved(studio);
    let state = &studio.persistence;
    let revision = studio.context.document.painter.drawing_revision();
    let same_picture = |other: &Option<Arc<RgbImage>>| match (other, &onion) {
        (Some(other), Some(onion)) => Arc::ptr_eq(other, onion),
        (other, onion) => other.is_none() && onion.is_none(),
    };
    let same = state.keeper.given.as_ref().is_some_and(|given| {
        given.revision == revision
            && given.unsaved == unsaved
            && given.results == state.results.len()
            && given.file == state.file
            && same_picture(&given.onion)
            && given.data == data
    });
    let Some(journal) = state.keeper.journal.as_ref().filter(|_| !same) else {
        return;
    };
    journal.put(Frame {
        drawing: studio.context.document.painter.drawing().clone(),
        data: Arc::new(ProjectData {
            results: state.results.clone(),
            ..data.clone()
        }),
        onion: onion.clone(),
        file: state.file.clone(),
        unsaved,
    });
    let (results, file) = (state.results.len(), state.file.clone());
    studio.persistence.keeper.given = Some(Given {
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
pub(super) fn restore(studio: &mut Studio, folder: PathBuf) {
    studio.spawn("restoring lost work", move || {
        let found = Claim::take(&folder).and_then(|claim| claim.read().map(|found| (claim, found)));
        move |studio: &mut Studio| match found {
            Ok((claim, found)) => {
                let Frame {
                    drawing,
                    data,
                    onion,
                    file,
                    ..
                } = found.frame;
                document::take(studio, drawing, &data, onion);
                studio.persistence.file = file;
                studio.persistence.saved = None;
                remove_offer(studio, &folder);
                studio.persistence.offering = false;
                studio.persistence.question = None;
                give(studio);
                hand_over(studio, claim);
                let name = super::name(studio);
                studio.tell(Toast::Success(format!(
                    "Restored {name}; save it to keep it"
                )));
            }
            Err(error) => studio.tell(Toast::Error(error.to_string())),
        }
    });
}

/// Removes a crashed session's journal when this session's own has its work.
fn hand_over(studio: &mut Studio, claim: Claim) {
    let Some(journal) = studio.persistence.keeper.journal.clone() else {
        // Without a journal of our own the old one stays the only copy.
        return;
    };
    studio.spawn("keeping restored work", move || {
        let safe = journal.flush(Duration::from_secs(30));
        // Never wait for the end of the journal's thread on the GUI thread.
        drop(journal);
        if safe {
            // One that cannot be removed is offered again, no more.
            drop(claim.discard());
        }
        |_: &mut Studio| {}
    });
}

/// Removes the work of a crashed session for good.
pub(super) fn discard(studio: &mut Studio, folder: PathBuf) {
    remove_offer(studio, &folder);
    studio.spawn("discarding lost work", move || {
        let discarded = Claim::take(&folder).and_then(Claim::discard);
        move |studio: &mut Studio| {
            if let Err(error) = discarded {
                studio.tell(Toast::Warning(error.to_string()));
            }
        }
    });
}

fn remove_offer(studio: &mut Studio, folder: &std::path::Path) {
    let state = &mut studio.persistence;
    state.offers.retain(|offer| offer.left.folder != folder);
    state.offering &= !state.offers.is_empty();
}

/// Ends the journal, and the session if the program ends properly.
pub(super) fn end(studio: &mut Studio, properly: bool) {
    if !properly {
        give(studio);
    }
    let keeper = std::mem::take(&mut studio.persistence.keeper);
    if let Some(journal) = keeper.journal {
        journal.flush(LAST_WRITE);
    }
    if let Some(session) = keeper.session.filter(|_| properly) {
        // A session that cannot be closed is offered once more, no more.
        drop(session.close());
    }
}
