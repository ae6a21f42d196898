//! What can be asked of the model list.

use std::path::PathBuf;

use mmface_engine::contract::ModelRef;

use super::Action;

/// Actions on models.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelsCommand {
    /// Reads the folders again.
    Refresh,
    /// Shows a model's details.
    Select(String),
    /// Loads a model in place of the one before.
    Load(ModelRef),
    /// Loads a model, by reference, now and at every start.
    Use(String),
    /// Loads the model of the settings again.
    Reload,
    /// Looks at every byte of a model.
    Verify(PathBuf),
    /// Stops the slow work at hand.
    StopWork,
    /// Asks for a folder in the authors' layout.
    AskImport,
    /// Prepares the import of a folder or file in the authors' layout.
    PrepareImport(PathBuf),
    /// Imports what is prepared.
    StartImport,
    /// Forgets what is prepared.
    DropImport,
    /// Asks for a package in one file.
    AskPackage,
    /// Copies a package in one file into the models' folder.
    Install(PathBuf),
    /// Asks for a further folder to search.
    AskFolder,
    /// Searches a further folder.
    AddFolder(PathBuf),
    /// Searches a folder no more.
    RemoveFolder(PathBuf),
    /// Shows or hides what this program is.
    About,
    /// Shows or hides the page on privacy.
    Privacy,
    /// Copies a report of what happened.
    CopyReport,
    /// The notice of the first start has been read.
    ReadNotice,
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("models.refresh", "Search for models again", &[], || {
        ModelsCommand::Refresh.into()
    }),
    Action::new("models.reload", "Load the model again", &[], || {
        ModelsCommand::Reload.into()
    }),
    Action::new(
        "models.import",
        "Import a model from the authors' files",
        &[],
        || ModelsCommand::AskImport.into(),
    ),
    Action::new(
        "models.install",
        "Install a model package (.mmface)",
        &[],
        || ModelsCommand::AskPackage.into(),
    ),
    Action::new("models.folder", "Add a folder of models", &[], || {
        ModelsCommand::AskFolder.into()
    }),
    Action::new("models.about", "About MMFace Studio", &[], || {
        ModelsCommand::About.into()
    })
    .in_text(),
    Action::new("models.privacy", "Privacy", &[], || {
        ModelsCommand::Privacy.into()
    }),
    Action::new(
        "models.report",
        "Copy a report of what happened",
        &[],
        || ModelsCommand::CopyReport.into(),
    ),
];
