//! Curves of a run: bounded in memory however long it runs.

use egui_plot::PlotPoint;

/// Points that a curve keeps at most; a window shows fewer.
const MOST: usize = 2048;

/// A curve over the updates of a run. When it is full, neighbours become their mean, so that a long
/// run is shown as evenly as a short one.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    points: Vec<PlotPoint>,
    /// Values that a point is the mean of.
    stride: u32,
    /// Sums of what is not a point yet, and how many values that is.
    open: (f64, f64, u32),
}

impl Curve {
    /// Adds a value; what is no number leaves a gap.
    pub fn push(&mut self, x: f64, y: f64) {
        if !y.is_finite() || !x.is_finite() {
            return;
        }
        let stride = self.stride.max(1);
        let (sum_x, sum_y, count) = self.open;
        self.open = (sum_x + x, sum_y + y, count + 1);
        if self.open.2 < stride {
            return;
        }
        self.close();
        if self.points.len() >= MOST {
            self.points = self
                .points
                .chunks(2)
                .map(|pair| {
                    let count = pair.len() as f64;
                    let sum = |of: fn(&PlotPoint) -> f64| pair.iter().map(of).sum::<f64>();
                    PlotPoint::new(sum(|point| point.x) / count, sum(|point| point.y) / count)
                })
                .collect();
            self.stride = stride * 2;
        }
    }

    fn close(&mut self) {
        let (x, y, count) = std::mem::take(&mut self.open);
        if count > 0 {
            let count = f64::from(count);
            self.points.push(PlotPoint::new(x / count, y / count));
        }
    }

    /// Takes away what lies after an update: a resumed run tells it again.
    pub fn cut(&mut self, after: f64) {
        self.close();
        self.points.retain(|point| point.x <= after);
    }

    /// The points, from left to right.
    pub fn points(&self) -> &[PlotPoint] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_stays_bounded_and_true() {
        let mut curve = Curve::default();
        for x in 0..1_000_000 {
            curve.push(f64::from(x), f64::from(x) * 2.0);
        }
        let points = curve.points();
        assert!(
            points.len() < MOST && points.len() > MOST / 4,
            "{}",
            points.len()
        );
        assert!(points.windows(2).all(|pair| pair[0].x < pair[1].x));
        assert!(
            points
                .iter()
                .all(|point| (point.y - 2.0 * point.x).abs() < 1e-6)
        );
        assert!(points.last().is_some_and(|last| last.x > 990_000.0));
    }

    #[test]
    fn what_a_resumed_run_tells_again_is_cut_and_gaps_are_left_out() {
        let mut curve = Curve::default();
        for x in 0..10 {
            curve.push(f64::from(x), if x == 3 { f64::NAN } else { 1.0 });
        }
        assert_eq!(curve.points().len(), 9);
        curve.cut(5.0);
        curve.push(6.0, 2.0);
        let last: Vec<f64> = curve.points().iter().map(|point| point.x).collect();
        assert_eq!(last, [0.0, 1.0, 2.0, 4.0, 5.0, 6.0]);
    }
}
