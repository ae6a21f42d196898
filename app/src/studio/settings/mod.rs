//! What a person has set once and for all: theme, scale, canvas, engine, keys.
//!
//! `settings.ron` and `keymap.ron` in the config folder; written whole, off the GUI thread, a
//! moment after the last change.

pub mod engine;
pub mod panel;
pub mod storage;

use egui::ThemePreference;
use mmface_engine::contract::PreviewPolicy;
use mmface_engine::kernels::Precision;
use mmface_engine::picture::write::write_atomic;
use serde::{Deserialize, Serialize};

pub use engine::{EngineSettings, Processor};

use super::actions::Action;
use super::folders::Folders;
use super::keymap::{KeyChanges, KeyMap};
use super::state::Studio;
use super::toast::Toast;
use super::trainer;

/// Sides that a canvas can have, pixels.
pub const CANVAS_SIDES: [usize; 2] = [512, 1024];

/// Scales on top of the desktop's own.
pub const SCALES: std::ops::RangeInclusive<f32> = 1.0..=2.0;

/// How dark the studio is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// As the desktop.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// Everything that is set once and for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Dark or light.
    pub look: Look,
    /// Scale on top of the desktop's own, 1..=2.
    pub scale: f32,
    /// Side of new drawings, pixels: one of [`CANVAS_SIDES`].
    pub canvas_side: usize,
    /// Class colours for colour-blind eyes, in place of the model's.
    pub friendly_colours: bool,
    /// Stripes on classes, besides their colours.
    pub hatch: bool,
    /// Names on classes, where they have room.
    pub class_names: bool,
    /// Previews while a picture is made.
    pub previews: PreviewPolicy,
    /// Numbers of the engine: `fast` or `exact`.
    pub precision: Precision,
    /// What computes.
    pub processor: Processor,
    /// Threads of the CPU; 0 for all.
    pub threads: usize,
    /// The model to load at the start; empty for the bundled one.
    pub model: String,
    /// Further folders that are searched for models.
    pub model_folders: Vec<std::path::PathBuf>,
    /// Letters follow their place on the keyboard, not the layout.
    pub keys_by_position: bool,
    /// Pen pressure counts.
    pub pressure: bool,
    /// Tools and classes are shown.
    pub show_left: bool,
    /// Prompt and settings are shown.
    pub show_right: bool,
    /// The filmstrip is shown.
    pub show_filmstrip: bool,
    /// Steps on the way to each picture that are kept to branch off from; 0 keeps none.
    pub trail_steps: usize,
    /// What the kept steps of all pictures may take together, megabytes; the oldest make room.
    pub trail_megabytes: u64,
    /// The notice about real people has been read.
    pub notice_read: bool,
    /// What was last entered in the trainer tab.
    pub trainer: trainer::Form,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            look: Look::System,
            scale: 1.0,
            canvas_side: CANVAS_SIDES[0],
            friendly_colours: true,
            hatch: false,
            class_names: false,
            previews: PreviewPolicy::Auto,
            // What the command line takes, too.
            precision: Precision::Fast,
            processor: Processor::default(),
            threads: 0,
            model: String::new(),
            model_folders: Vec::new(),
            keys_by_position: false,
            pressure: true,
            show_left: true,
            show_right: true,
            show_filmstrip: true,
            trail_steps: 8,
            trail_megabytes: 512,
            notice_read: false,
            trainer: trainer::Form::default(),
        }
    }
}

impl Settings {
    /// Puts foreign values back into their ranges.
    fn checked(mut self) -> Self {
        self.scale = if self.scale.is_finite() {
            self.scale.clamp(*SCALES.start(), *SCALES.end())
        } else {
            1.0
        };
        if !CANVAS_SIDES.contains(&self.canvas_side) {
            self.canvas_side = CANVAS_SIDES[0];
        }
        self.trail_steps = self.trail_steps.min(storage::MOST_STEPS);
        self.trail_megabytes = self.trail_megabytes.clamp(1, storage::MOST_MEGABYTES);
        self.threads = self.threads.min(engine::most_threads());
        self
    }
}

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
    /// Why the chosen card does not compute in this session.
    no_card: Option<String>,
    /// Threads while their slider is dragged.
    threads: Option<usize>,
    /// What lies on the disk.
    pub storage: storage::State,
}

/// Actions on settings.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingsCommand {
    /// Opens or closes the settings window.
    Toggle,
    /// Takes on a look.
    Look(Look),
    /// Makes everything larger or smaller by a factor; 1 resets.
    Scale(f32),
    /// Lets the engine compute in another way.
    Engine(EngineSettings),
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
pub const ACTIONS: &[Action] = &[
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

/// Reads the settings; what cannot be read comes back as sentences, and defaults take its place.
pub fn load(folders: &Folders) -> (Settings, Vec<String>) {
    let mut problems = Vec::new();
    let settings: Settings = read(folders, "settings.ron", &mut problems);
    (settings.checked(), problems)
}

/// Reads the person's own keys.
pub fn load_keys(folders: &Folders, problems: &mut Vec<String>) -> KeyChanges {
    read(folders, "keymap.ron", problems)
}

fn read<T: Default + serde::de::DeserializeOwned>(
    folders: &Folders,
    name: &str,
    problems: &mut Vec<String>,
) -> T {
    let path = folders.config.join(name);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return T::default(),
        Err(error) => {
            problems.push(format!(
                "{}: {error}; the defaults are used",
                path.display()
            ));
            return T::default();
        }
    };
    ron::from_str(&text).unwrap_or_else(|error| {
        // The broken file is kept: a person may have written it.
        let kept = path.with_extension("ron.broken");
        let _ = std::fs::copy(&path, &kept);
        problems.push(format!(
            "{}: {error}; the defaults are used, the file is kept as {}",
            path.display(),
            kept.display()
        ));
        T::default()
    })
}

/// Makes look and scale visible.
pub fn apply(studio: &Studio) {
    studio.ctx.set_theme(match studio.settings.look {
        Look::System => ThemePreference::System,
        Look::Dark => ThemePreference::Dark,
        Look::Light => ThemePreference::Light,
    });
    studio.ctx.set_zoom_factor(studio.settings.scale);
}

/// Does what the command says.
pub fn run(studio: &mut Studio, command: SettingsCommand) {
    match command {
        SettingsCommand::Toggle => {
            studio.settings_window.open ^= true;
            if studio.settings_window.open {
                storage::measure(studio);
            }
        }
        SettingsCommand::Look(look) => {
            studio.settings.look = look;
            apply(studio);
        }
        SettingsCommand::Scale(factor) => {
            studio.settings.scale = factor.clamp(*SCALES.start(), *SCALES.end());
            apply(studio);
        }
        SettingsCommand::Engine(wanted) => engine::take(studio, wanted),
        SettingsCommand::TryCard => engine::try_again(studio),
        SettingsCommand::KeepSteps(steps) => storage::keep_steps(studio, steps),
        SettingsCommand::KeepMegabytes(most) => storage::keep_megabytes(studio, most),
        SettingsCommand::ForgetSteps => storage::forget_steps(studio),
        SettingsCommand::Bind(id, keys) => {
            let mut changes = studio.keymap.changes().clone();
            match keys {
                Some(keys) => changes.0.insert(id.to_string(), keys),
                None => changes.0.remove(id),
            };
            use_keys(studio, changes);
            let others = studio.keymap.conflicts(id);
            if let Some(first) = others.first() {
                let keys = studio.keymap.hint(id).unwrap_or_default();
                studio.tell(Toast::Warning(format!(
                    "{keys} is also the key of “{}”; give one of them another",
                    first.title
                )));
            }
        }
        SettingsCommand::ResetKeys => use_keys(studio, KeyChanges::default()),
    }
}

fn use_keys(studio: &mut Studio, changes: KeyChanges) {
    let (map, problems) = KeyMap::new(changes);
    studio.keymap = map;
    for problem in problems {
        studio.tell(Toast::Warning(problem));
    }
}

/// How long a change rests before it is written, seconds: a dragged slider is one change.
const REST: f64 = 0.5;

/// Writes changed settings, off the GUI thread.
pub fn tick(studio: &mut Studio) {
    let first = studio.settings_window.saved.is_none();
    if first {
        studio.settings_window.saved = Some(studio.settings.clone());
        studio.settings_window.saved_keys = Some(studio.keymap.changes().clone());
    }
    let same = studio.settings_window.saved.as_ref() == Some(&studio.settings)
        && studio.settings_window.saved_keys.as_ref() == Some(studio.keymap.changes());
    if same {
        studio.settings_window.changed_at = None;
        return;
    }
    let since = *studio.settings_window.changed_at.get_or_insert(studio.now);
    if studio.now - since < REST {
        studio
            .ctx
            .request_repaint_after(std::time::Duration::from_secs_f64(REST));
        return;
    }
    save(studio);
}

/// Writes the settings now.
pub fn save(studio: &mut Studio) {
    studio.settings_window.saved = Some(studio.settings.clone());
    studio.settings_window.saved_keys = Some(studio.keymap.changes().clone());
    studio.settings_window.changed_at = None;
    let pretty = ron::ser::PrettyConfig::default();
    let texts = [
        (
            "settings.ron",
            ron::ser::to_string_pretty(&studio.settings, pretty.clone()),
        ),
        (
            "keymap.ron",
            ron::ser::to_string_pretty(studio.keymap.changes(), pretty),
        ),
    ];
    let folder = studio.services.folders.config.clone();
    studio.services.tasks.spawn("saving the settings", move || {
        let result = std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))
            .and_then(|()| {
                texts.into_iter().try_for_each(|(name, text)| {
                    let text = text.map_err(|error| error.to_string())?;
                    write_atomic(&folder.join(name), text.as_bytes())
                        .map_err(|error| error.to_string())
                })
            });
        move |studio: &mut Studio| {
            if let Err(why) = result {
                studio.tell(Toast::Warning(format!(
                    "the settings were not saved: {why}"
                )));
            }
        }
    });
}
