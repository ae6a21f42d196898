//! What can be asked of finished pictures.

use super::Action;

use ResultsCommand as Do;

/// A way of comparing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompareMode {
    /// One picture left of a line, the other right of it.
    #[default]
    Slider,
    /// Both, each whole.
    SideBySide,
    /// The first; the second while a key or button is held.
    Blink,
    /// How much each place differs.
    Difference,
}

impl CompareMode {
    /// All, in the order of their keys 1 to 4.
    pub const ALL: [Self; 4] = [
        Self::Slider,
        Self::SideBySide,
        Self::Blink,
        Self::Difference,
    ];

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Slider => "Slider",
            Self::SideBySide => "Side by side",
            Self::Blink => "Blink",
            Self::Difference => "Difference",
        }
    }
}

/// Actions of this feature.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultsCommand {
    /// Looks at a picture.
    Select(String),
    /// Adds a picture to the selection, or takes it out.
    Toggle(String),
    /// Selects everything up to a picture.
    SelectTo(String),
    /// Moves by places, to the right for positive numbers; the selection may grow.
    Step(isize, bool),
    /// Brings prompt, seed, drawing and settings of the picture back.
    Restore,
    /// Draws the picture again exactly as its recipe says.
    Again,
    /// Deletes the selected pictures, after a moment in which it can be taken back.
    Delete,
    /// Takes the deletion back.
    UndoDelete,
    /// Moves the cursor into the search field.
    Search,
    /// Lets the keys act on the filmstrip.
    Focus,
    /// Folds or unfolds a sweep.
    Fold(String),
    /// Compares the two pictures that are chosen, in place of those that are compared.
    CompareChosen,
    /// Compares the selected pictures, or the current one with its neighbour.
    Compare,
    /// Compares in another way.
    CompareAs(CompareMode),
    /// Exchanges the compared pictures.
    Swap,
    /// Opens or closes the steps on the way to the picture.
    Steps,
    /// Draws a branch from the step at hand.
    Branch,
    /// Keeps steps of new pictures, or none.
    KeepSteps(bool),
    /// Opens or closes the picture's recipe.
    About,
    /// Opens or closes the export dialog.
    Export,
    /// Asks for a file and exports into it.
    SaveExport,
    /// Copies the picture.
    Copy,
    /// Copies the picture's prompt.
    CopyPrompt,
    /// Copies a command line that draws the picture.
    CopyCommand,
    /// Shows the folder in the file manager.
    OpenFolder,
    /// Looks at the folder again.
    Rescan,
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("results.next", "Next result", &["Alt+Right"], || {
        Do::Step(1, false).into()
    })
    .in_text(),
    Action::new("results.previous", "Previous result", &["Alt+Left"], || {
        Do::Step(-1, false).into()
    })
    .in_text(),
    Action::new(
        "results.restore",
        "Bring the recipe of the result back",
        &["Alt+Enter"],
        || Do::Restore.into(),
    )
    .in_text(),
    Action::new(
        "results.again",
        "Draw the result again exactly",
        &[],
        || Do::Again.into(),
    ),
    Action::new("results.focus", "Go to the filmstrip", &["F9"], || {
        Do::Focus.into()
    })
    .in_text(),
    Action::new("results.search", "Search the results", &["Ctrl+F"], || {
        Do::Search.into()
    })
    .in_text(),
    Action::new("results.compare", "Compare two results", &["Alt+C"], || {
        Do::Compare.into()
    })
    .in_text(),
    Action::new("results.steps", "Steps of the result", &["Alt+S"], || {
        Do::Steps.into()
    })
    .in_text(),
    Action::new("results.about", "About the result", &["Alt+I"], || {
        Do::About.into()
    })
    .in_text(),
    Action::new("results.export", "Export the result", &["Alt+E"], || {
        Do::Export.into()
    })
    .in_text(),
    Action::new("results.copy", "Copy the result", &["Ctrl+Shift+C"], || {
        Do::Copy.into()
    })
    .in_text(),
    Action::new(
        "results.copy_prompt",
        "Copy the prompt of the result",
        &[],
        || Do::CopyPrompt.into(),
    ),
    Action::new(
        "results.copy_command",
        "Copy a command line for the result",
        &[],
        || Do::CopyCommand.into(),
    ),
    Action::new("results.delete", "Delete the selected results", &[], || {
        Do::Delete.into()
    }),
    Action::new(
        "results.undo_delete",
        "Bring deleted results back",
        &[],
        || Do::UndoDelete.into(),
    ),
    Action::new("results.folder", "Open the folder of results", &[], || {
        Do::OpenFolder.into()
    }),
    Action::new(
        "results.rescan",
        "Look at the folder of results again",
        &["F5"],
        || Do::Rescan.into(),
    )
    .in_text(),
];
