//! The project file, the journal behind it, and what a crash left.
//!
//! `document` opens and saves, `recovery` keeps the journal of this session and offers those of
//! crashed ones, [`bridge`] gathers what a project holds from the other features and hands it back.
//! Whatever would throw away unsaved work asks first.

pub mod bridge;
mod document;
pub mod panel;
mod recovery;

use std::path::PathBuf;

use egui::{Context, ViewportCommand};

pub use recovery::Offer;

use super::announcement::Announcement;
use super::command::{PersistenceCommand, TrainerCommand, UnsavedAnswer};
use super::dispatcher::Studio;
use super::recent_list::display_name;
use crate::project::{ProjectData, ResultRef};

/// The feature's state.
#[derive(Default)]
pub struct State {
    /// The project file, once there is one.
    pub file: Option<PathBuf>,
    /// The pictures that were made from this project, oldest first.
    pub results: Vec<ResultRef>,
    /// Copies of the results travel in the project file.
    pub copies: bool,
    /// What waits for the person's word on unsaved work.
    pub question: Option<Next>,
    /// Work that crashed sessions left, newest first.
    pub offers: Vec<Offer>,
    /// The list of that work is on screen.
    pub offering: bool,
    /// What is in the project file, or was there when the drawing was new; `None` when nothing of
    /// it is: the work of a crashed session.
    saved: Option<Mark>,
    saving: bool,
    /// Another save that was asked for while one was under way.
    again: Option<(PathBuf, Option<Next>)>,
    keeper: recovery::Keeper,
    /// The person knows that the program ends.
    may_close: bool,
    shown_title: String,
}

/// A state of the work, to tell whether it has changed.
#[derive(Clone, Debug)]
struct Mark {
    revision: u64,
    data: ProjectData,
}

impl Mark {
    fn of(studio: &Studio) -> Self {
        Self {
            revision: studio.context.document.painter.drawing_revision(),
            data: bridge::gather(studio),
        }
    }
}

/// What is to happen once unsaved work is saved or given up.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// An empty project.
    New,
    /// This project file.
    Open(PathBuf),
    /// The work that a crashed session left in this folder.
    Restore(PathBuf),
    /// The end of the program.
    Quit,
}

/// Does what the command says.
pub fn run(studio: &mut Studio, command: PersistenceCommand) {
    match command {
        PersistenceCommand::New => ask_first(studio, Next::New),
        PersistenceCommand::Open => document::ask_to_open(studio),
        PersistenceCommand::OpenFile(path) => ask_first(studio, Next::Open(path)),
        PersistenceCommand::ForgetRecent(path) => document::forget_recent(studio, path),
        PersistenceCommand::Save => document::save(studio, None),
        PersistenceCommand::SaveAs => document::save_as(studio, None),
        PersistenceCommand::ShowLost => recovery::look_again(studio),
        PersistenceCommand::HideLost => studio.persistence.offering = false,
        PersistenceCommand::Restore(folder) => ask_first(studio, Next::Restore(folder)),
        PersistenceCommand::DiscardLost(folder) => recovery::discard(studio, folder),
        PersistenceCommand::Quit => quit(studio),
        PersistenceCommand::Answer(answer) => {
            let Some(next) = studio.persistence.question.take() else {
                return;
            };
            match answer {
                UnsavedAnswer::Save => document::save(studio, Some(next)),
                UnsavedAnswer::Discard => go_on(studio, next),
                UnsavedAnswer::Cancel => {}
            }
        }
    }
}

/// Goes on when nothing would be lost, else asks.
fn ask_first(studio: &mut Studio, next: Next) {
    if is_unsaved(studio) {
        studio.persistence.question = Some(next);
    } else {
        go_on(studio, next);
    }
}

fn go_on(studio: &mut Studio, next: Next) {
    match next {
        Next::New => document::begin(studio),
        Next::Open(path) => document::open(studio, path),
        Next::Restore(folder) => recovery::restore(studio, folder),
        Next::Quit => quit(studio),
    }
}

/// Ends the program, unless a training run is to be asked about first.
fn quit(studio: &mut Studio) {
    if studio.context.facts.training.holds_window {
        studio.emit(TrainerCommand::AskToClose);
    } else {
        studio.persistence.may_close = true;
        studio.context.ctx.send_viewport_cmd(ViewportCommand::Close);
    }
}

/// Whether something would be missed that is in no project file.
pub fn is_unsaved(studio: &Studio) -> bool {
    let state = &studio.persistence;
    let Some(saved) = &state.saved else {
        return true;
    };
    saved.revision != studio.context.document.painter.drawing_revision()
        || differs(&saved.data, &bridge::gather(studio), state.file.is_some())
}

/// Without a project file only what a person has made counts: settings follow the model and the
/// seed rolls by itself.
fn differs(old: &ProjectData, new: &ProjectData, settings_too: bool) -> bool {
    let words = |data: &ProjectData| {
        (
            data.draw.prompt.clone(),
            data.draw.negative.clone(),
            data.onion.is_some(),
        )
    };
    let settings = |data: &ProjectData| {
        let mut draw = data.draw.clone();
        if !data.seed_locked {
            draw.seed = 0;
        }
        (
            draw,
            data.seed_locked,
            data.follow,
            data.fork_step,
            data.copies,
        )
    };
    words(old) != words(new) || settings_too && settings(old) != settings(new)
}

/// The project's name for people.
pub fn name(studio: &Studio) -> String {
    let file = studio.persistence.file.as_deref();
    file.map_or_else(|| "Untitled".into(), display_name)
}

/// Takes in what has happened elsewhere.
pub fn announced(studio: &mut Studio, announcement: &Announcement) {
    if let Announcement::PictureSaved(finished) = announcement {
        add_result(studio, &finished.entry.file, &finished.entry.about.id);
    }
}

/// Notes a finished picture in the project: its file in the library and the recipe's hash of the
/// pixels.
fn add_result(studio: &mut Studio, file: &str, recipe: &str) {
    let results = &mut studio.persistence.results;
    if results.len() >= crate::project::data::MAX_RESULTS {
        results.remove(0);
    }
    results.push(ResultRef {
        file: file.into(),
        recipe: recipe.into(),
        copy: None,
    });
}

/// Opens the session's journal, and the project that the person named; offers what a crash left.
pub fn start(studio: &mut Studio, project: Option<PathBuf>) {
    studio.persistence.saved = Some(Mark::of(studio));
    recovery::start(studio);
    if let Some(project) = project {
        document::open(studio, project);
    }
}

/// Passes changes on to the journal.
pub fn tick(studio: &mut Studio) {
    recovery::tick(studio);
}

/// Asks about unsaved work when the window is to close. Runs at the end of each frame, so that
/// what the frame changed reaches the journal even if no other frame follows.
pub fn show_close_question(ctx: &Context, studio: &mut Studio) {
    recovery::tick(studio);
    show_title(ctx, studio);
    if std::mem::take(&mut studio.context.wants_to_close) {
        ask_first(studio, Next::Quit);
    }
    if ctx.input(|input| input.viewport().close_requested()) && !studio.persistence.may_close {
        if is_unsaved(studio) {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            studio.persistence.question = Some(Next::Quit);
        } else if studio.context.facts.training.holds_window {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            studio.emit(TrainerCommand::AskToClose);
        } else {
            studio.persistence.may_close = true;
        }
    }
}

fn show_title(ctx: &Context, studio: &mut Studio) {
    let dot = if is_unsaved(studio) { "• " } else { "" };
    let title = format!("{dot}{} - MMFace Studio", name(studio));
    if title != studio.persistence.shown_title {
        ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
        studio.persistence.shown_title = title;
    }
}

/// Ends the session properly.
pub fn on_exit(studio: &mut Studio) {
    // A window that went without the person's word is as good as a crash: the next start offers
    // the work.
    let properly = studio.persistence.may_close || !is_unsaved(studio);
    recovery::end(studio, properly);
}
