//! The painter as a whole.

mod list;
mod random;
mod time;
mod tools;

use super::*;

const SIDE: usize = 128;

fn painter() -> Painter {
    let mut painter = Painter::new(Drawing::new(SIDE));
    painter.settings.stabiliser = Stabiliser {
        smoothing: 0.0,
        string: 0.0,
    };
    painter
}

fn at(x: f32, y: f32) -> Sample {
    Sample::mouse(x, y, 0.0)
}

fn stroke(painter: &mut Painter, places: &[(f32, f32)], button: Button) {
    for (i, &(x, y)) in places.iter().enumerate() {
        let sample = Sample::mouse(x, y, i as f32 * 0.01);
        if i == 0 {
            painter.press(sample, button);
        } else {
            painter.drag(sample);
        }
    }
    painter.release();
}

fn drag(painter: &mut Painter, places: &[(f32, f32)]) {
    stroke(painter, places, Button::Primary);
}

fn count(painter: &Painter, class: u8) -> usize {
    painter.drawing().mask.counts()[usize::from(class)]
}
