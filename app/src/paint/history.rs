//! Undo and redo, bounded in bytes.
//!
//! A step holds the tiles that its gesture replaced. Undoing exchanges them with those of the
//! drawing, which turns the step into its own inverse: nothing can drift.

use std::collections::VecDeque;
use std::sync::Arc;

use super::drawing::{Drawing, Layer};
use super::tiles::{TILE, Tile};

/// Bytes of replaced tiles that are kept when nothing else was chosen.
pub const DEFAULT_HISTORY_BYTES: usize = 64 << 20;

/// What undoing needs.
enum Saved {
    /// Tiles at their places in a layer.
    Tiles(Vec<(Layer, usize, Arc<Tile>)>),
    /// All of it: the size changed.
    Whole(Box<Drawing>),
}

struct Step {
    name: String,
    saved: Saved,
}

impl Step {
    fn bytes(&self) -> usize {
        let tiles = match &self.saved {
            Saved::Tiles(tiles) => tiles.len(),
            Saved::Whole(drawing) => drawing.mask.tiles().len() + drawing.sketch.tiles().len(),
        };
        tiles * (TILE * TILE + size_of::<(Layer, usize, Arc<Tile>)>()) + self.name.len()
    }

    /// Brings the saved state back and saves the present one.
    fn exchange(&mut self, drawing: &mut Drawing) {
        match &mut self.saved {
            Saved::Tiles(tiles) => {
                for (layer, index, tile) in tiles {
                    let layer = drawing.layer_mut(*layer);
                    if let Some(old) = layer.exchange(*index, tile.clone()) {
                        *tile = old;
                    }
                }
            }
            Saved::Whole(saved) => std::mem::swap(&mut **saved, drawing),
        }
    }
}

/// The steps back and forward.
pub struct History {
    past: VecDeque<Step>,
    future: Vec<Step>,
    bytes: usize,
    limit: usize,
}

impl Default for History {
    fn default() -> Self {
        Self {
            past: VecDeque::new(),
            future: Vec::new(),
            bytes: 0,
            limit: DEFAULT_HISTORY_BYTES,
        }
    }
}

impl History {
    /// Remembers the state before a gesture. Nothing is kept, and `false` returned, where the
    /// gesture changed nothing.
    pub fn commit(&mut self, name: &str, before: &Drawing, now: &Drawing) -> bool {
        let saved = if before.side() == now.side() {
            let tiles = replaced(before, now);
            if tiles.is_empty() {
                return false;
            }
            Saved::Tiles(tiles)
        } else {
            Saved::Whole(Box::new(before.clone()))
        };
        let undone: usize = self.future.drain(..).map(|step| step.bytes()).sum();
        self.bytes -= undone;
        let name = name.to_owned();
        let step = Step { name, saved };
        self.bytes += step.bytes();
        self.past.push_back(step);
        self.trim();
        true
    }

    /// One step back.
    pub fn undo(&mut self, drawing: &mut Drawing) -> bool {
        let Some(mut step) = self.past.pop_back() else {
            return false;
        };
        self.exchange(&mut step, drawing);
        self.future.push(step);
        true
    }

    /// One step forward again.
    pub fn redo(&mut self, drawing: &mut Drawing) -> bool {
        let Some(mut step) = self.future.pop() else {
            return false;
        };
        self.exchange(&mut step, drawing);
        self.past.push_back(step);
        true
    }

    /// What [`Self::undo`] would take back.
    pub fn undo_name(&self) -> Option<&str> {
        self.past.back().map(|step| step.name.as_str())
    }

    /// What [`Self::redo`] would repeat.
    pub fn redo_name(&self) -> Option<&str> {
        self.future.last().map(|step| step.name.as_str())
    }

    /// Steps back and forward.
    pub fn steps(&self) -> (usize, usize) {
        (self.past.len(), self.future.len())
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the limit; the oldest steps go first. The newest step always stays.
    pub fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
        self.trim();
    }

    /// Forgets everything but the limit.
    pub fn clear(&mut self) {
        self.past.clear();
        self.future.clear();
        self.bytes = 0;
    }

    fn exchange(&mut self, step: &mut Step, drawing: &mut Drawing) {
        self.bytes -= step.bytes();
        step.exchange(drawing);
        self.bytes += step.bytes();
    }

    fn trim(&mut self) {
        while self.bytes > self.limit && self.past.len() > 1 {
            if let Some(step) = self.past.pop_front() {
                self.bytes -= step.bytes();
            }
        }
    }
}

/// Tiles of `before` that `now` has otherwise; a tile that was painted and painted back is none.
fn replaced(before: &Drawing, now: &Drawing) -> Vec<(Layer, usize, Arc<Tile>)> {
    let mut tiles = Vec::new();
    for layer in [Layer::Mask, Layer::Sketch] {
        let pairs = before
            .layer(layer)
            .tiles()
            .iter()
            .zip(now.layer(layer).tiles());
        for (index, (old, new)) in pairs.enumerate() {
            if !Arc::ptr_eq(old, new) && old != new {
                tiles.push((layer, index, old.clone()));
            }
        }
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(drawing: &Drawing, y: usize, value: u8) -> Drawing {
        let mut next = drawing.clone();
        next.mask.fill_row(y, 0..512, value);
        next
    }

    #[test]
    fn steps_go_back_and_forth() {
        let mut history = History::default();
        let states = [
            Drawing::new(512),
            painted(&Drawing::new(512), 3, 1),
            painted(&painted(&Drawing::new(512), 3, 1), 3, 2),
        ];
        assert!(history.commit("one", &states[0], &states[1]));
        assert!(history.commit("two", &states[1], &states[2]));
        let mut drawing = states[2].clone();
        assert_eq!(history.undo_name(), Some("two"));
        assert!(history.undo(&mut drawing) && drawing == states[1]);
        assert!(history.undo(&mut drawing) && drawing == states[0]);
        assert!(!history.undo(&mut drawing));
        assert_eq!(history.redo_name(), Some("one"));
        assert!(history.redo(&mut drawing) && drawing == states[1]);
        assert!(history.redo(&mut drawing) && drawing == states[2]);
        assert!(!history.redo(&mut drawing));
    }

    #[test]
    fn a_gesture_without_effect_keeps_the_steps_forward() {
        let mut history = History::default();
        let (empty, line) = (Drawing::new(64), painted(&Drawing::new(64), 1, 1));
        history.commit("line", &empty, &line);
        let mut drawing = line.clone();
        history.undo(&mut drawing);
        // Painted over and back: other tiles, same bytes.
        let back = painted(&painted(&drawing, 1, 5), 1, 0);
        assert!(!history.commit("nothing", &drawing, &back));
        assert_eq!(history.steps(), (0, 1));
        assert!(history.commit("other", &drawing, &painted(&drawing, 9, 4)));
        assert_eq!(history.steps(), (1, 0));
    }

    #[test]
    fn the_oldest_steps_go_when_the_bytes_run_out() {
        let mut history = History::default();
        history.set_limit(200_000);
        let mut drawing = Drawing::new(512);
        let mut states = vec![drawing.clone()];
        for y in 0..40 {
            let next = painted(&drawing, y * 12, 1);
            history.commit("line", &drawing, &next);
            assert!(history.bytes() <= 200_000);
            drawing = next;
            states.push(drawing.clone());
        }
        let (back, _) = history.steps();
        assert!((3..10).contains(&back), "{back}");
        for expected in states.iter().rev().skip(1).take(back) {
            assert!(history.undo(&mut drawing));
            assert_eq!(&drawing, expected);
        }
        assert!(!history.undo(&mut drawing));
        history.clear();
        assert_eq!((history.bytes(), history.steps()), (0, (0, 0)));
    }

    #[test]
    fn a_change_of_size_is_one_step() {
        let mut history = History::default();
        let small = painted(&Drawing::new(512), 100, 13);
        let large = small.resized(1024);
        assert!(history.commit("size", &small, &large));
        let mut drawing = large.clone();
        assert!(history.undo(&mut drawing) && drawing == small);
        assert!(history.redo(&mut drawing) && drawing == large);
        assert!(history.undo(&mut drawing));
        history.commit("line", &small, &painted(&small, 1, 1));
        assert!(history.bytes() < 100_000);
    }
}
