//! What the view draws over the canvas while a gesture is unfinished.

/// A line in canvas pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlayLine {
    /// Its corners.
    pub points: Vec<[f32; 2]>,
    /// Whether the last corner is joined with the first.
    pub closed: bool,
}

/// What a handle does when it is dragged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleKind {
    /// Scales about the opposite corner or edge. The place on the box: columns and rows -1, 0, 1.
    Scale(i8, i8),
    /// Turns about the centre.
    Rotate,
    /// Closes the polygon.
    Close,
}

/// A place to take hold of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Handle {
    /// Where, in canvas pixels.
    pub at: [f32; 2],
    /// What for.
    pub kind: HandleKind,
}

/// Lines and handles of the gesture at hand; empty without one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// Outlines, rubber bands, boxes.
    pub lines: Vec<OverlayLine>,
    /// Handles.
    pub handles: Vec<Handle>,
}

impl Overlay {
    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.handles.is_empty()
    }
}
