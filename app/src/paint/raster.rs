//! From shapes to runs of pixels.
//!
//! A pixel belongs to a shape when its centre does. Shapes live in canvas pixels, so the zoom of
//! the view changes nothing; rows beyond the canvas are left out, columns beyond it stay for the
//! mirror and are cut when they are written.

use std::ops::Range;

use super::mirror::Axis;

/// Coordinates beyond this are cut: far outside of any canvas, harmless in integers.
pub(super) const FAR: f64 = 1e6;

/// A point in canvas pixels.
pub(super) type Point = [f64; 2];

/// Pixels `from..to` of row `y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub y: i32,
    pub from: i32,
    pub to: i32,
}

/// A round dab.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dab {
    pub at: Point,
    pub radius: f64,
}

/// What can be filled.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// The way of a dab from one place to another, its radius growing or shrinking evenly.
    Capsule(Dab, Dab),
    /// A closed outline; what it winds around counts as inside, crossings make no holes.
    Polygon(Vec<Point>),
    /// An ellipse by its centre and two conjugate half axes.
    Ellipse { centre: Point, axes: [Point; 2] },
}

impl Shape {
    /// The mirror image.
    pub(super) fn reflected(&self, axis: &Axis) -> Self {
        let dab = |dab: &Dab| Dab {
            at: axis.reflect(dab.at),
            ..*dab
        };
        match self {
            Self::Capsule(a, b) => Self::Capsule(dab(a), dab(b)),
            Self::Polygon(points) => {
                Self::Polygon(points.iter().map(|&p| axis.reflect(p)).collect())
            }
            Self::Ellipse { centre, axes } => Self::Ellipse {
                centre: axis.reflect(*centre),
                axes: axes.map(|half| axis.reflect_direction(half)),
            },
        }
    }

    /// A point that says on which side of a mirror the shape lies.
    pub(super) fn middle(&self) -> Point {
        match self {
            Self::Capsule(a, b) => [(a.at[0] + b.at[0]) / 2.0, (a.at[1] + b.at[1]) / 2.0],
            Self::Polygon(points) => {
                let count = points.len().max(1) as f64;
                let sum = points
                    .iter()
                    .fold([0.0; 2], |sum, p| [sum[0] + p[0], sum[1] + p[1]]);
                [sum[0] / count, sum[1] / count]
            }
            Self::Ellipse { centre, .. } => *centre,
        }
    }

    /// The runs inside of `rows`, sorted; runs of one row do not overlap.
    pub(super) fn spans(&self, rows: Range<i32>) -> Vec<Span> {
        match self {
            Self::Capsule(a, b) => capsule(*a, *b, rows),
            Self::Polygon(points) => polygon(points, rows),
            Self::Ellipse { centre, axes } => ellipse(*centre, *axes, rows),
        }
    }
}

/// Rows whose pixel centres lie between two heights.
fn rows_between(low: f64, high: f64, rows: &Range<i32>) -> Range<i32> {
    let first = (low - 0.5).ceil().clamp(-FAR, FAR) as i32;
    let last = (high - 0.5).floor().clamp(-FAR, FAR) as i32;
    first.max(rows.start)..(last + 1).min(rows.end)
}

/// Columns whose pixel centres lie between two places.
fn span(y: i32, low: f64, high: f64) -> Option<Span> {
    let from = (low - 0.5).ceil().clamp(-FAR, FAR) as i32;
    let to = (high - 0.5).floor().clamp(-FAR, FAR) as i32 + 1;
    (from < to).then_some(Span { y, from, to })
}

/// Lowest and highest place of a convex shape in a row.
#[derive(Clone, Copy)]
struct Extent(f64, f64);

impl Extent {
    const EMPTY: Self = Self(f64::INFINITY, f64::NEG_INFINITY);

    fn add(&mut self, x: f64) {
        self.0 = self.0.min(x);
        self.1 = self.1.max(x);
    }

    fn add_disc(&mut self, dab: Dab, y: f64) {
        let dy = y - dab.at[1];
        let square = dab.radius * dab.radius - dy * dy;
        if square >= 0.0 {
            let half = square.sqrt();
            self.add(dab.at[0] - half);
            self.add(dab.at[0] + half);
        }
    }

    fn add_edge(&mut self, a: Point, b: Point, y: f64) {
        let (low, high) = if a[1] <= b[1] { (a, b) } else { (b, a) };
        if y < low[1] || y > high[1] {
            return;
        }
        let height = high[1] - low[1];
        if height > 0.0 {
            self.add(low[0] + (y - low[1]) / height * (high[0] - low[0]));
        } else {
            self.add(low[0]);
            self.add(high[0]);
        }
    }
}

/// The corners where the common tangents touch both discs; `None` where one holds the other.
fn tangents(a: Dab, b: Dab) -> Option<[Point; 4]> {
    let (dx, dy) = (b.at[0] - a.at[0], b.at[1] - a.at[1]);
    let distance = dx.hypot(dy);
    if distance <= (a.radius - b.radius).abs() || distance < 1e-9 {
        return None;
    }
    let (ux, uy) = (dx / distance, dy / distance);
    let sin = (a.radius - b.radius) / distance;
    let cos = (1.0 - sin * sin).max(0.0).sqrt();
    let touch = |dab: Dab, side: f64| {
        [
            dab.at[0] + dab.radius * (ux * sin - side * uy * cos),
            dab.at[1] + dab.radius * (uy * sin + side * ux * cos),
        ]
    };
    Some([touch(a, 1.0), touch(b, 1.0), touch(b, -1.0), touch(a, -1.0)])
}

fn capsule(a: Dab, b: Dab, rows: Range<i32>) -> Vec<Span> {
    let low = (a.at[1] - a.radius).min(b.at[1] - b.radius);
    let high = (a.at[1] + a.radius).max(b.at[1] + b.radius);
    let corners = tangents(a, b);
    rows_between(low, high, &rows)
        .filter_map(|row| {
            let y = f64::from(row) + 0.5;
            let mut extent = Extent::EMPTY;
            extent.add_disc(a, y);
            extent.add_disc(b, y);
            if let Some([p, q, r, s]) = corners {
                extent.add_edge(p, q, y);
                extent.add_edge(r, s, y);
                // The seams only matter where a disc is smaller than a pixel.
                extent.add_edge(q, r, y);
                extent.add_edge(s, p, y);
            }
            span(row, extent.0, extent.1)
        })
        .collect()
}

fn ellipse(centre: Point, [u, v]: [Point; 2], rows: Range<i32>) -> Vec<Span> {
    let a = u[0] * u[0] + v[0] * v[0];
    let b = u[0] * u[1] + v[0] * v[1];
    let c = u[1] * u[1] + v[1] * v[1];
    if c <= 0.0 || a <= 0.0 {
        return Vec::new();
    }
    let height = c.sqrt();
    let width = (a - b * b / c).max(0.0);
    rows_between(centre[1] - height, centre[1] + height, &rows)
        .filter_map(|row| {
            let dy = f64::from(row) + 0.5 - centre[1];
            let half = (width * (1.0 - dy * dy / c).max(0.0)).sqrt();
            let middle = centre[0] + b / c * dy;
            span(row, middle - half, middle + half)
        })
        .collect()
}

fn polygon(points: &[Point], rows: Range<i32>) -> Vec<Span> {
    if points.len() < 3 || rows.is_empty() {
        return Vec::new();
    }
    // Crossings by row: cost follows the length of the outline, not corners times rows.
    let mut crossings: Vec<(i32, f64, i32)> = Vec::new();
    for (i, &a) in points.iter().enumerate() {
        let b = points[(i + 1) % points.len()];
        let (low, high, winding) = if a[1] < b[1] { (a, b, 1) } else { (b, a, -1) };
        if low[1] == high[1] {
            continue;
        }
        // Half open, so that a corner is crossed once.
        let first = ((low[1] - 0.5).ceil().clamp(-FAR, FAR) as i32).max(rows.start);
        let end = ((high[1] - 0.5).ceil().clamp(-FAR, FAR) as i32).min(rows.end);
        let slope = (high[0] - low[0]) / (high[1] - low[1]);
        for row in first..end {
            let y = f64::from(row) + 0.5;
            crossings.push((row, low[0] + (y - low[1]) * slope, winding));
        }
    }
    crossings.sort_by(|a, b| (a.0).cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut spans: Vec<Span> = Vec::new();
    let mut winding = 0;
    for pair in crossings.windows(2) {
        let ((row, from, turn), (next_row, to, _)) = (pair[0], pair[1]);
        winding += turn;
        if next_row != row {
            winding = 0;
        } else if winding != 0
            && let Some(run) = span(row, from, to)
        {
            match spans.last_mut() {
                // Crossings inside of the outline cut a run in two: join it, also where both
                // ends fell on one pixel's centre.
                Some(last) if last.y == row && run.from <= last.to => last.to = last.to.max(run.to),
                _ => spans.push(run),
            }
        }
    }
    spans
}

/// The corners of the smallest convex outline around points.
pub(super) fn convex_hull(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let half = |points: &mut dyn Iterator<Item = Point>| {
        let mut chain: Vec<Point> = Vec::new();
        for p in points {
            while let [.., a, b] = chain[..]
                && (b[0] - a[0]) * (p[1] - a[1]) <= (b[1] - a[1]) * (p[0] - a[0])
            {
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut hull = half(&mut points.iter().copied());
    hull.extend(half(&mut points.iter().rev().copied()));
    hull
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Range<i32> = 0..100;

    fn dab(x: f64, y: f64, radius: f64) -> Dab {
        Dab { at: [x, y], radius }
    }

    fn pixels(spans: &[Span]) -> Vec<(i32, i32)> {
        let all = |span: &Span| {
            (span.from..span.to)
                .map(|x| (x, span.y))
                .collect::<Vec<_>>()
        };
        spans.iter().flat_map(all).collect()
    }

    fn distance(p: Point, a: Point, b: Point) -> (f64, f64) {
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        let length = dx * dx + dy * dy;
        let t = if length > 0.0 {
            ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length
        } else {
            0.0
        };
        let t = t.clamp(0.0, 1.0);
        ((p[0] - a[0] - t * dx).hypot(p[1] - a[1] - t * dy), t)
    }

    #[test]
    fn a_capsule_is_what_lies_near_its_line() {
        for (a, b, r) in [
            ([20.0, 30.0], [70.5, 44.2], 7.3),
            ([50.0, 80.0], [50.0, 20.0], 3.0),
            ([9.0, 9.0], [9.0, 9.0], 5.5),
        ] {
            let got = pixels(&capsule(
                Dab { at: a, radius: r },
                Dab { at: b, radius: r },
                ROWS,
            ));
            for y in 0..100 {
                for x in 0..100 {
                    let (away, _) = distance([f64::from(x) + 0.5, f64::from(y) + 0.5], a, b);
                    if (away - r).abs() > 1e-6 {
                        assert_eq!(got.contains(&(x, y)), away < r, "{x}, {y} at {away}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_tapered_capsule_holds_both_discs_and_what_is_between() {
        let (a, b) = (dab(30.0, 40.0, 12.0), dab(70.0, 55.0, 4.0));
        let got = pixels(&capsule(a, b, ROWS));
        for i in 0..=10 {
            let t = f64::from(i) / 10.0;
            let between = dab(30.0 + 40.0 * t, 40.0 + 15.0 * t, 12.0 - 8.0 * t);
            for pixel in pixels(&capsule(between, between, ROWS)) {
                assert!(got.contains(&pixel), "{pixel:?} at {t}");
            }
        }
        // One disc inside of the other.
        let inner = capsule(dab(30.0, 40.0, 12.0), dab(33.0, 40.0, 2.0), ROWS);
        assert_eq!(inner, capsule(a, a, ROWS));
    }

    #[test]
    fn a_rectangle_covers_its_pixels_whichever_way_round() {
        let mut points = vec![[10.0, 20.0], [30.0, 20.0], [30.0, 25.0], [10.0, 25.0]];
        let expected: Vec<Span> = (20..25)
            .map(|y| Span {
                y,
                from: 10,
                to: 30,
            })
            .collect();
        assert_eq!(polygon(&points, ROWS), expected);
        points.reverse();
        assert_eq!(polygon(&points, ROWS), expected);
    }

    #[test]
    fn crossed_outlines_have_no_holes_and_no_double_runs() {
        // A five-pointed star drawn in one go.
        let star: Vec<Point> = (0..5)
            .map(|i| f64::from(i * 2) * std::f64::consts::TAU / 5.0)
            .map(|turn| [50.0 + 40.0 * turn.sin(), 50.0 - 40.0 * turn.cos()])
            .collect();
        let spans = polygon(&star, ROWS);
        assert!(pixels(&spans).contains(&(50, 50)));
        assert!(
            spans
                .windows(2)
                .all(|w| w[0].y < w[1].y || w[0].to < w[1].from)
        );
    }

    #[test]
    fn an_ellipse_is_what_its_equation_says() {
        let axes = [[20.0, 8.0], [-3.0, 9.0]];
        let got = pixels(&ellipse([50.0, 48.0], axes, ROWS));
        let det = axes[0][0] * axes[1][1] - axes[0][1] * axes[1][0];
        for y in 0..100 {
            for x in 0..100 {
                let (px, py) = (f64::from(x) + 0.5 - 50.0, f64::from(y) + 0.5 - 48.0);
                let s = (px * axes[1][1] - py * axes[1][0]) / det;
                let t = (py * axes[0][0] - px * axes[0][1]) / det;
                let square = s * s + t * t;
                if (square - 1.0).abs() > 1e-9 {
                    assert_eq!(got.contains(&(x, y)), square < 1.0, "{x}, {y}");
                }
            }
        }
        assert!(ellipse([5.0, 5.0], [[0.0, 0.0], [0.0, 0.0]], ROWS).is_empty());
    }

    #[test]
    fn far_away_shapes_are_cut_quickly() {
        let far = capsule(dab(-1e30, -1e30, 5.0), dab(1e30, 1e30, 5.0), ROWS);
        assert!(far.len() <= 100);
        let huge = polygon(&[[-1e9, -1e9], [1e9, -1e9], [1e9, 1e9], [-1e9, 1e9]], ROWS);
        assert_eq!(huge.len(), 100);
    }
}
