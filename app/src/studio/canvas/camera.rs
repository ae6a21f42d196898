//! Where the drawing is on screen: pan, zoom, rotation, mirrored view, in one place.

use egui::emath::Rot2;
use egui::{Pos2, Rect, Vec2, pos2, vec2};

/// Smallest and largest zoom, points per canvas pixel.
pub const ZOOM: std::ops::RangeInclusive<f32> = 0.05..=64.0;

/// Space around a fitted canvas, points.
const MARGIN: f32 = 14.0;

/// Looks at a canvas through a rectangle on screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// The canvas point in the middle of the rectangle, canvas pixels.
    pub centre: Vec2,
    /// Points per canvas pixel.
    pub zoom: f32,
    /// Clockwise rotation of the canvas on screen, radians.
    pub angle: f32,
    /// Left and right are exchanged on screen only.
    pub mirrored: bool,
    /// The canvas fills the rectangle until a person zooms or pans.
    pub fitted: bool,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            centre: Vec2::splat(256.0),
            zoom: 1.0,
            angle: 0.0,
            mirrored: false,
            fitted: true,
        }
    }
}

impl Camera {
    /// Where a canvas point is on screen.
    pub fn to_screen(&self, rect: Rect, canvas: Pos2) -> Pos2 {
        rect.center() + self.direction_to_screen(canvas.to_vec2() - self.centre)
    }

    /// The canvas point at a place on screen.
    pub fn to_canvas(&self, rect: Rect, screen: Pos2) -> Pos2 {
        (self.centre + self.direction_to_canvas(screen - rect.center())).to_pos2()
    }

    /// A way on the canvas as a way on screen.
    pub fn direction_to_screen(&self, canvas: Vec2) -> Vec2 {
        Rot2::from_angle(self.angle) * self.flip(canvas) * self.zoom
    }

    /// A way on screen as a way on the canvas.
    pub fn direction_to_canvas(&self, screen: Vec2) -> Vec2 {
        self.flip(Rot2::from_angle(-self.angle) * screen) / self.zoom
    }

    fn flip(&self, v: Vec2) -> Vec2 {
        if self.mirrored { vec2(-v.x, v.y) } else { v }
    }

    /// Zooms; the canvas point at a place on screen stays there.
    pub fn zoom_at(&mut self, rect: Rect, screen: Pos2, factor: f32) {
        if !(factor.is_finite() && factor > 0.0) {
            return;
        }
        let still = self.to_canvas(rect, screen);
        self.zoom = (self.zoom * factor).clamp(*ZOOM.start(), *ZOOM.end());
        self.hold(rect, screen, still);
    }

    /// Rotates; the canvas point at a place on screen stays there.
    pub fn rotate_at(&mut self, rect: Rect, screen: Pos2, by: f32) {
        if !by.is_finite() {
            return;
        }
        let still = self.to_canvas(rect, screen);
        self.angle = wrapped(self.angle + by);
        self.hold(rect, screen, still);
    }

    /// Moves the canvas with the hand.
    pub fn pan(&mut self, screen: Vec2) {
        self.centre -= self.direction_to_canvas(screen);
        self.fitted = false;
    }

    /// Exchanges left and right on screen; what is in the middle stays there.
    pub fn mirror(&mut self) {
        self.mirrored = !self.mirrored;
        // A canvas that leans right must lean left in a mirror.
        self.angle = wrapped(-self.angle);
    }

    /// One canvas pixel for one pixel of the screen.
    pub fn actual_size(&mut self, pixels_per_point: f32) {
        self.zoom = 1.0 / pixels_per_point.max(0.1);
        self.fitted = false;
    }

    /// Shows the whole canvas, rotated as it is.
    pub fn fit(&mut self, rect: Rect, side: f32) {
        let (sin, cos) = self.angle.sin_cos();
        let span = side * (sin.abs() + cos.abs());
        let room = rect.width().min(rect.height()) - 2.0 * MARGIN;
        self.zoom = (room / span.max(1.0)).clamp(*ZOOM.start(), *ZOOM.end());
        self.centre = Vec2::splat(side / 2.0);
        self.fitted = true;
    }

    /// Keeps some of the canvas in sight, and takes foreign numbers out.
    pub fn keep_in_sight(&mut self, side: f32) {
        if !self.centre.x.is_finite() || !self.centre.y.is_finite() || !self.zoom.is_finite() {
            *self = Self::default();
        }
        self.centre = self.centre.clamp(Vec2::ZERO, Vec2::splat(side));
    }

    /// Puts a canvas point at a place on screen.
    fn hold(&mut self, rect: Rect, screen: Pos2, canvas: Pos2) {
        self.centre = canvas.to_vec2() - self.direction_to_canvas(screen - rect.center());
        self.fitted = false;
    }

    /// The canvas point at the rectangle's upper left corner, and the ways on the canvas along its
    /// upper and left edges: what the shader gets.
    pub fn frame(&self, rect: Rect) -> (Pos2, Vec2, Vec2) {
        (
            self.to_canvas(rect, rect.min),
            self.direction_to_canvas(vec2(rect.width(), 0.0)),
            self.direction_to_canvas(vec2(0.0, rect.height())),
        )
    }

    /// The canvas's corners on screen, clockwise for an unmirrored view.
    pub fn corners(&self, rect: Rect, side: f32) -> [Pos2; 4] {
        [
            pos2(0.0, 0.0),
            pos2(side, 0.0),
            pos2(side, side),
            pos2(0.0, side),
        ]
        .map(|corner| self.to_screen(rect, corner))
    }
}

fn wrapped(angle: f32) -> f32 {
    let turn = std::f32::consts::TAU;
    let angle = angle.rem_euclid(turn);
    if angle > turn / 2.0 {
        angle - turn
    } else {
        angle
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rect() -> Rect {
        Rect::from_min_size(pos2(230.0, 64.0), vec2(760.0, 520.0))
    }

    prop_compose! {
        fn cameras()(x in 0f32..1024.0, y in 0f32..1024.0, zoom in 0.1f32..20.0,
                     angle in -3.1f32..3.1, mirrored: bool) -> Camera {
            Camera { centre: vec2(x, y), zoom, angle, mirrored, fitted: false }
        }
    }

    prop_compose! {
        fn places()(x in 230f32..990.0, y in 64f32..584.0) -> Pos2 { pos2(x, y) }
    }

    fn close(a: Pos2, b: Pos2, within: f32) -> bool {
        a.distance(b) <= within
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn there_and_back(camera in cameras(), place in places()) {
            let canvas = camera.to_canvas(rect(), place);
            prop_assert!(close(camera.to_screen(rect(), canvas), place, 0.05));
        }

        #[test]
        fn the_point_under_the_cursor_stays(camera in cameras(), place in places(),
                                            factor in 0.2f32..5.0, turn in -1f32..1.0) {
            let mut moved = camera;
            let before = moved.to_canvas(rect(), place);
            moved.zoom_at(rect(), place, factor);
            moved.rotate_at(rect(), place, turn);
            prop_assert!(close(moved.to_screen(rect(), before), place, 0.2));
        }

        #[test]
        fn the_shader_sees_the_same_points(camera in cameras(), place in places()) {
            let (origin, right, down) = camera.frame(rect());
            let u = (place.x - rect().min.x) / rect().width();
            let v = (place.y - rect().min.y) / rect().height();
            let seen = origin + right * u + down * v;
            let canvas = camera.to_canvas(rect(), place);
            prop_assert!(seen.distance(canvas) <= 0.02 + 1.0 / camera.zoom * 0.02);
        }

        #[test]
        fn a_fitted_canvas_is_all_in_sight(angle in -3.1f32..3.1, mirrored: bool) {
            let mut camera = Camera { angle, mirrored, ..Camera::default() };
            camera.fit(rect(), 512.0);
            for corner in camera.corners(rect(), 512.0) {
                prop_assert!(rect().expand(0.5).contains(corner));
            }
        }

        #[test]
        fn panning_moves_points_with_the_hand(camera in cameras(), place in places(),
                                              x in -50f32..50.0, y in -50f32..50.0) {
            let mut moved = camera;
            let canvas = moved.to_canvas(rect(), place);
            moved.pan(vec2(x, y));
            prop_assert!(close(moved.to_screen(rect(), canvas), place + vec2(x, y), 0.1));
        }
    }

    #[test]
    fn a_mirrored_view_exchanges_left_and_right() {
        let mut camera = Camera::default();
        camera.fit(rect(), 512.0);
        let left = camera.to_screen(rect(), pos2(100.0, 200.0));
        camera.mirror();
        let right = camera.to_screen(rect(), pos2(412.0, 200.0));
        assert!(close(left, right, 0.01));
    }

    #[test]
    fn nonsense_is_refused() {
        let mut camera = Camera::default();
        let before = camera;
        camera.zoom_at(rect(), pos2(300.0, 300.0), f32::NAN);
        camera.zoom_at(rect(), pos2(300.0, 300.0), -1.0);
        camera.rotate_at(rect(), pos2(300.0, 300.0), f32::INFINITY);
        assert_eq!(camera, before);
        camera.centre.x = f32::NAN;
        camera.keep_in_sight(512.0);
        assert_eq!(camera, before);
        camera.centre.x = 9e9;
        camera.keep_in_sight(512.0);
        assert_eq!(camera.centre.x, 512.0);
    }
}
