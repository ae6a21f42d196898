//! The painting model: the drawing, the tools that change it, and its history. No window, no tensor.
//!
//! For now only what the studio's frame needs; the tools come with the next commits.

use mmface_engine::condition::{GrayImage, LabelImage};

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Drawing {
    side: usize,
}

impl Drawing {
    /// An empty drawing of `side` × `side` pixels.
    pub fn new(side: usize) -> Self {
        Self { side }
    }

    /// Width and height in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The mask as the engine takes it.
    pub fn label_image(&self) -> LabelImage {
        LabelImage::filled(self.side, self.side, 0)
    }

    /// The sketch as the engine takes it.
    pub fn gray_image(&self) -> GrayImage {
        GrayImage::filled(self.side, self.side, 255)
    }
}

/// The drawing with its history and the gesture at hand.
#[derive(Debug)]
pub struct Painter {
    drawing: Drawing,
}

impl Painter {
    /// Starts on a drawing, with no history.
    pub fn new(drawing: Drawing) -> Self {
        Self { drawing }
    }

    /// What is drawn.
    pub fn drawing(&self) -> &Drawing {
        &self.drawing
    }

    /// Changes with every visible change.
    pub fn revision(&self) -> u64 {
        0
    }

    /// Takes back the last gesture; false when there is none.
    pub fn undo(&mut self) -> bool {
        false
    }

    /// Does again what was taken back; false when there is nothing.
    pub fn redo(&mut self) -> bool {
        false
    }
}
