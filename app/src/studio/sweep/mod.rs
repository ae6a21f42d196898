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
use super::dialogs::{Ask, AskKind};
use super::dispatcher::Studio;
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
}

impl State {
    /// Whether cells are still to be drawn.
    pub fn is_busy(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_busy)
    }
}

/// Does what the command says.
pub fn run(studio: &mut Studio, command: SweepCommand) {
    match command {
        SweepCommand::Start => run::start(studio, false),
        SweepCommand::Confirm => run::start(studio, true),
        SweepCommand::NeverMind => studio.sweep.asking = None,
        SweepCommand::Cancel => run::cancel(studio),
        SweepCommand::Show => {
            if studio.sweep.run.is_some() {
                studio.sweep.open ^= true;
            } else {
                let text =
                    "there is no sweep yet: click a word of the prompt and give it alternatives";
                studio.tell(Toast::Info(text.into()));
            }
        }
        SweepCommand::Edit(range) => {
            let prompt = &studio.context.document.request.draw.prompt;
            studio.sweep.editing = Editing::of(prompt, &range);
        }
        SweepCommand::Toggle(word) => {
            if let Some(editing) = &mut studio.sweep.editing {
                editing.toggle(&word);
            }
        }
        SweepCommand::Use => put_in(studio, usize::MAX),
        SweepCommand::UseFirst => put_in(studio, 1),
        SweepCommand::AskList => {
            let ask = Ask {
                title: "A list of alternatives, one a line".into(),
                kind: AskKind::Open,
                filter: Some(("Text".into(), vec!["txt".into()])),
                name: String::new(),
            };
            studio.ask(&ask, |studio, path| {
                studio.emit(SweepCommand::ReadList(path))
            });
        }
        SweepCommand::ReadList(path) => {
            studio.spawn("reading the list", move || {
                let result = editing::read_list(&path);
                move |studio: &mut Studio| match (result, &mut studio.sweep.editing) {
                    (Ok(list), Some(editing)) => editing.lines = list.join("\n"),
                    (Ok(_), None) => {
                        let text = "click the word that the list is for first";
                        studio.tell(Toast::Info(text.into()));
                    }
                    (Err(error), _) => studio.tell(Toast::Error(error.to_string())),
                }
            });
        }
        SweepCommand::CloseEditor => studio.sweep.editing = None,
        SweepCommand::Select(cell) => run::select(studio, cell),
        SweepCommand::Compare => run::compare_large(studio),
        SweepCommand::AskExport => {
            let name = match &studio.sweep.run {
                Some(run) => run.file_name(),
                None => {
                    let text = "there is no sweep to export";
                    return studio.tell(Toast::Info(text.into()));
                }
            };
            let ask = Ask {
                title: "Export the sweep".into(),
                kind: AskKind::Save,
                filter: Some(("PNG".into(), vec!["png".into()])),
                name,
            };
            studio.ask(&ask, |studio, path| studio.emit(SweepCommand::Export(path)));
        }
        SweepCommand::Export(path) => write_export(studio, path),
    }
}

/// Puts the first alternatives of the editor, or all, into the prompt.
fn put_in(studio: &mut Studio, most: usize) {
    let Some(editing) = &studio.sweep.editing else {
        return;
    };
    let mut list = editing.alternatives();
    list.truncate(most);
    if list.is_empty() {
        let text = "write at least one alternative";
        return studio.tell(Toast::Info(text.into()));
    }
    let prompt = &mut studio.context.document.request.draw.prompt;
    if *prompt != editing.prompt {
        studio.sweep.editing = None;
        let text = "the prompt has changed meanwhile; click the word again";
        return studio.tell(Toast::Info(text.into()));
    }
    *prompt = chips::replaced(prompt, editing.range.clone(), &list);
    studio.sweep.editing = None;
}

fn write_export(studio: &mut Studio, path: PathBuf) {
    let Some(export) = studio.sweep.run.as_ref().map(Run::export) else {
        return;
    };
    if std::mem::replace(&mut studio.sweep.exporting, true) {
        return;
    }
    let options = studio.sweep.export;
    let path = match path.extension() {
        Some(_) => path,
        None => path.with_extension("png"),
    };
    studio.spawn("exporting the sweep", move || {
        let work = || export::write(&export, &path, options);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        move |studio: &mut Studio| {
            studio.sweep.exporting = false;
            studio.tell(match result {
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
