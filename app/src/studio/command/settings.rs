//! What can be asked of settings and key map.

use super::Action;
use crate::studio::settings::{Change, EngineSettings, Look};

/// Actions on settings.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingsCommand {
    /// Opens or closes the settings window.
    Toggle,
    /// Takes on another value of one setting.
    Set(Change),
    /// Takes on a look.
    Look(Look),
    /// Makes everything larger or smaller by a factor; 1 resets.
    Scale(f32),
    /// Lets the engine compute in another way.
    Engine(EngineSettings),
    /// Computes on the CPU for this session: the chosen card does not answer, for this reason.
    FallBack(String),
    /// Asks the chosen card once more, after it did not answer.
    TryCard,
    /// Keeps so many steps of each new picture.
    KeepSteps(usize),
    /// Lets the kept steps of all pictures take so many megabytes.
    KeepMegabytes(u64),
    /// Forgets all kept steps.
    ForgetSteps,
    /// Gives an action keys; `None` returns it to its default.
    Bind(&'static str, Option<Vec<String>>),
    /// Returns all keys to their defaults.
    ResetKeys,
}

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
    Action::new("settings.show", "Settings", &["Ctrl+Comma"], || {
        SettingsCommand::Toggle.into()
    })
    .in_text(),
    Action::new("settings.dark", "Dark look", &[], || {
        SettingsCommand::Look(Look::Dark).into()
    }),
    Action::new("settings.light", "Light look", &[], || {
        SettingsCommand::Look(Look::Light).into()
    }),
    Action::new("settings.system", "Look of the desktop", &[], || {
        SettingsCommand::Look(Look::System).into()
    }),
    Action::new("settings.reset_keys", "Reset all keys", &[], || {
        SettingsCommand::ResetKeys.into()
    }),
];
