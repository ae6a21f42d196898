//! The square of a photo that becomes the drawing.

/// Smallest side of a crop in photo pixels, where the photo has that many.
const SMALLEST: f64 = 32.0;

/// A square in photo pixels. It never leaves the photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Width and height.
    pub side: f64,
}

impl Crop {
    /// The largest square; in a tall photo it sits high, where faces are.
    pub fn largest(width: usize, height: usize) -> Self {
        let (width, height) = (width as f64, height as f64);
        let side = width.min(height);
        Self {
            left: (width - side) / 2.0,
            top: (height - side) * 0.25,
            side,
        }
    }

    /// Moved by photo pixels.
    pub fn moved(self, x: f64, y: f64) -> Self {
        Self {
            left: self.left + x,
            top: self.top + y,
            ..self
        }
    }

    /// Larger or smaller by a factor; the point `at` keeps its place in the square.
    pub fn scaled(self, factor: f64, at: (f64, f64)) -> Self {
        Self {
            left: at.0 + (self.left - at.0) * factor,
            top: at.1 + (self.top - at.1) * factor,
            side: self.side * factor,
        }
    }

    /// With the corner at `corner` (bit 0: right, bit 1: lower) pulled to a point; the opposite
    /// corner stays.
    pub fn pulled(self, corner: usize, to: (f64, f64), width: usize, height: usize) -> Self {
        let (right, lower) = (corner & 1 == 1, corner & 2 == 2);
        let fixed_x = if right {
            self.left
        } else {
            self.left + self.side
        };
        let fixed_y = if lower {
            self.top
        } else {
            self.top + self.side
        };
        let wide = if right {
            to.0 - fixed_x
        } else {
            fixed_x - to.0
        };
        let high = if lower {
            to.1 - fixed_y
        } else {
            fixed_y - to.1
        };
        let room_x = if right {
            width as f64 - fixed_x
        } else {
            fixed_x
        };
        let room_y = if lower {
            height as f64 - fixed_y
        } else {
            fixed_y
        };
        let most = room_x.min(room_y);
        let side = wide.max(high).clamp(SMALLEST.min(most), most.max(0.0));
        Self {
            left: if right { fixed_x } else { fixed_x - side },
            top: if lower { fixed_y } else { fixed_y - side },
            side,
        }
        .inside(width, height)
    }

    /// Put back into a photo of this size.
    pub fn inside(self, width: usize, height: usize) -> Self {
        let (width, height) = (width.max(1) as f64, height.max(1) as f64);
        let most = width.min(height);
        let finite = |value: f64, other: f64| if value.is_finite() { value } else { other };
        let side = finite(self.side, most).clamp(SMALLEST.min(most), most);
        Self {
            left: finite(self.left, 0.0).clamp(0.0, width - side),
            top: finite(self.top, 0.0).clamp(0.0, height - side),
            side,
        }
    }

    /// Left, top and side in whole pixels, inside of a photo of this size.
    pub fn pixels(self, width: usize, height: usize) -> (usize, usize, usize) {
        let inside = self.inside(width, height);
        let side = (inside.side.round() as usize).clamp(1, width.min(height).max(1));
        let place = |value: f64, length: usize| (value.round() as usize).min(length.max(1) - side);
        (place(inside.left, width), place(inside.top, height), side)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tall_photo_is_cropped_high() {
        assert_eq!(Crop::largest(300, 500).pixels(300, 500), (0, 50, 300));
        assert_eq!(Crop::largest(500, 300).pixels(500, 300), (100, 0, 300));
    }

    #[test]
    fn a_corner_follows_and_the_opposite_one_stays() {
        let crop = Crop {
            left: 100.0,
            top: 100.0,
            side: 200.0,
        };
        let smaller = crop.pulled(3, (200.0, 180.0), 500, 500);
        assert_eq!(smaller.pixels(500, 500), (100, 100, 100));
        let up_left = crop.pulled(0, (50.0, 80.0), 500, 500);
        assert_eq!(up_left.pixels(500, 500), (50, 50, 250));
        let beyond = crop.pulled(3, (9000.0, 0.0), 500, 400);
        assert_eq!(beyond.pixels(500, 400), (100, 100, 300));
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let crop = Crop {
            left: 100.0,
            top: 100.0,
            side: 200.0,
        };
        let zoomed = crop.scaled(0.5, (150.0, 250.0));
        assert_eq!(zoomed.pixels(500, 500), (125, 175, 100));
    }

    proptest! {
        #[test]
        fn no_crop_leaves_the_photo(
            left: f64, top: f64, side: f64, width in 1usize..3000, height in 1usize..3000,
            corner in 0usize..4, x in -5000.0f64..5000.0, y in -5000.0f64..5000.0,
        ) {
            let crop = Crop { left, top, side }.inside(width, height);
            for crop in [crop, crop.pulled(corner, (x, y), width, height), crop.scaled(x, (y, x))] {
                let (left, top, side) = crop.pixels(width, height);
                prop_assert!(side >= 1 && left + side <= width && top + side <= height);
            }
        }
    }
}
