//! Calms the hand: a pulled string, then a one-euro filter.

use super::raster::Point;
use super::settings::{Stabiliser, bounded};

/// Filters the samples of one stroke.
pub(super) struct Steady {
    string: f64,
    /// Cut-off of a resting hand in hertz; `None` without smoothing.
    cutoff: Option<f64>,
    pulled: Point,
    filtered: Point,
    velocity: Point,
    last: Point,
}

/// How much a fast hand loosens the filter, per canvas pixel a second.
const LOOSEN: f64 = 0.01;

impl Steady {
    pub(super) fn new(settings: Stabiliser, start: Point) -> Self {
        let smoothing = f64::from(bounded(settings.smoothing, 0.0, 1.0));
        Self {
            string: f64::from(bounded(settings.string, 0.0, 200.0)),
            // From 20 Hz, hardly felt, to 1 Hz.
            cutoff: (smoothing > 0.0).then(|| 20f64.powf(1.0 - smoothing)),
            pulled: start,
            filtered: start,
            velocity: [0.0; 2],
            last: start,
        }
    }

    /// Where the pen is when the hand is at `to`, `seconds` after the last sample.
    pub(super) fn follow(&mut self, to: Point, seconds: f64) -> Point {
        self.last = to;
        let way = [to[0] - self.pulled[0], to[1] - self.pulled[1]];
        let length = way[0].hypot(way[1]);
        if length > self.string {
            let share = (length - self.string) / length;
            self.pulled = [
                self.pulled[0] + way[0] * share,
                self.pulled[1] + way[1] * share,
            ];
        }
        let Some(cutoff) = self.cutoff else {
            self.filtered = self.pulled;
            return self.filtered;
        };
        let weight = |hertz: f64| {
            let r = std::f64::consts::TAU * hertz * seconds;
            r / (r + 1.0)
        };
        for i in 0..2 {
            let speed = (self.pulled[i] - self.filtered[i]) / seconds;
            self.velocity[i] += weight(1.0) * (speed - self.velocity[i]);
        }
        let speed = self.velocity[0].hypot(self.velocity[1]);
        let near = weight(cutoff + LOOSEN * speed);
        for i in 0..2 {
            self.filtered[i] += near * (self.pulled[i] - self.filtered[i]);
        }
        self.filtered
    }

    /// Where the hand let go, if the pen lags behind it: the stroke ends there.
    pub(super) fn end(&self) -> Option<Point> {
        (self.filtered != self.last).then_some(self.last)
    }
}

/// Pressure made of speed, for hands without a pen: slow is strong.
pub(super) struct SpeedPressure {
    pressure: f32,
    full: f32,
}

/// Time over which speed is averaged: samples come without exact times, a shorter one shows steps.
const SPEED_SECONDS: f32 = 0.15;

impl SpeedPressure {
    /// For a canvas of this side: a hand crosses a large one faster.
    pub(super) fn new(side: usize) -> Self {
        Self {
            pressure: 0.6,
            full: 2500.0 * side as f32 / 512.0,
        }
    }

    /// The pressure of the first dab, from which the stroke goes on without a jump.
    pub(super) fn first(&self) -> f32 {
        self.pressure
    }

    pub(super) fn next(&mut self, distance: f32, seconds: f32) -> f32 {
        let target = 1.0 - 0.65 * (distance / seconds / self.full).min(1.0);
        self.pressure += (target - self.pressure) * (1.0 - (-seconds / SPEED_SECONDS).exp());
        self.pressure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(smoothing: f32, string: f32) -> Steady {
        Steady::new(Stabiliser { smoothing, string }, [0.0; 2])
    }

    #[test]
    fn off_means_off() {
        let mut steady = steady(0.0, 0.0);
        assert_eq!(steady.follow([7.0, -3.5], 0.01), [7.0, -3.5]);
        assert_eq!(steady.end(), None);
    }

    #[test]
    fn a_trembling_hand_draws_a_calmer_line() {
        let mut filter = steady(0.8, 0.0);
        let mut rough = 0f64;
        let mut calm = 0f64;
        let mut last = 0.0;
        for i in 1..200 {
            let tremble = if i % 2 == 0 { 3.0 } else { -3.0 };
            let [_, y] = filter.follow([f64::from(i), tremble], 0.01);
            rough += 6.0;
            calm += (y - last).abs();
            last = y;
        }
        assert!(calm * 4.0 < rough, "{calm} of {rough}");
        assert_eq!(filter.end(), Some([199.0, -3.0]));
    }

    #[test]
    fn the_pen_follows_at_the_end_of_a_taut_string() {
        let mut filter = steady(0.0, 20.0);
        assert_eq!(filter.follow([15.0, 0.0], 0.01), [0.0, 0.0]);
        let [x, y] = filter.follow([50.0, 0.0], 0.01);
        assert!((x - 30.0).abs() < 1e-9 && y == 0.0);
        assert_eq!(filter.end(), Some([50.0, 0.0]));
    }

    #[test]
    fn speed_makes_a_light_hand_without_jumps() {
        let mut speed = SpeedPressure::new(512);
        let first = speed.first();
        let mut last = first;
        for _ in 0..60 {
            let next = speed.next(60.0, 0.016);
            assert!((next - last).abs() < 0.06);
            last = next;
        }
        assert!(last < 0.4 && first > 0.5);
        for _ in 0..60 {
            last = speed.next(0.1, 0.016);
        }
        assert!(last > 0.95);
    }
}
