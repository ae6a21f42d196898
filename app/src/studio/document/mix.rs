//! How much of each layer is seen, for a way of looking and the layer at hand.

use serde::{Deserialize, Serialize};

use crate::paint::Layer;

/// What of drawing and picture is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// The drawing.
    #[default]
    Drawing,
    /// The drawing, half transparent, over the picture.
    Overlay,
    /// The picture.
    Picture,
    /// The drawing left of a line, the picture right of it.
    Split,
}

impl Look {
    /// All, in the order of the key that goes through them.
    pub const ALL: [Self; 4] = [Self::Drawing, Self::Overlay, Self::Picture, Self::Split];

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Drawing => "Drawing",
            Self::Overlay => "Drawing over picture",
            Self::Picture => "Picture",
            Self::Split => "Drawing beside picture",
        }
    }

    /// The next one.
    pub fn next(self) -> Self {
        let i = Self::ALL.iter().position(|&look| look == self);
        Self::ALL[(i.unwrap_or(0) + 1) % Self::ALL.len()]
    }
}

/// What a person has set of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Opacities {
    /// Of the mask over a picture or photo, 0..=1.
    pub mask: f32,
    /// Of the layer that is not painted on, 0..=1.
    pub other: f32,
    /// Of the photo to draw over, 0..=1.
    pub onion: f32,
    /// Lines between classes are drawn over pictures.
    pub contours: bool,
}

impl Default for Opacities {
    fn default() -> Self {
        Self {
            mask: 0.5,
            other: 0.3,
            onion: 1.0,
            contours: true,
        }
    }
}

/// Opacities for the shader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// The ground is white as paper; else it is the colour of the background.
    pub paper: bool,
    /// Of the mask's classes.
    pub mask: f32,
    /// Of the mask's background, times `mask`.
    pub background: f32,
    /// Of the sketch.
    pub sketch: f32,
    /// Of the photo.
    pub onion: f32,
    /// Of the picture.
    pub picture: f32,
    /// Of the lines between classes.
    pub contour: f32,
}

impl Mix {
    /// Works it out. Without a picture only the drawing can be shown.
    pub fn new(look: Look, layer: Layer, picture: bool, onion: bool, set: &Opacities) -> Self {
        let look = if picture { look } else { Look::Drawing };
        let on_mask = layer == Layer::Mask;
        let contour = if set.contours { 0.85 } else { 0.0 };
        match look {
            Look::Drawing | Look::Split if on_mask => Self {
                paper: false,
                mask: if onion { set.mask } else { 1.0 },
                background: if onion { 0.0 } else { 1.0 },
                sketch: set.other,
                onion: if onion { set.onion } else { 0.0 },
                picture: 0.0,
                contour: if onion { contour } else { 0.0 },
            },
            Look::Drawing | Look::Split => Self {
                paper: true,
                mask: set.other * 0.8,
                background: 0.0,
                sketch: 1.0,
                onion: if onion { set.onion * 0.5 } else { 0.0 },
                picture: 0.0,
                contour: 0.0,
            },
            Look::Overlay => Self {
                paper: false,
                mask: if on_mask { set.mask } else { 0.0 },
                background: 0.0,
                sketch: if on_mask { 0.0 } else { 0.9 },
                onion: 0.0,
                picture: 1.0,
                contour: if on_mask { contour } else { 0.0 },
            },
            Look::Picture => Self {
                paper: false,
                mask: 0.0,
                background: 0.0,
                sketch: 0.0,
                onion: 0.0,
                picture: 1.0,
                contour: 0.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_picture_there_is_only_the_drawing() {
        let set = Opacities::default();
        for look in Look::ALL {
            let mix = Mix::new(look, Layer::Mask, false, false, &set);
            assert_eq!((mix.mask, mix.background, mix.picture), (1.0, 1.0, 0.0));
        }
    }

    #[test]
    fn what_is_painted_on_is_always_seen_unless_the_picture_alone_is() {
        let set = Opacities::default();
        for (picture, onion) in [(false, false), (true, false), (false, true), (true, true)] {
            for look in [Look::Drawing, Look::Overlay, Look::Split] {
                let mask = Mix::new(look, Layer::Mask, picture, onion, &set);
                assert!(mask.mask >= 0.5, "{look:?}");
                let sketch = Mix::new(look, Layer::Sketch, picture, onion, &set);
                assert!(sketch.sketch >= 0.9, "{look:?}");
            }
        }
    }

    #[test]
    fn the_key_goes_round() {
        let mut look = Look::Drawing;
        for _ in 0..4 {
            look = look.next();
        }
        assert_eq!(look, Look::Drawing);
    }
}
