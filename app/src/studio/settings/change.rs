//! Single values that switches of several panels set.

use super::Settings;

/// Another value of one setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Class colours for colour-blind eyes.
    FriendlyColours(bool),
    /// Stripes on classes.
    Hatch(bool),
    /// Names on classes.
    ClassNames(bool),
    /// Pen pressure counts.
    Pressure(bool),
    /// Letters follow their place on the keyboard.
    KeysByPosition(bool),
    /// Side of new drawings, pixels.
    CanvasSide(usize),
}

impl Settings {
    /// Takes on another value.
    pub fn set(&mut self, change: Change) {
        match change {
            Change::FriendlyColours(on) => self.friendly_colours = on,
            Change::Hatch(on) => self.hatch = on,
            Change::ClassNames(on) => self.class_names = on,
            Change::Pressure(on) => self.pressure = on,
            Change::KeysByPosition(on) => self.keys_by_position = on,
            Change::CanvasSide(side) => self.canvas_side = side,
        }
    }
}
