//! What the person draws: a class mask and a grey sketch of the same size.

use mmface_engine::condition::FitMode;
use mmface_engine::labels::{CLASS_COUNT, LabelImage, class};
use mmface_engine::picture::GrayImage;

use super::tiles::{TILE, Tiles};

/// Largest side of a canvas in pixels.
pub const MAX_SIDE: usize = 2048;

/// Grey of a sketch on which nothing has been drawn.
pub const PAPER: u8 = 255;

/// A canvas has two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Layer {
    /// Class numbers, hard-edged: a mixture of two classes would be a third.
    #[default]
    Mask,
    /// Grey values, soft.
    Sketch,
}

/// A class mask and a sketch, square and of the same side. A clone shares all pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// Class of each pixel, 0..=18; background is 0.
    pub mask: Tiles,
    /// Grey of each pixel; paper is 255.
    pub sketch: Tiles,
}

impl Drawing {
    /// An empty canvas. The side is rounded up to a multiple of [`TILE`], at most [`MAX_SIDE`].
    pub fn new(side: usize) -> Self {
        let side = fitting(side);
        Self {
            mask: Tiles::filled(side, side, class::BACKGROUND),
            sketch: Tiles::filled(side, side, PAPER),
        }
    }

    /// Width and height in pixels.
    pub fn side(&self) -> usize {
        self.mask.width()
    }

    /// The pixel at a place; `None` outside of the canvas.
    pub(super) fn pixel(&self, x: f32, y: f32) -> Option<(usize, usize)> {
        let side = self.side() as f32;
        let inside = |value: f32| value >= 0.0 && value < side;
        (inside(x) && inside(y)).then_some((x as usize, y as usize))
    }

    /// A layer's pixels.
    pub fn layer(&self, layer: Layer) -> &Tiles {
        match layer {
            Layer::Mask => &self.mask,
            Layer::Sketch => &self.sketch,
        }
    }

    pub(super) fn layer_mut(&mut self, layer: Layer) -> &mut Tiles {
        match layer {
            Layer::Mask => &mut self.mask,
            Layer::Sketch => &mut self.sketch,
        }
    }

    /// The mask for the engine and for files.
    pub fn label_image(&self) -> LabelImage {
        LabelImage {
            width: self.mask.width(),
            height: self.mask.height(),
            labels: self.mask.to_pixels(),
        }
    }

    /// The sketch for the engine and for files.
    pub fn gray_image(&self) -> GrayImage {
        GrayImage {
            width: self.sketch.width(),
            height: self.sketch.height(),
            pixels: self.sketch.to_pixels(),
        }
    }

    /// The same with another mask, see [`Self::set_mask`].
    pub fn with_mask(mut self, mask: &LabelImage) -> Self {
        self.set_mask(mask);
        self
    }

    /// The same with another sketch, see [`Self::set_sketch`].
    pub fn with_sketch(mut self, sketch: &GrayImage) -> Self {
        self.set_sketch(sketch);
        self
    }

    /// Replaces the mask. One that is not square becomes so as on the command line ([`FitMode`]), one
    /// of another size is resized without mixing classes; numbers that are no class become background.
    pub fn set_mask(&mut self, mask: &LabelImage) {
        if mask.check().is_err() && !consistent(mask.width, mask.height, mask.labels.len()) {
            return;
        }
        let side = self.side();
        let mut image = mask.fitted(FitMode::default());
        for label in &mut image.labels {
            if usize::from(*label) >= CLASS_COUNT {
                *label = class::BACKGROUND;
            }
        }
        if image.width != side {
            image = image.resized(side, side);
        }
        self.mask = Tiles::from_pixels(side, side, &image.labels);
    }

    /// Replaces the sketch. One that is not square becomes so as on the command line ([`FitMode`]),
    /// one of another size is resized.
    pub fn set_sketch(&mut self, sketch: &GrayImage) {
        if !consistent(sketch.width, sketch.height, sketch.pixels.len()) {
            return;
        }
        let side = self.side();
        let mut image = sketch.fitted(FitMode::default());
        if image.width != side {
            image = image.resized(side, side);
        }
        self.sketch = Tiles::from_pixels(side, side, &image.pixels);
    }

    /// Empties a layer.
    pub fn clear(&mut self, layer: Layer) {
        let side = self.side();
        match layer {
            Layer::Mask => self.mask = Tiles::filled(side, side, class::BACKGROUND),
            Layer::Sketch => self.sketch = Tiles::filled(side, side, PAPER),
        }
    }

    /// The mirror image of both layers; left and right classes change places, so that the left eye
    /// of the mirrored person is a left eye.
    pub fn flipped(&self) -> Self {
        Self::new(self.side())
            .with_mask(&self.label_image().flipped())
            .with_sketch(&self.gray_image().flipped())
    }

    /// The same picture on a canvas of another side: classes by nearest pixel, the sketch by
    /// Lanczos.
    pub fn resized(&self, side: usize) -> Self {
        let side = fitting(side);
        if side == self.side() {
            return self.clone();
        }
        Self::new(side)
            .with_mask(&self.label_image())
            .with_sketch(&self.gray_image())
    }

    /// Whether nothing has been drawn on a layer.
    pub fn is_empty(&self, layer: Layer) -> bool {
        let blank = match layer {
            Layer::Mask => class::BACKGROUND,
            Layer::Sketch => PAPER,
        };
        let tiles = self.layer(layer).tiles().iter();
        tiles
            .flat_map(|tile| tile.iter())
            .all(|&value| value == blank)
    }

    /// Whether both layers are square and of one size: what [`super::Painter::edit`] insists on.
    pub(super) fn is_sound(&self) -> bool {
        self.mask.width() == self.mask.height() && self.mask.same_size(&self.sketch)
    }
}

fn fitting(side: usize) -> usize {
    side.clamp(1, MAX_SIDE).div_ceil(TILE) * TILE
}

fn consistent(width: usize, height: usize, values: usize) -> bool {
    width > 0 && height > 0 && width.checked_mul(height) == Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_go_out_and_come_back() {
        let mut drawing = Drawing::new(128);
        drawing.mask.fill_row(20, 10..90, class::HAIR);
        drawing.sketch.fill_row(30, 10..90, 40);
        let again = Drawing::new(128)
            .with_mask(&drawing.label_image())
            .with_sketch(&drawing.gray_image());
        assert_eq!(again, drawing);
        assert!(!again.is_empty(Layer::Mask) && !again.is_empty(Layer::Sketch));
        assert!(Drawing::new(128).is_empty(Layer::Sketch));
    }

    #[test]
    fn flipping_twice_changes_nothing_and_once_exchanges_sides() {
        let mut drawing = Drawing::new(64);
        drawing.mask.fill_row(5, 3..9, class::LEFT_EYE);
        let flipped = drawing.flipped();
        assert_eq!(flipped.mask.get(60, 5), class::RIGHT_EYE);
        assert_eq!(flipped.flipped(), drawing);
    }

    #[test]
    fn double_and_half_give_the_mask_back() {
        let mut drawing = Drawing::new(512);
        for y in 100..180 {
            drawing.mask.fill_row(y, 90 + y / 3..300, class::SKIN);
        }
        let large = drawing.resized(1024);
        assert_eq!(large.side(), 1024);
        assert_eq!(large.resized(512).mask, drawing.mask);
    }

    #[test]
    fn odd_shapes_are_padded_and_nonsense_is_ignored() {
        let mut drawing = Drawing::new(128);
        drawing.set_mask(&LabelImage::filled(128, 64, class::HAT));
        assert_eq!(
            [16, 64, 111].map(|y| drawing.mask.get(5, y)),
            [0, class::HAT, 0]
        );
        let before = drawing.clone();
        drawing.set_mask(&LabelImage {
            width: 9,
            height: 9,
            labels: vec![],
        });
        drawing.set_sketch(&GrayImage {
            width: usize::MAX,
            height: 2,
            pixels: vec![],
        });
        assert_eq!(drawing, before);
        drawing.set_mask(&LabelImage {
            width: 128,
            height: 128,
            labels: vec![200; 128 * 128],
        });
        assert!(drawing.is_empty(Layer::Mask));
    }
}
