//! The window of the settings, and the feature that owns them: it takes on changes, and writes
//! `settings.ron` and `keymap.ron` whole, off the GUI thread, a moment after the last change.

mod engine;
pub mod panel;
pub mod storage;

use egui::ThemePreference;
use mmface_engine::{Error, file};

use super::command::SettingsCommand;
use super::context::{Context, Inbox};
use super::keymap::{KeyChanges, KeyMap};
use super::settings::{Look, SCALES, Settings};
use super::toast::Toast;

/// The settings window.
#[derive(Debug, Default)]
pub struct State {
    /// It is open.
    pub open: bool,
    /// What is on disk, or on its way there.
    saved: Option<Settings>,
    saved_keys: Option<KeyChanges>,
    /// When the settings last changed.
    changed_at: Option<f64>,
    /// Scale while its slider is dragged.
    scale: Option<f32>,
    /// Threads while their slider is dragged.
    threads: Option<usize>,
    /// What lies on the disk.
    pub storage: storage::State,
    /// What came of slow work.
    pub inbox: Inbox<State>,
}

/// Makes look and scale visible at the start.
pub fn start(cx: &Context) {
    apply(cx);
}

fn apply(cx: &Context) {
    cx.ctx.set_theme(match cx.settings.look {
        Look::System => ThemePreference::System,
        Look::Dark => ThemePreference::Dark,
        Look::Light => ThemePreference::Light,
    });
    cx.ctx.set_zoom_factor(cx.settings.scale);
}

/// Does what the command says.
pub fn handle(state: &mut State, command: SettingsCommand, cx: &mut Context) {
    match command {
        SettingsCommand::Toggle => {
            state.open ^= true;
            if state.open {
                storage::measure(state, cx);
            }
        }
        SettingsCommand::Set(change) => cx.settings.set(change),
        SettingsCommand::Look(look) => {
            cx.settings.look = look;
            apply(cx);
        }
        SettingsCommand::Scale(factor) => {
            cx.settings.scale = factor.clamp(*SCALES.start(), *SCALES.end());
            apply(cx);
        }
        SettingsCommand::Engine(wanted) => engine::take(cx, wanted),
        SettingsCommand::FallBack(why) => engine::fall_back(cx, why),
        SettingsCommand::TryCard => engine::try_again(cx),
        SettingsCommand::KeepSteps(steps) => storage::keep_steps(cx, steps),
        SettingsCommand::KeepMegabytes(most) => storage::keep_megabytes(state, cx, most),
        SettingsCommand::ForgetSteps => storage::forget_steps(state, cx),
        SettingsCommand::Bind(id, keys) => {
            let mut changes = cx.keymap.changes().clone();
            match keys {
                Some(keys) => changes.0.insert(id.to_string(), keys),
                None => changes.0.remove(id),
            };
            use_keys(cx, changes);
            let others = cx.keymap.conflicts(id);
            if let Some(first) = others.first() {
                let keys = cx.keymap.hint(id).unwrap_or_default();
                cx.tell(Toast::Warning(format!(
                    "{keys} is also the key of “{}”; give one of them another",
                    first.title
                )));
            }
        }
        SettingsCommand::ResetKeys => use_keys(cx, KeyChanges::default()),
    }
}

fn use_keys(cx: &mut Context, changes: KeyChanges) {
    let (map, problems) = KeyMap::new(changes);
    cx.keymap = map;
    for problem in problems {
        cx.tell(Toast::Warning(problem));
    }
}

/// How long a change rests before it is written, seconds: a dragged slider is one change.
const REST: f64 = 0.5;

/// Writes changed settings, off the GUI thread.
pub fn tick(state: &mut State, cx: &mut Context) {
    let first = state.saved.is_none();
    if first {
        state.saved = Some(cx.settings.clone());
        state.saved_keys = Some(cx.keymap.changes().clone());
    }
    let same = state.saved.as_ref() == Some(&cx.settings)
        && state.saved_keys.as_ref() == Some(cx.keymap.changes());
    if same {
        state.changed_at = None;
        return;
    }
    let since = *state.changed_at.get_or_insert(cx.now);
    if cx.now - since < REST {
        cx.ctx
            .request_repaint_after(std::time::Duration::from_secs_f64(REST));
        return;
    }
    save(state, cx);
}

/// Writes the settings now.
pub fn save(state: &mut State, cx: &mut Context) {
    state.saved = Some(cx.settings.clone());
    state.saved_keys = Some(cx.keymap.changes().clone());
    state.changed_at = None;
    let pretty = ron::ser::PrettyConfig::default();
    let texts = [
        (
            "settings.ron",
            ron::ser::to_string_pretty(&cx.settings, pretty.clone()),
        ),
        (
            "keymap.ron",
            ron::ser::to_string_pretty(cx.keymap.changes(), pretty),
        ),
    ];
    let folder = cx.services.folders.config.clone();
    cx.spawn_shared("saving the settings", move || {
        let result = texts.into_iter().try_for_each(|(name, text)| {
            let text = text.map_err(Error::unwritable("the settings"))?;
            file::store(&folder.join(name), text.as_bytes())
        });
        move |cx: &mut Context| {
            if let Err(why) = result {
                cx.tell(Toast::Warning(format!(
                    "the settings were not saved: {why}"
                )));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::announcement::Announcement;
    use crate::studio::outbox::Message;
    use crate::studio::settings::{self, Change};
    use crate::studio::testing;

    #[test]
    fn a_change_takes_effect_at_once_and_is_written_when_it_has_rested() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        tick(&mut state, &mut cx);
        let hatch = SettingsCommand::Set(Change::Hatch(true));
        handle(&mut state, hatch, &mut cx);
        assert!(cx.settings.hatch);
        tick(&mut state, &mut cx);
        assert!(cx.services.tasks.running().next().is_none(), "it rests");
        cx.now += REST;
        tick(&mut state, &mut cx);
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        let (written, problems) = settings::load(&cx.services.folders);
        assert!(written.hatch && problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn a_card_that_does_not_answer_is_told_and_the_engine_begins_anew() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        let command = SettingsCommand::FallBack("no card".into());
        handle(&mut state, command, &mut cx);
        assert_eq!(cx.facts.no_card.as_deref(), Some("no card"));
        let replaced = |message: &Message| {
            matches!(message, Message::Announcement(Announcement::EngineReplaced))
        };
        assert!(testing::sent(&cx).iter().any(replaced));
    }
}
