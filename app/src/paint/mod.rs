//! The painting model: the drawing, the tools that change it, and its history. No window, no tensor.
//!
//! For now only what the studio's frame needs; the tools come with the next commits.

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

    /// Takes back the last gesture; false when there is none.
    pub fn undo(&mut self) -> bool {
        false
    }

    /// Does again what was taken back; false when there is nothing.
    pub fn redo(&mut self) -> bool {
        false
    }
}
