//! The project file, the journal behind it, and what a crash left.
//!
//! `project_file` opens and saves, `recovery` keeps the journal of this session and offers those of
//! crashed ones, [`bridge`] gathers what a project holds from the other features and hands it back.
//! Whatever would throw away unsaved work asks first.

pub mod bridge;
pub mod panel;
mod project_file;
mod recovery;

use std::path::PathBuf;

use egui::ViewportCommand;

pub use recovery::Offer;

use super::announcement::Announcement;
use super::command::{PersistenceCommand, TrainerCommand, UnsavedAnswer};
use super::context::{Context, Inbox};
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
    /// The journal of this session.
    keeping: recovery::SessionJournal,
    /// The person knows that the program ends.
    may_close: bool,
    shown_title: String,
    /// What came of slow work.
    pub inbox: Inbox<State>,
}

/// A state of the work, to tell whether it has changed.
#[derive(Clone, Debug)]
struct Mark {
    revision: u64,
    data: ProjectData,
}

impl Mark {
    fn of(state: &State, cx: &Context) -> Self {
        Self {
            revision: cx.document.painter.drawing_revision(),
            data: bridge::gather(state, cx),
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
pub fn handle(state: &mut State, command: PersistenceCommand, cx: &mut Context) {
    match command {
        PersistenceCommand::New => ask_first(state, cx, Next::New),
        PersistenceCommand::Open => project_file::ask_to_open(state, cx),
        PersistenceCommand::OpenFile(path) => ask_first(state, cx, Next::Open(path)),
        PersistenceCommand::ForgetRecent(path) => project_file::forget_recent(cx, path),
        PersistenceCommand::Save => project_file::save(state, cx, None),
        PersistenceCommand::SaveAs => project_file::save_as(state, cx, None),
        PersistenceCommand::Copies(copies) => state.copies = copies,
        PersistenceCommand::ShowLost => recovery::look_again(state, cx),
        PersistenceCommand::HideLost => state.offering = false,
        PersistenceCommand::Restore(folder) => ask_first(state, cx, Next::Restore(folder)),
        PersistenceCommand::DiscardLost(folder) => recovery::discard(state, cx, folder),
        PersistenceCommand::Quit => quit(state, cx),
        PersistenceCommand::Answer(answer) => {
            let Some(next) = state.question.take() else {
                return;
            };
            match answer {
                UnsavedAnswer::Save => project_file::save(state, cx, Some(next)),
                UnsavedAnswer::Discard => go_on(state, cx, next),
                UnsavedAnswer::Cancel => {}
            }
        }
    }
}

/// Goes on when nothing would be lost, else asks.
fn ask_first(state: &mut State, cx: &mut Context, next: Next) {
    if is_unsaved(state, cx) {
        state.question = Some(next);
    } else {
        go_on(state, cx, next);
    }
}

fn go_on(state: &mut State, cx: &mut Context, next: Next) {
    match next {
        Next::New => project_file::begin(state, cx),
        Next::Open(path) => project_file::open(state, cx, path),
        Next::Restore(folder) => recovery::restore(state, cx, folder),
        Next::Quit => quit(state, cx),
    }
}

/// Ends the program, unless a training run is to be asked about first.
fn quit(state: &mut State, cx: &mut Context) {
    if cx.facts.training.holds_window {
        cx.emit(TrainerCommand::AskToClose);
    } else {
        state.may_close = true;
        cx.ctx.send_viewport_cmd(ViewportCommand::Close);
    }
}

/// Whether something would be missed that is in no project file.
pub fn is_unsaved(state: &State, cx: &Context) -> bool {
    let Some(saved) = &state.saved else {
        return true;
    };
    saved.revision != cx.document.painter.drawing_revision()
        || differs(
            &saved.data,
            &bridge::gather(state, cx),
            state.file.is_some(),
        )
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
pub fn name(state: &State) -> String {
    let file = state.file.as_deref();
    file.map_or_else(|| "Untitled".into(), display_name)
}

/// Takes in what has happened elsewhere.
pub fn announced(state: &mut State, announcement: &Announcement) {
    if let Announcement::PictureSaved(finished) = announcement {
        add_result(state, &finished.entry.file, &finished.entry.about.id);
    }
}

/// Notes a finished picture in the project: its file in the library and the recipe's hash of the
/// pixels.
fn add_result(state: &mut State, file: &str, recipe: &str) {
    let results = &mut state.results;
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
pub fn start(state: &mut State, project: Option<PathBuf>, cx: &mut Context) {
    state.saved = Some(Mark::of(state, cx));
    recovery::start(state, cx);
    if let Some(project) = project {
        project_file::open(state, cx, project);
    }
}

/// Passes changes on to the journal.
pub fn tick(state: &mut State, cx: &mut Context) {
    recovery::tick(state, cx);
}

/// Asks about unsaved work when the window is to close. Runs at the end of each frame, so that
/// what the frame changed reaches the journal even if no other frame follows.
pub fn show_close_question(ctx: &egui::Context, state: &mut State, cx: &mut Context) {
    recovery::tick(state, cx);
    show_title(ctx, state, cx);
    if std::mem::take(&mut cx.wants_to_close) {
        ask_first(state, cx, Next::Quit);
    }
    if ctx.input(|input| input.viewport().close_requested()) && !state.may_close {
        if is_unsaved(state, cx) {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            state.question = Some(Next::Quit);
        } else if cx.facts.training.holds_window {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            cx.emit(TrainerCommand::AskToClose);
        } else {
            state.may_close = true;
        }
    }
}

fn show_title(ctx: &egui::Context, state: &mut State, cx: &Context) {
    let dot = if is_unsaved(state, cx) { "• " } else { "" };
    let title = format!("{dot}{} - MMFace Studio", name(state));
    if title != state.shown_title {
        ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
        state.shown_title = title;
    }
}

/// Ends the session properly.
pub fn on_exit(state: &mut State, cx: &Context) {
    // A window that went without the person's word is as good as a crash: the next start offers
    // the work.
    let properly = state.may_close || !is_unsaved(state, cx);
    recovery::end(state, cx, properly);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::dialogs::Prepared;
    use crate::studio::testing;

    #[test]
    fn unsaved_work_is_asked_about_and_a_saved_project_opens_again() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("face.mmface-project");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        start(&mut state, None, &mut cx);
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        assert!(!is_unsaved(&state, &cx), "nothing was made yet");

        cx.document.request.draw.prompt = "an old man".into();
        handle(&mut state, PersistenceCommand::New, &mut cx);
        assert_eq!(state.question, Some(Next::New));

        cx.services.dialogs = Box::new(Prepared(Some(path.clone())));
        handle(
            &mut state,
            PersistenceCommand::Answer(UnsavedAnswer::Save),
            &mut cx,
        );
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        assert!(path.exists(), "saved before the new project began");
        assert_eq!(cx.document.request.draw.prompt, "");
        assert_eq!(state.file, None);

        handle(
            &mut state,
            PersistenceCommand::OpenFile(path.clone()),
            &mut cx,
        );
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        assert_eq!(cx.document.request.draw.prompt, "an old man");
        assert_eq!(state.file.as_ref(), Some(&path));
        on_exit(&mut state, &cx);
    }

    #[test]
    fn a_training_run_is_asked_about_before_the_program_ends() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        start(&mut state, None, &mut cx);
        cx.facts.training.holds_window = true;
        handle(&mut state, PersistenceCommand::Quit, &mut cx);
        assert!(!state.may_close);
        let sent = format!("{:?}", testing::sent(&cx));
        assert!(sent.contains("AskToClose"), "{sent}");
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        on_exit(&mut state, &cx);
    }
}
