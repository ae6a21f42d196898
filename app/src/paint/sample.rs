//! Samples of the pointer.

use super::raster::{FAR, Point};

/// Where the pointer was, in canvas pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Columns from the canvas's left edge; any value, also outside of the canvas.
    pub x: f32,
    /// Rows from the upper edge.
    pub y: f32,
    /// 0..=1; negative where the device knows no pressure, as with a mouse.
    pub pressure: f32,
    /// Since the gesture began.
    pub seconds: f32,
}

impl Sample {
    /// Of a device without pressure.
    pub fn mouse(x: f32, y: f32, seconds: f32) -> Self {
        Self::pen(x, y, -1.0, seconds)
    }

    /// Of a pen.
    pub fn pen(x: f32, y: f32, pressure: f32, seconds: f32) -> Self {
        Self {
            x,
            y,
            pressure,
            seconds,
        }
    }

    /// Whether the place is a number. Others are ignored: some drivers send them.
    pub(super) fn is_sound(&self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }

    pub(super) fn point(&self) -> Point {
        [self.x, self.y].map(|value| f64::from(value).clamp(-FAR, FAR))
    }

    /// The pressure, of a device that has one.
    pub(super) fn force(&self) -> Option<f32> {
        (self.pressure >= 0.0).then(|| self.pressure.min(1.0))
    }
}

/// Which button of the pointer, or end of the pen, a gesture began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// The tool does what it does.
    Primary,
    /// The tool erases to background, or to paper.
    Secondary,
}
