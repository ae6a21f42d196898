//! One or two words of a prompt varied: the grid of what changes.
//!
//! All cells share seed, noise and condition; only the words differ, so what differs between two
//! pictures is due to the words. With a late fork they also share the first steps of the first cell.

pub mod chips;
mod editing;
pub mod export;
mod grid_view;
pub mod locality;
pub mod panel;
pub mod run;
pub mod suggest;

use std::path::PathBuf;

pub use editing::Editing;
pub use run::{CellState, Run, announced};

use super::command::SweepCommand;
use super::context::{Context, Inbox};
use super::dialogs::{Ask, AskKind};
use super::toast::Toast;

/// Sweeps of more pictures are asked about before they start.
pub const MANY: usize = 24;

/// The feature's state.
#[derive(Default)]
pub struct State {
    /// The chip whose alternatives are edited.
    pub editing: Option<Editing>,
    /// The sweep at hand, or the last one.
    pub run: Option<Run>,
    /// The grid is shown.
    pub open: bool,
    /// A large sweep waits for a yes: its number of pictures.
    pub asking: Option<usize>,
    /// What an export writes.
    pub export: export::Options,
    /// An export is being written.
    pub exporting: bool,
    last: u64,
    /// What came of slow work.
    pub inbox: Inbox<State>,
}

impl State {
    /// Whether cells are still to be drawn.
    pub fn is_busy(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_busy)
    }
}

/// Does what the command says.
pub fn handle(state: &mut State, command: SweepCommand, cx: &mut Context) {
    match command {
        SweepCommand::ShareSteps(steps) => cx.document.fork_step = steps,
        SweepCommand::Start => run::start(state, cx, false),
        SweepCommand::Confirm => run::start(state, cx, true),
        SweepCommand::NeverMind => state.asking = None,
        SweepCommand::Cancel => run::cancel(state, cx),
        SweepCommand::Show => {
            if state.run.is_some() {
                state.open ^= true;
            } else {
                let text =
                    "there is no sweep yet: click a word of the prompt and give it alternatives";
                cx.tell(Toast::Info(text.into()));
            }
        }
        SweepCommand::Edit(range) => {
            let prompt = &cx.document.request.draw.prompt;
            state.editing = Editing::of(prompt, &range);
        }
        SweepCommand::Toggle(word) => {
            if let Some(editing) = &mut state.editing {
                editing.toggle(&word);
            }
        }
        SweepCommand::Use => put_in(state, cx, usize::MAX),
        SweepCommand::UseFirst => put_in(state, cx, 1),
        SweepCommand::AskList => {
            let ask = Ask {
                title: "A list of alternatives, one a line".into(),
                kind: AskKind::Open,
                filter: Some(("Text".into(), vec!["txt".into()])),
                name: String::new(),
            };
            cx.ask(&state.inbox, &ask, |_: &mut State, cx, path| {
                cx.emit(SweepCommand::ReadList(path))
            });
        }
        SweepCommand::ReadList(path) => {
            cx.spawn(&state.inbox, "reading the list", move || {
                let result = editing::read_list(&path);
                move |state: &mut State, cx: &mut Context| match (result, &mut state.editing) {
                    (Ok(list), Some(editing)) => editing.lines = list.join("\n"),
                    (Ok(_), None) => {
                        let text = "click the word that the list is for first";
                        cx.tell(Toast::Info(text.into()));
                    }
                    (Err(error), _) => cx.tell(Toast::Error(error.to_string())),
                }
            });
        }
        SweepCommand::CloseEditor => state.editing = None,
        SweepCommand::Select(cell) => run::select(state, cx, cell),
        SweepCommand::Compare => run::compare_large(state, cx),
        SweepCommand::AskExport => {
            let name = match &state.run {
                Some(run) => run.file_name(),
                None => {
                    let text = "there is no sweep to export";
                    return cx.tell(Toast::Info(text.into()));
                }
            };
            let ask = Ask {
                title: "Export the sweep".into(),
                kind: AskKind::Save,
                filter: Some(("PNG".into(), vec!["png".into()])),
                name,
            };
            cx.ask(&state.inbox, &ask, |_: &mut State, cx, path| {
                cx.emit(SweepCommand::Export(path))
            });
        }
        SweepCommand::Export(path) => write_export(state, cx, path),
    }
}

/// Puts the first alternatives of the editor, or all, into the prompt.
fn put_in(state: &mut State, cx: &mut Context, most: usize) {
    let Some(editing) = &state.editing else {
        return;
    };
    let mut list = editing.alternatives();
    list.truncate(most);
    if list.is_empty() {
        let text = "write at least one alternative";
        return cx.tell(Toast::Info(text.into()));
    }
    let prompt = &mut cx.document.request.draw.prompt;
    if *prompt != editing.prompt {
        state.editing = None;
        let text = "the prompt has changed meanwhile; click the word again";
        return cx.tell(Toast::Info(text.into()));
    }
    *prompt = chips::replaced(prompt, editing.range.clone(), &list);
    state.editing = None;
}

fn write_export(state: &mut State, cx: &mut Context, path: PathBuf) {
    let Some(export) = state.run.as_ref().map(Run::export) else {
        return;
    };
    if std::mem::replace(&mut state.exporting, true) {
        return;
    }
    let options = state.export;
    let path = match path.extension() {
        Some(_) => path,
        None => path.with_extension("png"),
    };
    cx.spawn(&state.inbox, "exporting the sweep", move || {
        let work = || export::write(&export, &path, options);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        move |state: &mut State, cx: &mut Context| {
            state.exporting = false;
            cx.tell(match result {
                Ok(Ok(written)) => Toast::Success(format!(
                    "{} ({} files)",
                    path.display(),
                    written.len()
                )),
                Ok(Err(error)) => Toast::Error(error.to_string()),
                Err(_) => Toast::Error(
                    "the export failed unexpectedly; the pictures are in the library, please report it"
                        .into(),
                ),
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::announcement::Announcement;
    use crate::studio::testing;

    #[test]
    fn cells_become_work_and_hear_how_it_ended() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        cx.document.request.draw.prompt = "[blonde|black] hair".into();
        handle(&mut state, SweepCommand::Start, &mut cx);
        let jobs = cx.document.works.queue.jobs();
        let prompts: Vec<&str> = jobs
            .iter()
            .map(|job| job.job.draw.prompt.as_str())
            .collect();
        assert_eq!(prompts, ["blonde hair", "black hair"]);
        let run = state.run.as_ref().expect("a run");
        let failed = Announcement::WorkFailed {
            work: run.cells[1].work.expect("work"),
            owner: run.owner(1),
            why: "no memory".into(),
        };
        announced(&mut state, &failed, &mut cx);
        let run = state.run.as_ref().expect("a run");
        assert!(matches!(&run.cells[1].state, CellState::Failed(why) if why == "no memory"));
        assert!(run.is_busy(), "the first is still to be drawn");
    }
}
