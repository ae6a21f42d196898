//! What happens between press and release: what every tool's gesture answers.

use mmface_engine::labels::class;

use super::drawing::{Drawing, Layer, PAPER};
use super::filling::Filling;
use super::mirror::Axis;
use super::overlay::Overlay;
use super::sample::{Button, Sample};
use super::settings::ToolSettings;
use super::stamp::Paint;

/// A press that begins a gesture.
pub(super) struct Press<'a> {
    pub at: &'a Sample,
    pub button: Button,
    pub settings: &'a mut ToolSettings,
    pub drawing: &'a mut Drawing,
    /// The fill that was computed last.
    pub filling: &'a mut Option<Filling>,
}

/// Begins a tool's gesture; `None` where there is nothing to do. An error is a sentence for the
/// person.
pub(super) type Begin = fn(Press<'_>) -> Result<Option<Box<dyn Gesture>>, String>;

impl Press<'_> {
    /// Whether the button is the one that erases.
    pub(super) fn erases(&self) -> bool {
        self.button == Button::Secondary
    }

    /// The class that a tool paints with this button.
    pub(super) fn value(&self) -> u8 {
        if self.erases() {
            class::BACKGROUND
        } else {
            self.settings.chosen_class()
        }
    }

    /// What a filled outline leaves on the layer: the class, or paper on the sketch.
    pub(super) fn outline_value(&self) -> u8 {
        match self.settings.layer {
            Layer::Mask => self.value(),
            Layer::Sketch => PAPER,
        }
    }

    /// The mirror's axis, if it is on.
    pub(super) fn axis(&self) -> Option<Axis> {
        self.settings.mirror.active(self.drawing.side())
    }

    /// Hard paint of a class for the mask.
    pub(super) fn paint(&self, value: u8) -> Paint {
        self.settings.paint(value, self.drawing.side())
    }
}

impl ToolSettings {
    pub(super) fn paint(&self, value: u8, side: usize) -> Paint {
        Paint::class(value, self.target, self.locked, self.mirror.active(side))
    }
}

/// What a press did to a gesture that waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It continues.
    No,
    /// It is to be finished.
    Yes,
    /// Nothing is left of it.
    Dropped,
    /// It is to be finished, and the press begins the next.
    AndAnother,
}

/// A gesture that has begun.
pub(super) trait Gesture: Send + Sync {
    /// Whether it continues after the button is up.
    fn waits(&self) -> bool {
        false
    }

    /// Whether it changes pixels as it continues; an outline only does when it is closed.
    fn draws(&self) -> bool {
        true
    }

    /// A press while it waits.
    fn press(&mut self, _at: &Sample, _button: Button, _settings: &ToolSettings) -> Ended {
        Ended::No
    }

    /// The pointer moves with its button down. Returns whether something visible changed.
    fn drag(
        &mut self,
        _at: &Sample,
        _settings: &mut ToolSettings,
        _before: &Drawing,
        _drawing: &mut Drawing,
    ) -> bool {
        false
    }

    /// Moves a rubber band. Returns whether there is one.
    fn hover(&mut self, _at: &Sample) -> bool {
        false
    }

    /// The button goes up while it waits on.
    fn release(&mut self) {}

    /// Takes back the last part of it; false when nothing is left.
    fn step_back(&mut self) -> bool {
        false
    }

    /// Puts the last of it on the drawing.
    fn end(&mut self, _settings: &ToolSettings, _drawing: &mut Drawing) {}

    /// What the view draws over the canvas.
    fn overlay(&self, _settings: &ToolSettings) -> Overlay {
        Overlay::default()
    }
}
