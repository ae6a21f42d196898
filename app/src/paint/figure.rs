//! Line and ellipse: figures between two points, redrawn on every move.

use super::drawing::{Drawing, Layer};
use super::gesture::{Gesture, Press};
use super::pencil::{PressureRule, SoftPen};
use super::raster::{Dab, Point, Shape};
use super::sample::Sample;
use super::settings::ToolSettings;
use super::stamp::Paint;
use super::tiles::Tiles;

/// What puts the figure on its layer.
pub(super) enum Pen {
    /// Hard on the mask.
    Hard(Box<Paint>),
    /// Soft on the sketch: an ellipse is an outline there. The grey and hardness make a new pen
    /// for each redrawing.
    Soft {
        rule: PressureRule,
        ink: u8,
        hardness: f32,
        axis: Option<super::mirror::Axis>,
    },
}

/// A line or an ellipse that is being drawn.
pub(super) struct Figure {
    ellipse: bool,
    /// Of a line.
    radius: f64,
    pen: Pen,
    layer: Layer,
    start: Point,
    end: Point,
}

/// Straight pieces of an ellipse's outline.
const PIECES: usize = 96;

impl Figure {
    /// A line; its radius counts for hard paint, a soft pen has its own.
    pub(super) fn line(radius: f32, pen: Pen, press: &Press<'_>) -> Self {
        Self {
            ellipse: false,
            radius: f64::from(radius),
            ..Self::ellipse(pen, press)
        }
    }

    pub(super) fn ellipse(pen: Pen, press: &Press<'_>) -> Self {
        Self {
            ellipse: true,
            radius: 0.0,
            pen,
            layer: press.settings.layer,
            start: press.at.point(),
            end: press.at.point(),
        }
    }

    /// Draws it on the picture as it was before.
    fn draw(&self, before: &Tiles, constrain: bool, from_centre: bool) -> Tiles {
        let mut picture = before.clone();
        let end = if constrain {
            self.constrained()
        } else {
            self.end
        };
        let (centre, half) = self.frame(end, from_centre);
        match &self.pen {
            Pen::Hard(paint) => {
                let shape = if self.ellipse {
                    Shape::Ellipse {
                        centre,
                        axes: [[half[0], 0.0], [0.0, half[1]]],
                    }
                } else {
                    let dab = |at: Point| Dab {
                        at,
                        radius: self.radius,
                    };
                    Shape::Capsule(dab(self.start), dab(end))
                };
                paint.shape(&mut picture, &shape);
            }
            Pen::Soft {
                rule,
                ink,
                hardness,
                axis,
            } => {
                let mut pen = SoftPen::new(before, *ink, *hardness, *axis);
                let dab = |at: Point| rule.dab(at, 1.0);
                if self.ellipse {
                    let at = |i: usize| {
                        let (sin, cos) =
                            (i as f64 / PIECES as f64 * std::f64::consts::TAU).sin_cos();
                        dab([centre[0] + half[0] * cos, centre[1] + half[1] * sin])
                    };
                    for i in 0..PIECES {
                        pen.line(at(i), at(i + 1), &mut picture);
                    }
                } else {
                    pen.line(dab(self.start), dab(end), &mut picture);
                }
            }
        }
        picture
    }

    /// Centre and half sides of the box of an ellipse.
    fn frame(&self, end: Point, from_centre: bool) -> (Point, [f64; 2]) {
        let way = [end[0] - self.start[0], end[1] - self.start[1]];
        if from_centre {
            (self.start, way.map(f64::abs))
        } else {
            let centre = [self.start[0] + way[0] / 2.0, self.start[1] + way[1] / 2.0];
            (centre, way.map(|side| side.abs() / 2.0))
        }
    }

    /// A line in steps of 15 degrees, a box with even sides.
    fn constrained(&self) -> Point {
        let way = [self.end[0] - self.start[0], self.end[1] - self.start[1]];
        if self.ellipse {
            let side = way[0].abs().max(way[1].abs());
            return [
                self.start[0] + side.copysign(way[0]),
                self.start[1] + side.copysign(way[1]),
            ];
        }
        let length = way[0].hypot(way[1]);
        let step = std::f64::consts::PI / 12.0;
        let (sin, cos) = ((way[1].atan2(way[0]) / step).round() * step).sin_cos();
        [self.start[0] + length * cos, self.start[1] + length * sin]
    }
}

impl Gesture for Figure {
    fn drag(
        &mut self,
        at: &Sample,
        settings: &mut ToolSettings,
        before: &Drawing,
        drawing: &mut Drawing,
    ) -> bool {
        self.end = at.point();
        let (constrain, from_centre) = (settings.constrain, settings.from_centre);
        let picture = self.draw(before.layer(self.layer), constrain, from_centre);
        *drawing.layer_mut(self.layer) = picture;
        true
    }
}
