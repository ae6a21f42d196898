//! The hard brush and the eraser of the mask.

use super::drawing::Drawing;
use super::gesture::Gesture;
use super::raster::{Dab, Point, Shape};
use super::sample::Sample;
use super::settings::{Stabiliser, ToolSettings};
use super::stabiliser::Steady;
use super::stamp::Paint;
use super::tiles::Tiles;

/// Samples without usable times count as this far apart.
const USUAL_SECONDS: f32 = 1.0 / 120.0;

/// Seconds since the last sample, from clocks that may stand still or run backwards.
pub(super) fn step_seconds(last: &mut f32, now: f32) -> f32 {
    let passed = now - *last;
    if now.is_finite() {
        *last = now;
    }
    if passed > 0.0 && passed.is_finite() {
        passed.clamp(1e-4, 1.0)
    } else {
        USUAL_SECONDS
    }
}

/// One stroke of the brush.
pub(super) struct BrushStroke {
    paint: Paint,
    radius: f64,
    /// The radius follows the pressure of a pen.
    pressed: bool,
    steady: Steady,
    last: Dab,
    seconds: f32,
    /// Where the stroke has been, for filling what it encloses.
    path: Vec<Point>,
    contour: bool,
}

/// Points of a path that is remembered; a longer stroke is remembered coarsely.
const MOST_POINTS: usize = 20_000;

impl BrushStroke {
    pub(super) fn begin(
        paint: Paint,
        radius: f32,
        settings: &ToolSettings,
        at: &Sample,
        picture: &mut Tiles,
    ) -> Self {
        // A string shorter than the way to the edge of the canvas; longer ones never draw.
        let stabiliser: Stabiliser = settings.stabiliser;
        let mut stroke = Self {
            paint,
            radius: f64::from(radius),
            pressed: settings.pressure && settings.pressure_width,
            steady: Steady::new(stabiliser, at.point()),
            last: Dab {
                at: at.point(),
                radius: 0.0,
            },
            seconds: at.seconds,
            path: vec![at.point()],
            contour: settings.contour_fill,
        };
        stroke.last = stroke.dab(at.point(), at.force());
        stroke.draw(stroke.last, picture);
        stroke
    }

    /// Continues to a sample. Returns whether a pixel changed.
    fn follow(&mut self, at: &Sample, picture: &mut Tiles) -> bool {
        let seconds = step_seconds(&mut self.seconds, at.seconds);
        let place = self.steady.follow(at.point(), f64::from(seconds));
        let dab = self.dab(place, at.force());
        self.remember(place);
        self.draw(dab, picture)
    }

    /// Ends the stroke where the hand let go.
    fn finish(&mut self, picture: &mut Tiles) {
        if let Some(place) = self.steady.end() {
            let dab = Dab {
                at: place,
                radius: self.last.radius,
            };
            self.remember(place);
            self.draw(dab, picture);
        }
        if self.contour && self.is_closed() {
            let outline = Shape::Polygon(std::mem::take(&mut self.path));
            self.paint.shape(picture, &outline);
        }
    }

    fn dab(&self, at: Point, force: Option<f32>) -> Dab {
        let force = force.filter(|_| self.pressed);
        let share = force.map_or(1.0, |force| 0.3 + 0.7 * f64::from(force));
        let radius = self.radius * share;
        if radius < 0.75 {
            // So thin a pen would miss every pixel's centre: it goes from centre to centre.
            return Dab {
                at: at.map(|value| value.floor() + 0.5),
                radius: 0.5,
            };
        }
        Dab { at, radius }
    }

    fn draw(&mut self, to: Dab, picture: &mut Tiles) -> bool {
        let shape = Shape::Capsule(self.last, to);
        self.last = to;
        self.paint.shape(picture, &shape)
    }

    fn remember(&mut self, place: Point) {
        if !self.contour || self.path.len() >= MOST_POINTS {
            return;
        }
        self.path.push(place);
    }

    /// Whether the stroke came back to where it began, having been away.
    fn is_closed(&self) -> bool {
        let (Some(first), Some(last)) = (self.path.first(), self.path.last()) else {
            return false;
        };
        let from_start = |p: &Point| (p[0] - first[0]).hypot(p[1] - first[1]);
        let near = (2.0 * self.radius).max(12.0);
        let away = self.path.iter().map(from_start).fold(0.0, f64::max);
        from_start(last) <= near && away > 2.0 * near
    }
}

impl Gesture for BrushStroke {
    fn drag(
        &mut self,
        at: &Sample,
        _settings: &mut ToolSettings,
        _before: &Drawing,
        drawing: &mut Drawing,
    ) -> bool {
        self.follow(at, &mut drawing.mask)
    }

    fn end(&mut self, _settings: &ToolSettings, drawing: &mut Drawing) {
        self.finish(&mut drawing.mask);
    }
}
