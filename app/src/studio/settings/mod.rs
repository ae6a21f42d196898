//! What a person has set once and for all, as plain values: theme, scale, canvas, engine.
//!
//! They lie in `settings.ron` in the config folder; the settings window writes them.

mod change;
pub mod engine;
pub mod file;
pub mod training;

use mmface_engine::contract::PreviewPolicy;
use mmface_engine::kernels::Precision;
use serde::{Deserialize, Serialize};

pub use change::Change;
pub use engine::{EngineSettings, Processor};

use super::folders::Folders;

/// Most steps of a picture that can be kept.
pub const MOST_STEPS: usize = 64;
/// Bytes of a megabyte.
pub const MEGABYTE: u64 = 1_000_000;
/// Largest limit of the kept steps, megabytes.
pub const MOST_MEGABYTES: u64 = 1_000_000;

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
    pub trainer: training::Form,
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
            trainer: training::Form::default(),
        }
    }
}

impl Settings {
    /// Most bytes that kept steps take.
    pub fn trail_bytes(&self) -> u64 {
        self.trail_megabytes * MEGABYTE
    }

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
        self.trail_steps = self.trail_steps.min(MOST_STEPS);
        self.trail_megabytes = self.trail_megabytes.clamp(1, MOST_MEGABYTES);
        self.threads = self.threads.min(engine::most_threads());
        self
    }
}

/// Reads the settings; what cannot be read comes back as sentences, and defaults take its place.
pub fn load(folders: &Folders) -> (Settings, Vec<String>) {
    let mut problems = Vec::new();
    let settings: Settings = file::read(folders, "settings.ron", &mut problems);
    (settings.checked(), problems)
}
