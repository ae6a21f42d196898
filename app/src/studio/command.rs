//! Every action of a person as a value. Menus, keys, buttons and the palette only emit commands;
//! [`run`] is the one place where they take effect, so every action can be tested without a window.

use super::state::{Studio, Workspace};
use super::{
    canvas, generate, keeping, models, palette, photo, results, settings, sweep, tools, trainer,
};

/// What belongs to no feature.
#[derive(Clone, Debug, PartialEq)]
pub enum ShellCommand {
    /// Shows another part of the program.
    Show(Workspace),
    /// Shows or hides the panels on the left.
    ToggleLeft,
    /// Shows or hides the panel on the right.
    ToggleRight,
    /// Shows or hides the filmstrip.
    ToggleFilmstrip,
    /// Ends the program; unsaved work is asked about first.
    Quit,
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($type:ty) => $run:path,)*) => {
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

        /// Does what the command says.
        pub fn run(studio: &mut Studio, command: Command) {
            match command {
                $(Command::$name(command) => $run(studio, command),)*
            }
        }
    };
}

commands! {
    /// Of the window itself.
    Shell(ShellCommand) => shell,
    /// Of the view of the drawing.
    Canvas(canvas::CanvasCommand) => canvas::run,
    /// Of the painting tools and the drawing.
    Tools(tools::ToolsCommand) => tools::run,
    /// Of the prompt, the queue and live mode.
    Generate(generate::GenerateCommand) => generate::run,
    /// Of finished pictures.
    Results(results::ResultsCommand) => results::run,
    /// Of sweeps.
    Sweep(sweep::SweepCommand) => sweep::run,
    /// Of photos that become masks and sketches.
    Photo(photo::PhotoCommand) => photo::run,
    /// Of the trainer tab.
    Trainer(trainer::TrainerCommand) => trainer::run,
    /// Of the model list.
    Models(models::ModelsCommand) => models::run,
    /// Of project files and recovery.
    Keeping(keeping::KeepingCommand) => keeping::run,
    /// Of settings and the key map.
    Settings(settings::SettingsCommand) => settings::run,
    /// Of the command palette.
    Palette(palette::PaletteCommand) => palette::run,
}

fn shell(studio: &mut Studio, command: ShellCommand) {
    match command {
        ShellCommand::Show(workspace) => studio.workspace = workspace,
        ShellCommand::ToggleLeft => studio.settings.show_left ^= true,
        ShellCommand::ToggleRight => studio.settings.show_right ^= true,
        ShellCommand::ToggleFilmstrip => studio.settings.show_filmstrip ^= true,
        ShellCommand::Quit => studio.wants_to_close = true,
    }
}
