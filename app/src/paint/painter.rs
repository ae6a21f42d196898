//! The drawing, its history and the gesture at hand.
//!
//! A gesture is a transaction: `press` takes a snapshot, `drag` changes the drawing, `release` or
//! `confirm` makes one undo step of it, `abort` brings the snapshot back.

use super::drawing::{Drawing, Layer};
use super::filling::{FillPreview, Filling};
use super::gesture::{Ended, Gesture, Press};
use super::history::History;
use super::overlay::Overlay;
use super::sample::{Button, Sample};
use super::settings::ToolSettings;
use super::tool::Tool;

/// A gesture that has begun.
struct Running {
    before: Drawing,
    tool: Tool,
    button: Button,
    gesture: Box<dyn Gesture>,
}

/// The painting model: everything between the pointer and the pixels.
pub struct Painter {
    /// What the next gesture will do; panels edit it in place.
    pub settings: ToolSettings,
    drawing: Drawing,
    history: History,
    running: Option<Running>,
    revision: u64,
    drawn: u64,
    notice: Option<String>,
    filling: Option<Filling>,
}

impl std::fmt::Debug for Painter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Painter")
            .field("side", &self.drawing.side())
            .field("revision", &self.revision)
            .field("busy", &self.busy())
            .field("history", &self.history.steps())
            .finish_non_exhaustive()
    }
}

impl Painter {
    /// Begins with a drawing. The mirror's axis is put in its middle.
    pub fn new(drawing: Drawing) -> Self {
        let mut painter = Self {
            settings: ToolSettings::default(),
            drawing,
            history: History::default(),
            running: None,
            revision: 0,
            drawn: 0,
            notice: None,
            filling: None,
        };
        painter.settings.mirror.x = painter.drawing.side() as f32 / 2.0;
        painter
    }

    /// The drawing as it is now, with the gesture at hand.
    pub fn drawing(&self) -> &Drawing {
        &self.drawing
    }

    /// Changes with every visible change, of the drawing or of the overlay.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Changes with every change of the drawing only: what Live mode and autosave follow. An open
    /// polygon's rubber band does not count.
    pub fn drawing_revision(&self) -> u64 {
        self.drawn
    }

    /// Something visible changed; `drawn` says whether pixels did.
    fn touch(&mut self, drawn: bool) {
        self.revision += 1;
        self.drawn += u64::from(drawn);
    }

    /// Whether a gesture has begun and is not finished: a stroke, an open polygon, a region with
    /// handles.
    pub fn busy(&self) -> bool {
        self.running.is_some()
    }

    /// What to tell the person, once.
    pub fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    // ---- Gestures ----

    /// A button goes down.
    pub fn press(&mut self, at: Sample, button: Button) {
        if !at.is_sound() {
            return;
        }
        let tool = self.settings.acting_tool();
        if let Some(running) = &mut self.running {
            if !running.gesture.waits() && running.button != button {
                return; // Another button in the middle of a stroke.
            }
            if running.gesture.waits() && running.tool == tool {
                let ended = running.gesture.press(&at, button, &self.settings);
                self.touch(false);
                match ended {
                    Ended::No => return,
                    Ended::Dropped => return self.abort(),
                    Ended::Yes => return self.finish(),
                    Ended::AndAnother => self.finish(),
                }
            } else {
                self.settle();
            }
        }
        self.begin(&at, tool, button);
    }

    fn begin(&mut self, at: &Sample, tool: Tool, button: Button) {
        if !tool.works_on(self.settings.layer) {
            self.notice = Some(match self.settings.layer {
                Layer::Sketch => format!(
                    "{} works on the mask. Choose the mask layer to use it.",
                    tool.title()
                ),
                Layer::Mask => format!(
                    "{} works on the sketch. Choose the sketch layer to use it.",
                    tool.title()
                ),
            });
            return;
        }
        let before = self.drawing.clone();
        let begun = (tool.info().begin)(Press {
            at,
            button,
            settings: &mut self.settings,
            drawing: &mut self.drawing,
            filling: &mut self.filling,
        });
        let gesture = begun.unwrap_or_else(|notice| {
            self.notice = Some(notice);
            None
        });
        self.touch(gesture.as_ref().is_some_and(|gesture| gesture.draws()));
        self.running = gesture.map(|gesture| Running {
            before,
            tool,
            button,
            gesture,
        });
    }

    /// The pointer moves with its button down. Every sample counts: a fast hand must not get
    /// corners.
    pub fn drag(&mut self, at: Sample) {
        if !at.is_sound() {
            return;
        }
        let Some(running) = &mut self.running else {
            return;
        };
        let (before, drawing) = (&running.before, &mut self.drawing);
        if running
            .gesture
            .drag(&at, &mut self.settings, before, drawing)
        {
            let draws = running.gesture.draws();
            self.touch(draws);
        }
    }

    /// The pointer moves without a button: the rubber band of an open polygon follows.
    pub fn hover(&mut self, at: Sample) {
        if let Some(running) = &mut self.running
            && at.is_sound()
            && running.gesture.hover(&at)
        {
            self.touch(false);
        }
    }

    /// The button goes up.
    pub fn release(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.gesture.waits() {
            running.gesture.release();
            self.touch(false);
        } else {
            self.finish();
        }
    }

    /// Accepts what waits: closes an open polygon, puts a moved region down.
    pub fn confirm(&mut self) {
        if self
            .running
            .as_ref()
            .is_some_and(|running| running.gesture.waits())
        {
            self.finish();
        }
    }

    /// Takes the gesture at hand back: every byte is as it was before.
    pub fn abort(&mut self) {
        if let Some(running) = self.running.take() {
            self.drawing = running.before;
            self.touch(running.gesture.draws());
        }
    }

    /// Makes an undo step of the gesture at hand.
    fn finish(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.gesture.end(&self.settings, &mut self.drawing);
            let name = running.tool.title();
            let changed = self.history.commit(name, &running.before, &self.drawing);
            self.touch(changed);
        }
    }

    /// Ends whatever is at hand before something else changes the drawing.
    fn settle(&mut self) {
        self.finish();
    }

    /// Lines and handles of the gesture at hand, in canvas pixels.
    pub fn overlay(&self) -> Overlay {
        let running = self.running.as_ref();
        running.map_or_else(Overlay::default, |running| {
            running.gesture.overlay(&self.settings)
        })
    }

    // ---- What lies under the pointer ----

    /// What a fill at this place would change; `None` outside of the canvas, on the sketch and
    /// where nothing would change.
    pub fn fill_preview(&mut self, x: f32, y: f32) -> Option<FillPreview> {
        if self.settings.layer != Layer::Mask {
            return None;
        }
        let (x, y) = self.drawing.pixel(x, y)?;
        let (mask, settings) = (&self.drawing.mask, &self.settings);
        let value = settings.chosen_class();
        let preview = &Filling::kept(&mut self.filling, mask, settings, value, x, y).preview;
        (preview.share > 0.0).then(|| preview.clone())
    }

    /// Fills what a contour of the class at hand encloses around a place; for a double click.
    /// Says why not where the contour is open.
    pub fn fill_contour(&mut self, x: f32, y: f32) -> bool {
        self.settle();
        let Some((x, y)) = self.drawing.pixel(x, y) else {
            return false;
        };
        let reach = self.settings.radius().unwrap_or(0.0).ceil() as usize + 2;
        match super::contour::fill_enclosed(&self.drawing.mask, &self.settings, x, y, reach) {
            Some(mask) => {
                self.edit("Fill contour", |drawing| drawing.mask = mask);
                true
            }
            None => {
                let class = super::target::title_of(self.settings.chosen_class());
                self.notice = Some(format!(
                    "No closed contour of {class} lies around this place."
                ));
                false
            }
        }
    }

    /// The class under the cursor; `None` outside of the canvas.
    pub fn class_at(&self, x: f32, y: f32) -> Option<u8> {
        self.drawing
            .pixel(x, y)
            .map(|(x, y)| self.drawing.mask.get(x, y))
    }

    // ---- History ----

    /// One step back. While a polygon is open its last corner goes; a region with handles goes
    /// back to its place; in the middle of a stroke nothing happens.
    pub fn undo(&mut self) -> bool {
        if let Some(running) = &mut self.running {
            if !running.gesture.waits() {
                return false;
            }
            if running.gesture.step_back() {
                self.touch(false);
            } else {
                self.abort();
            }
            return true;
        }
        let side = self.drawing.side();
        let done = self.history.undo(&mut self.drawing);
        self.after_change(side, done)
    }

    /// One step forward again.
    pub fn redo(&mut self) -> bool {
        if self.busy() {
            return false;
        }
        let side = self.drawing.side();
        let done = self.history.redo(&mut self.drawing);
        self.after_change(side, done)
    }

    fn after_change(&mut self, side: usize, changed: bool) -> bool {
        if changed {
            self.touch(true);
            self.settings.mirror.x *= self.drawing.side() as f32 / side as f32;
        }
        changed
    }

    /// Whether [`Self::undo`] would do something.
    pub fn can_undo(&self) -> bool {
        match &self.running {
            Some(running) => running.gesture.waits(),
            None => self.history.undo_name().is_some(),
        }
    }

    /// Whether [`Self::redo`] would do something.
    pub fn can_redo(&self) -> bool {
        !self.busy() && self.history.redo_name().is_some()
    }

    /// What would be undone: "Brush".
    pub fn undo_name(&self) -> Option<&str> {
        self.history.undo_name()
    }

    /// What would be done again.
    pub fn redo_name(&self) -> Option<&str> {
        self.history.redo_name()
    }

    /// Steps that can be undone and redone.
    pub fn steps(&self) -> (usize, usize) {
        self.history.steps()
    }

    /// Bytes that undo and redo hold.
    pub fn history_bytes(&self) -> usize {
        self.history.bytes()
    }

    /// Limits the bytes of undo and redo; the oldest steps go first.
    pub fn set_history_limit(&mut self, bytes: usize) {
        self.history.set_limit(bytes);
    }

    /// Changes the drawing as one undo step: an import, a template, a fix of the mask doctor. A
    /// gesture at hand is finished first. Layers of unequal size are refused: nothing changes.
    pub fn edit(&mut self, name: &str, change: impl FnOnce(&mut Drawing)) {
        self.settle();
        let before = self.drawing.clone();
        change(&mut self.drawing);
        if !self.drawing.is_sound() {
            self.drawing = before;
            return;
        }
        let changed = self.history.commit(name, &before, &self.drawing);
        self.after_change(before.side(), changed);
    }

    /// Another document: gesture and history are forgotten.
    pub fn replace(&mut self, drawing: Drawing) {
        let side = self.drawing.side();
        self.running = None;
        self.filling = None;
        self.history.clear();
        self.drawing = drawing;
        self.after_change(side, true);
    }

    /// Empties a layer.
    pub fn clear(&mut self, layer: Layer) {
        self.edit("Clear", |drawing| drawing.clear(layer));
    }

    /// Mirrors both layers; left and right classes change places.
    pub fn flip(&mut self) {
        self.edit("Flip", |drawing| *drawing = drawing.flipped());
    }

    /// Changes the side of the canvas.
    pub fn resize(&mut self, side: usize) {
        self.edit("Change canvas size", |drawing| {
            *drawing = drawing.resized(side)
        });
    }
}
