//! Lasso and polygon: outlines that are filled when they are closed.

use super::drawing::{Drawing, Layer};
use super::gesture::{Ended, Gesture, Press};
use super::overlay::{Handle, HandleKind, Overlay, OverlayLine};
use super::raster::{Point, Shape};
use super::sample::{Button, Sample};
use super::settings::ToolSettings;
use super::stamp::Paint;

/// Outlines lie on this grid of parts of a pixel. The same outline drawn at another zoom comes with
/// other rounding errors; on the grid it is the same outline again.
const GRID: f64 = 64.0;

/// Points of an outline; a longer one is cut.
const MOST_POINTS: usize = 50_000;

/// An outline that is being drawn.
pub(super) struct Outline {
    /// Corners are set one by one.
    by_corners: bool,
    layer: Layer,
    /// What it leaves there.
    value: u8,
    points: Vec<Point>,
    /// The end of the rubber band.
    hover: Option<Point>,
}

impl Outline {
    pub(super) fn begin(by_corners: bool, press: &Press<'_>) -> Self {
        Self {
            by_corners,
            layer: press.settings.layer,
            value: press.outline_value(),
            points: vec![on_grid(press.at.point())],
            hover: None,
        }
    }

    /// Continues by hand, or moves the corner that has just been set.
    fn follow(&mut self, at: Point) {
        let at = on_grid(at);
        if self.by_corners {
            if let Some(corner) = self.points.last_mut() {
                *corner = at;
            }
        } else if self.points.last() != Some(&at) && self.points.len() < MOST_POINTS {
            self.points.push(at);
        }
        self.hover = None;
    }

    fn add_corner(&mut self, at: Point) {
        let at = on_grid(at);
        if self.points.last() != Some(&at) && self.points.len() < MOST_POINTS {
            self.points.push(at);
        }
        self.hover = None;
    }

    /// Takes the last corner back; false when none is left.
    fn remove_corner(&mut self) -> bool {
        self.points.pop();
        !self.points.is_empty()
    }

    /// Whether a press there closes the outline.
    fn closes_at(&self, at: Point, reach: f64) -> bool {
        self.points.len() >= 3
            && self
                .points
                .first()
                .is_some_and(|first| (first[0] - at[0]).hypot(first[1] - at[1]) <= reach)
    }

    /// What it encloses.
    fn shape(&self) -> Option<Shape> {
        (self.points.len() >= 3).then(|| Shape::Polygon(self.points.clone()))
    }

    /// The line for the view.
    fn line(&self) -> impl Iterator<Item = Point> + '_ {
        self.points.iter().copied().chain(self.hover)
    }
}

impl Gesture for Outline {
    fn waits(&self) -> bool {
        self.by_corners
    }

    fn draws(&self) -> bool {
        false
    }

    fn press(&mut self, at: &Sample, button: Button, settings: &ToolSettings) -> Ended {
        if button == Button::Secondary {
            return if self.remove_corner() {
                Ended::No
            } else {
                Ended::Dropped
            };
        }
        if self.closes_at(at.point(), f64::from(settings.reach)) {
            return Ended::Yes;
        }
        self.add_corner(at.point());
        Ended::No
    }

    fn drag(
        &mut self,
        at: &Sample,
        _settings: &mut ToolSettings,
        _before: &Drawing,
        _drawing: &mut Drawing,
    ) -> bool {
        self.follow(at.point());
        true
    }

    fn hover(&mut self, at: &Sample) -> bool {
        if self.by_corners {
            self.hover = Some(on_grid(at.point()));
        }
        self.by_corners
    }

    fn step_back(&mut self) -> bool {
        self.remove_corner()
    }

    fn end(&mut self, settings: &ToolSettings, drawing: &mut Drawing) {
        let Some(shape) = self.shape() else {
            return;
        };
        let side = drawing.side();
        let paint = match self.layer {
            Layer::Mask => settings.paint(self.value, side),
            Layer::Sketch => Paint::grey(self.value, settings.mirror.active(side)),
        };
        paint.shape(drawing.layer_mut(self.layer), &shape);
    }

    fn overlay(&self, _settings: &ToolSettings) -> Overlay {
        let points: Vec<[f32; 2]> = self.line().map(|p| p.map(|value| value as f32)).collect();
        let first = points.first().copied().filter(|_| self.by_corners);
        let handles = first.map(|at| Handle {
            at,
            kind: HandleKind::Close,
        });
        Overlay {
            lines: vec![OverlayLine {
                points,
                closed: !self.by_corners,
            }],
            handles: handles.into_iter().collect(),
        }
    }
}

fn on_grid(point: Point) -> Point {
    point.map(|value| (value * GRID).round() / GRID)
}
