//! What can be asked of prompt, queue and live mode.

use mmface_engine::job::ConditionKind;

use std::ops::Range;

use super::Action;
use crate::studio::document::{Request, WorkId};

use GenerateCommand as Do;

/// Actions of this feature.
#[derive(Clone, Debug, PartialEq)]
pub enum GenerateCommand {
    /// Work was added or changed: the queue is kept, and what can begin begins.
    QueueChanged,
    /// A prompt was drawn with a seed.
    Used(String, u64),
    /// Draws what is set.
    Start,
    /// Cancels the work that runs.
    Cancel,
    /// Finishes the picture at hand, drops the others of its work and holds what waits.
    StopAfter,
    /// Cancels a work, or takes it off the list.
    Remove(WorkId),
    /// Pauses the queue, or lets it go on.
    Pause,
    /// Moves a waiting work by places, up for negative numbers.
    Shift(WorkId, isize),
    /// Moves a waiting work to a place, from 0.
    Place(WorkId, usize),
    /// Drops everything that waits.
    Clear,
    /// Tries failed work again.
    Retry(WorkId),
    /// Tries failed work again with smaller pictures.
    RetrySmaller(WorkId),
    /// Goes on with what the last session left.
    Continue,
    /// Drops what the last session left.
    Discard,
    /// Tries again to save pictures.
    SaveAgain,
    /// Moves the cursor into the prompt.
    FocusPrompt,
    /// Shows or hides the prompt history.
    ToggleHistory,
    /// Puts the prompt before this one into the field.
    OlderPrompt,
    /// Puts the prompt after this one into the field.
    NewerPrompt,
    /// Puts a prompt into the field.
    UsePrompt(String),
    /// Pins or unpins a prompt of the history.
    PinPrompt(String),
    /// Forgets a prompt of the history.
    ForgetPrompt(String),
    /// Sets the values of the next pictures, but for the prompts.
    Values(Box<Request>),
    /// Sets the prompt.
    Prompt(String),
    /// Sets what guidance moves away from.
    Negative(String),
    /// Something is selected in the prompt: the prompt of then, and bytes of it.
    Select(Option<(String, Range<usize>)>),
    /// Rolls the seed.
    Dice,
    /// Locks the seed, or lets it roll.
    LockSeed,
    /// Takes the seed of the last generation and locks it.
    LastSeed,
    /// Chooses what the face follows.
    Follow(ConditionKind),
    /// Turns live mode on or off.
    Live,
    /// Ends live mode.
    StopLive,
    /// Keeps the live picture in the library.
    KeepLive,
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("generate.start", "Generate", &["Ctrl+Enter"], || {
        Do::Start.into()
    })
    .in_text(),
    Action::new(
        "generate.cancel",
        "Cancel the picture at hand",
        &["Ctrl+Shift+Enter"],
        || Do::Cancel.into(),
    )
    .in_text(),
    Action::new(
        "generate.stop_after",
        "Stop after this picture",
        &[],
        || Do::StopAfter.into(),
    ),
    Action::new(
        "generate.pause",
        "Pause or resume the queue",
        &["Ctrl+Alt+P"],
        || Do::Pause.into(),
    )
    .in_text(),
    Action::new("generate.clear", "Clear the queue", &[], || {
        Do::Clear.into()
    }),
    Action::new(
        "generate.focus_prompt",
        "Go to the prompt",
        &["Ctrl+P"],
        || Do::FocusPrompt.into(),
    )
    .in_text(),
    Action::new("generate.history", "Prompt history", &["Ctrl+H"], || {
        Do::ToggleHistory.into()
    })
    .in_text(),
    Action::new("generate.history_up", "Older prompt", &["Alt+Up"], || {
        Do::OlderPrompt.into()
    })
    .in_text(),
    Action::new(
        "generate.history_down",
        "Newer prompt",
        &["Alt+Down"],
        || Do::NewerPrompt.into(),
    )
    .in_text(),
    Action::new("generate.dice", "Roll the seed", &["Ctrl+R"], || {
        Do::Dice.into()
    })
    .in_text(),
    Action::new(
        "generate.lock_seed",
        "Lock the seed",
        &["Ctrl+Shift+L"],
        || Do::LockSeed.into(),
    )
    .in_text(),
    Action::new("generate.last_seed", "Use the last seed again", &[], || {
        Do::LastSeed.into()
    }),
    Action::new("generate.mask", "Follow the mask", &[], || {
        Do::Follow(ConditionKind::Mask).into()
    }),
    Action::new("generate.sketch", "Follow the sketch", &[], || {
        Do::Follow(ConditionKind::Sketch).into()
    }),
    Action::new(
        "generate.prompt_only",
        "Follow the prompt alone",
        &[],
        || Do::Follow(ConditionKind::None).into(),
    ),
    Action::new("generate.live", "Live preview", &["Ctrl+L"], || {
        Do::Live.into()
    })
    .in_text(),
    Action::new("generate.keep_live", "Keep the live picture", &[], || {
        Do::KeepLive.into()
    }),
];

#[cfg(test)]
mod tests {
    use mmface_engine::job::Named as _;

    use super::*;

    #[test]
    fn every_kind_of_condition_has_an_action() {
        for &kind in ConditionKind::ALL {
            let command = GenerateCommand::Follow(kind).into();
            assert!(
                ACTIONS.iter().any(|action| (action.command)() == command),
                "{kind:?}"
            );
        }
    }
}
