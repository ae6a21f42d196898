//! What can be asked of project files and recovery.

use std::path::PathBuf;

use super::Action;

/// What to do with unsaved work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsavedAnswer {
    /// Save it, then go on.
    Save,
    /// Give it up and go on.
    Discard,
    /// Go back to it.
    Cancel,
}

/// Actions on project files and lost work.
#[derive(Clone, Debug, PartialEq)]
pub enum PersistenceCommand {
    /// Begins an empty project.
    New,
    /// Asks for a project file and opens it.
    Open,
    /// Opens a project file: a recent one, one that was dropped on the window.
    OpenFile(PathBuf),
    /// Takes a file off the list of recent ones.
    ForgetRecent(PathBuf),
    /// Saves into the project file; asks for one when there is none.
    Save,
    /// Asks for a file and saves into it.
    SaveAs,
    /// Copies of the results travel in the project file, or do not.
    Copies(bool),
    /// Shows the work that crashed sessions left.
    ShowLost,
    /// Hides it; it stays where it is.
    HideLost,
    /// Takes up the work of a crashed session, named by its folder.
    Restore(PathBuf),
    /// Removes it for good.
    DiscardLost(PathBuf),
    /// Ends the program, unless a training run is to be asked about first.
    Quit,
    /// The answer to the question about unsaved work.
    Answer(UnsavedAnswer),
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("keeping.new", "New project", &["Ctrl+N"], || {
        PersistenceCommand::New.into()
    })
    .in_text(),
    Action::new("keeping.open", "Open a project", &["Ctrl+O"], || {
        PersistenceCommand::Open.into()
    })
    .in_text(),
    Action::new("keeping.save", "Save the project", &["Ctrl+S"], || {
        PersistenceCommand::Save.into()
    })
    .in_text(),
    Action::new(
        "keeping.save_as",
        "Save the project as",
        &["Ctrl+Shift+S"],
        || PersistenceCommand::SaveAs.into(),
    )
    .in_text(),
    Action::new("keeping.lost", "Recover lost work", &[], || {
        PersistenceCommand::ShowLost.into()
    }),
];
