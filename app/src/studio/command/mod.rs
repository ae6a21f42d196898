//! Every action of a person as a plain value, one file a feature: what the feature can be asked
//! for, and which of it has a name and keys.
//!
//! Menus, keys, buttons, the palette and other features only emit commands; the dispatcher hands
//! each to the feature that understands it. Nothing here knows a feature's state.

mod action;
mod canvas;
mod generate;
mod models;
mod palette;
mod persistence;
mod photo;
mod results;
mod settings;
mod shell;
mod sweep;
mod tools;
mod trainer;

pub use action::Action;
pub use canvas::CanvasCommand;
pub use generate::GenerateCommand;
pub use models::ModelsCommand;
pub use palette::PaletteCommand;
pub use persistence::{PersistenceCommand, UnsavedAnswer};
pub use photo::PhotoCommand;
pub use results::{CompareMode, ResultsCommand};
pub use settings::SettingsCommand;
pub use shell::{ShellCommand, Workspace};
pub use sweep::SweepCommand;
pub use tools::ToolsCommand;
pub use trainer::{Begin, ClosingAnswer, Sharing, SharingAnswer, TrainerCommand};

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($type:ty),)*) => {
        /// An action of a person.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Command {
            $($(#[$doc])* $name($type),)*
        }

        $(impl From<$type> for Command {
            fn from(command: $type) -> Self {
                Self::$name(command)
            }
        })*
    };
}

commands! {
    /// Of the window itself.
    Shell(ShellCommand),
    /// Of the view of the drawing.
    Canvas(CanvasCommand),
    /// Of the painting tools and the drawing.
    Tools(ToolsCommand),
    /// Of the prompt, the queue and live mode.
    Generate(GenerateCommand),
    /// Of finished pictures.
    Results(ResultsCommand),
    /// Of sweeps.
    Sweep(SweepCommand),
    /// Of photos that become masks and sketches.
    Photo(PhotoCommand),
    /// Of the trainer tab.
    Trainer(TrainerCommand),
    /// Of the model list.
    Models(ModelsCommand),
    /// Of project files and recovery.
    Persistence(PersistenceCommand),
    /// Of settings and the key map.
    Settings(SettingsCommand),
    /// Of the command palette.
    Palette(PaletteCommand),
}

/// All actions that have a name, feature by feature.
pub fn actions() -> impl Iterator<Item = &'static Action> {
    [
        shell::ACTIONS,
        persistence::ACTIONS,
        generate::ACTIONS,
        tools::ACTIONS,
        canvas::ACTIONS,
        results::ACTIONS,
        sweep::ACTIONS,
        photo::ACTIONS,
        trainer::ACTIONS,
        models::ACTIONS,
        settings::ACTIONS,
        palette::ACTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The action of an id.
pub fn find(id: &str) -> Option<&'static Action> {
    actions().find(|action| action.id == id)
}
