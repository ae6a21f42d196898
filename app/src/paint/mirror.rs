//! The mirror: what the left hand draws, the right hand draws too, with left and right exchanged.

use mmface_engine::labels::palette;
use serde::{Deserialize, Serialize};

/// Steepest tilt of the axis, in radians: beyond it left and right mean nothing.
pub const MAX_TILT: f32 = 1.2;

/// A mirror with an axis that can be moved and tilted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mirror {
    /// Whether strokes are mirrored.
    pub on: bool,
    /// Where the axis crosses the middle height of the canvas, in canvas pixels. An upright axis
    /// snaps to half pixels, so that it lies on a column or between two and both halves are alike
    /// to the pixel.
    pub x: f32,
    /// Radians by which the axis leans; positive goes right downwards. At most [`MAX_TILT`].
    pub tilt: f32,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            on: false,
            x: 256.0,
            tilt: 0.0,
        }
    }
}

impl Mirror {
    /// The axis for a canvas of this side, whether the mirror is on or not.
    pub fn axis(&self, side: usize) -> Axis {
        let tilt = if self.tilt.is_nan() {
            0.0
        } else {
            self.tilt.clamp(-MAX_TILT, MAX_TILT)
        };
        let tilt = if tilt.abs() < 1e-4 {
            0.0
        } else {
            f64::from(tilt)
        };
        let side = side as f64;
        let x = if self.x.is_nan() {
            side / 2.0
        } else {
            f64::from(self.x).clamp(-side, 2.0 * side)
        };
        Axis {
            x: if tilt == 0.0 {
                (x * 2.0).round() / 2.0
            } else {
                x
            },
            middle: side / 2.0,
            tilt,
        }
    }

    /// The axis, where the mirror is on.
    pub(super) fn active(&self, side: usize) -> Option<Axis> {
        self.on.then(|| self.axis(side))
    }

    /// Both ends of the axis on the canvas's upper and lower edge, for the view.
    pub fn ends(&self, side: usize) -> [[f32; 2]; 2] {
        let axis = self.axis(side);
        let end = |y: f64| [axis.x_at(y) as f32, y as f32];
        [end(0.0), end(side as f64)]
    }
}

/// A mirror axis on a canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    x: f64,
    middle: f64,
    tilt: f64,
}

impl Axis {
    /// The mirror image of a point.
    pub fn reflect(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        if self.tilt == 0.0 {
            // Exact in floating point: both halves come out alike.
            return [2.0 * self.x - x, y];
        }
        let [dx, dy] = self.reflect_direction([x - self.x, y - self.middle]);
        [self.x + dx, self.middle + dy]
    }

    /// The mirror image of a direction.
    pub(super) fn reflect_direction(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        if self.tilt == 0.0 {
            return [-x, y];
        }
        let (sin, cos) = self.tilt.sin_cos();
        let along = 2.0 * (x * sin + y * cos);
        [along * sin - x, along * cos - y]
    }

    /// Where the axis crosses a height.
    pub fn x_at(&self, y: f64) -> f64 {
        self.x + (y - self.middle) * self.tilt.tan()
    }

    /// Whether a point lies left of the axis.
    pub(super) fn is_left(&self, [x, y]: [f64; 2]) -> bool {
        x < self.x_at(y)
    }

    /// First column right of the axis in a row of pixels.
    pub(super) fn split(&self, y: i32) -> i32 {
        (self.x_at(f64::from(y) + 0.5) - 0.5)
            .ceil()
            .clamp(-1e6, 1e6) as i32
    }

    /// For an upright axis the sum of a column's left edge and its twin's right edge.
    pub(super) fn exact(&self) -> Option<i32> {
        (self.tilt == 0.0).then_some((2.0 * self.x) as i32)
    }
}

/// What the mirrored hand paints.
pub(super) fn twin(class: u8) -> u8 {
    palette().mirror(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflecting_twice_is_nothing() {
        for tilt in [0.0, 0.3, -1.0, 9.0] {
            let axis = Mirror {
                on: true,
                x: 200.3,
                tilt,
            }
            .axis(512);
            let [x, y] = axis.reflect(axis.reflect([17.0, 400.0]));
            assert!((x - 17.0).abs() < 1e-9 && (y - 400.0).abs() < 1e-9);
        }
    }

    #[test]
    fn points_on_the_axis_stay() {
        let mirror = Mirror {
            on: true,
            x: 300.0,
            tilt: 0.4,
        };
        let axis = mirror.axis(512);
        for [x, y] in mirror.ends(512) {
            let [rx, ry] = axis.reflect([f64::from(x), f64::from(y)]);
            assert!((rx - f64::from(x)).abs() < 1e-3 && (ry - f64::from(y)).abs() < 1e-3);
        }
        assert!(axis.is_left([axis.x_at(100.0) - 0.1, 100.0]));
        assert!(
            mirror.ends(512)[1][0] > mirror.ends(512)[0][0],
            "positive leans right downwards"
        );
    }

    #[test]
    fn an_upright_axis_snaps_to_half_pixels() {
        let axis = |x| {
            Mirror {
                on: true,
                x,
                tilt: 0.0,
            }
            .axis(512)
            .exact()
        };
        assert_eq!(
            [axis(256.1), axis(255.6), axis(f32::NAN)],
            [Some(512), Some(511), Some(512)]
        );
    }
}
