//! What can be asked of sweeps.

use std::ops::Range;
use std::path::PathBuf;

use super::Action;

/// Actions of this feature.
#[derive(Clone, Debug, PartialEq)]
pub enum SweepCommand {
    /// Shares so many steps among all cells.
    ShareSteps(usize),
    /// Draws all cells; a large sweep is asked about first.
    Start,
    /// Draws a large sweep after all.
    Confirm,
    /// Does not draw it.
    NeverMind,
    /// Draws no more cells; finished ones stay.
    Cancel,
    /// Shows or hides the grid.
    Show,
    /// Edits the alternatives of the chip at these bytes of the prompt.
    Edit(Range<usize>),
    /// Adds or takes away an alternative.
    Toggle(String),
    /// Puts the alternatives into the prompt.
    Use,
    /// Puts the first alternative alone into the prompt.
    UseFirst,
    /// Asks for a list of alternatives.
    AskList,
    /// Reads alternatives from a text file, one a line.
    ReadList(PathBuf),
    /// Leaves the prompt as it is.
    CloseEditor,
    /// Looks at a cell, by its place in the sweep.
    Select(usize),
    /// Compares the cell that is looked at with the first, large.
    Compare,
    /// Asks where the grid goes.
    AskExport,
    /// Writes grid, tiles and index.
    Export(PathBuf),
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("sweep.start", "Draw the sweep", &["Ctrl+Alt+Enter"], || {
        SweepCommand::Start.into()
    })
    .in_text(),
    Action::new(
        "sweep.show",
        "Show or hide the sweep's grid",
        &["Ctrl+G"],
        || SweepCommand::Show.into(),
    )
    .in_text(),
    Action::new("sweep.cancel", "Cancel the sweep", &[], || {
        SweepCommand::Cancel.into()
    }),
    Action::new("sweep.export", "Export the sweep's grid", &[], || {
        SweepCommand::AskExport.into()
    }),
];
