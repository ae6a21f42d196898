//! What can be asked of the trainer tab.

use std::path::PathBuf;

use super::Action;
use crate::studio::settings::training::{Field, Form};

use TrainerCommand as Do;

/// How a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// The run of the form, from its start.
    Fresh,
    /// The run on screen, from its last checkpoint.
    Resume,
}

/// How training and drawing share the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Training waits while pictures are drawn.
    Pause,
    /// Both at once; both are slower.
    Beside,
}

/// The answer to who has the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharingAnswer {
    /// Share like this from now on.
    Share(Sharing),
    /// Do not do what was asked for.
    Cancel,
}

/// The answer to what becomes of a run when the window closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingAnswer {
    /// It goes on without the studio.
    KeepRunning,
    /// It writes a checkpoint and ends; then the window closes.
    Stop,
    /// The window stays.
    Cancel,
}

/// Actions of this feature.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainerCommand {
    /// Asks the trainer for the plan.
    Plan,
    /// Encodes the data once.
    Prepare,
    /// Starts the run of the form.
    Start,
    /// Goes on with the run on screen.
    Resume,
    /// Starts a run that may begin now: it was asked for before.
    Launch(Begin),
    /// Prepares the data, which was asked for before: at once, or when the pictures are drawn.
    PrepareNow,
    /// Lets a run go on that paused for pictures.
    GoOn,
    /// Takes back a start, or a preparation, that waits.
    DropWaiting,
    /// Pauses the run, or lets it go on.
    Pause,
    /// Writes a checkpoint and ends the run.
    Stop,
    /// Writes a checkpoint.
    Checkpoint,
    /// Draws samples.
    Sample,
    /// Stops a short command by its place in the list.
    StopHelper(usize),
    /// Asks for the path of a field.
    Choose(Field),
    /// Sets a field.
    Set(Field, PathBuf),
    /// Takes on what the form says.
    Form(Box<Form>),
    /// Looks for the trainer again.
    Find,
    /// Asks for the folder of a run and shows it.
    Open,
    /// Shows the run in a folder.
    OpenRun(PathBuf),
    /// Makes a model of the checkpoint of an update and loads it.
    Use(u64),
    /// Reads a sheet of samples.
    ReadSheet(PathBuf),
    /// Shows a folder with the desktop's file manager.
    ShowFolder(PathBuf),
    /// The answer to the question who has the device.
    Share(SharingAnswer),
    /// Asks that question anew the next time, or not.
    SetSharing(Option<Sharing>),
    /// The window is to close: asks what becomes of the run.
    AskToClose,
    /// The answer to the question what becomes of the run.
    Close(ClosingAnswer),
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("trainer.plan", "Plan the training run", &[], || {
        Do::Plan.into()
    }),
    Action::new("trainer.prepare", "Prepare the training data", &[], || {
        Do::Prepare.into()
    }),
    Action::new("trainer.start", "Start training", &[], || Do::Start.into()),
    Action::new("trainer.resume", "Go on with the run", &[], || {
        Do::Resume.into()
    }),
    Action::new(
        "trainer.pause",
        "Pause or resume training",
        &["Ctrl+F9"],
        || Do::Pause.into(),
    )
    .in_text(),
    Action::new(
        "trainer.stop",
        "Stop training after a checkpoint",
        &[],
        || Do::Stop.into(),
    ),
    Action::new("trainer.checkpoint", "Write a checkpoint now", &[], || {
        Do::Checkpoint.into()
    }),
    Action::new("trainer.sample", "Draw samples now", &[], || {
        Do::Sample.into()
    }),
    Action::new("trainer.open", "Open a training run", &[], || {
        Do::Open.into()
    }),
    Action::new("trainer.program", "Choose the trainer program", &[], || {
        Do::Choose(Field::Program).into()
    }),
];
