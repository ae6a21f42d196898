//! Lasso and polygon: outlines that are filled when they are closed.

use super::raster::{Point, Shape};

/// Outlines lie on this grid of parts of a pixel. The same outline drawn at another zoom comes with
/// other rounding errors; on the grid it is the same outline again.
const GRID: f64 = 64.0;

/// Points of an outline; a longer one is cut.
const MOST_POINTS: usize = 50_000;

/// An outline that is being drawn.
pub(super) struct Outline {
    /// Corners are set one by one.
    pub by_corners: bool,
    points: Vec<Point>,
    /// The end of the rubber band.
    hover: Option<Point>,
}

impl Outline {
    pub(super) fn begin(by_corners: bool, at: Point) -> Self {
        Self {
            by_corners,
            points: vec![on_grid(at)],
            hover: None,
        }
    }

    /// Goes on by hand, or moves the corner that has just been set.
    pub(super) fn follow(&mut self, at: Point) {
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

    /// Moves the rubber band.
    pub(super) fn hover(&mut self, at: Point) {
        self.hover = Some(on_grid(at));
    }

    pub(super) fn add_corner(&mut self, at: Point) {
        let at = on_grid(at);
        if self.points.last() != Some(&at) && self.points.len() < MOST_POINTS {
            self.points.push(at);
        }
        self.hover = None;
    }

    /// Takes the last corner back; false when none is left.
    pub(super) fn remove_corner(&mut self) -> bool {
        self.points.pop();
        !self.points.is_empty()
    }

    /// Whether a press there closes the outline.
    pub(super) fn closes_at(&self, at: Point, reach: f64) -> bool {
        self.points.len() >= 3
            && self
                .points
                .first()
                .is_some_and(|first| (first[0] - at[0]).hypot(first[1] - at[1]) <= reach)
    }

    /// What it encloses.
    pub(super) fn shape(&self) -> Option<Shape> {
        (self.points.len() >= 3).then(|| Shape::Polygon(self.points.clone()))
    }

    /// The line for the view.
    pub(super) fn line(&self) -> impl Iterator<Item = Point> + '_ {
        self.points.iter().copied().chain(self.hover)
    }
}

fn on_grid(point: Point) -> Point {
    point.map(|value| (value * GRID).round() / GRID)
}
