//! Conditions: from mask and sketch pictures to model input and back.

use serde::{Deserialize, Serialize};

/// Class of each pixel, 0..=18 in CelebAMask-HQ's order (reference.md section 3), row-major.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelImage {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `width · height` classes.
    pub labels: Vec<u8>,
}

/// A grey picture, 0 = black, row-major.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrayImage {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `width · height` grey values.
    pub pixels: Vec<u8>,
}
