//! What features know and others read: each part is written by the feature that it belongs to and
//! by nobody else.

use std::ops::Range;
use std::sync::Arc;

use mmface_engine::contract::ModelSummary;

use super::document::WorkId;
use super::model_memory::Memory;
use crate::project::Recent;

/// Everything that features tell of themselves.
#[derive(Debug, Default)]
pub struct Facts {
    /// The model of the engine; written by the model list.
    pub model: ModelStatus,
    /// What is being drawn; written by whoever runs jobs.
    pub drawing: Drawing,
    /// What training takes; written by the trainer tab.
    pub training: Training,
    /// Where the pointer is, and what the canvas shows; written by the canvas.
    pub canvas: Canvas,
    /// A photo is open in its window; written by the photo.
    pub photo_open: bool,
    /// The projects that were opened last; written by whoever opens them.
    pub recent: Recent,
    /// Prompts that were used, newest first; written by whoever draws them.
    pub used_prompts: Vec<String>,
    /// What is selected in the prompt: the prompt of then, and bytes of it; written by whoever shows it.
    pub prompt_selection: Option<(String, Range<usize>)>,
    /// What the loaded model takes of the memory; written by the model list.
    pub model_memory: Option<Memory>,
    /// Why the chosen card does not compute in this session; written by the settings window.
    pub no_card: Option<String>,
}

/// How far the engine is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// For people: "Step 4 of 20".
    pub text: String,
    /// 0..=1.
    pub share: f32,
}

/// The picture that the engine draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The work that it is part of.
    pub work: WorkId,
    /// Place of the picture among those of the work, from 0, and their number.
    pub picture: (usize, usize),
    /// Steps done and all steps of this picture.
    pub step: (usize, usize),
}

/// What is being drawn.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// The picture that the engine draws.
    pub running: Option<Running>,
    /// The same for people.
    pub progress: Option<Progress>,
    /// Pictures that are on their way to the disk.
    pub unsaved: usize,
    /// Live mode is on.
    pub live: bool,
    /// Average time of a step, seconds.
    pub step_seconds: Option<f64>,
}

/// What training takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Training {
    /// It uses the device: who wants to draw asks first.
    pub uses_device: bool,
    /// It has to be asked about before the window closes.
    pub holds_window: bool,
}

/// What the canvas shows and where the pointer is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Canvas {
    /// The canvas point under the pointer.
    pub hover: Option<egui::Pos2>,
    /// A stroke, a pan or another gesture of the pointer is going on.
    pub in_gesture: bool,
    /// There is a picture to show.
    pub has_picture: bool,
}

/// What the engine says of its model.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ModelStatus {
    /// Nothing was asked for.
    #[default]
    Nothing,
    /// It is being loaded.
    Loading {
        /// How much is done, 0..=1.
        fraction: f32,
        /// The part at hand.
        what: String,
    },
    /// Jobs run on it.
    Ready(Arc<ModelSummary>),
    /// It could not be loaded: why, and what to do.
    Failed(String),
}

impl ModelStatus {
    /// The loaded model.
    pub fn ready(&self) -> Option<&Arc<ModelSummary>> {
        match self {
            Self::Ready(summary) => Some(summary),
            _ => None,
        }
    }
}
