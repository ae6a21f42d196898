//! Masks and sketches that are not square: the model's condition is.

use std::fmt;
use std::str::FromStr;

use crate::labels::{LabelImage, class};
use crate::picture::{GrayImage, resize};

/// How a condition that is not square becomes one. The same rule holds for the command line and the
/// studio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FitMode {
    /// Background or paper is added on both sides of the shorter side: nothing is lost or distorted.
    #[default]
    Pad,
    /// The middle is kept.
    Crop,
    /// Squeezed, as the published inference code does with every condition.
    Stretch,
}

impl FitMode {
    /// All modes, for a chooser.
    pub const ALL: [Self; 3] = [Self::Pad, Self::Crop, Self::Stretch];

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pad => "pad",
            Self::Crop => "crop",
            Self::Stretch => "stretch",
        }
    }

    /// What was done to a mask or sketch of this size, for a person; `None` where it was square.
    pub fn describe(self, width: usize, height: usize) -> Option<String> {
        let (long, short) = (width.max(height), width.min(height));
        let done = match self {
            Self::Pad => format!("it was padded to {long} x {long}"),
            Self::Crop => format!("its middle, {short} x {short}, was kept"),
            Self::Stretch => "it is stretched to a square".to_owned(),
        };
        (long > short).then(|| format!("the picture is {width} x {height}, not square: {done}"))
    }

    /// The values of a picture as a square's, or of the same shape where they are to be stretched.
    fn apply(
        self,
        width: usize,
        height: usize,
        values: &[u8],
        blank: u8,
    ) -> (usize, usize, Vec<u8>) {
        let side = match self {
            Self::Pad => width.max(height),
            Self::Crop => width.min(height),
            Self::Stretch => return (width, height, values.to_vec()),
        };
        if width == height || values.len() != width * height {
            return (width, height, values.to_vec());
        }
        // What is cut off or added on the left and at the top; the odd pixel goes to the other side.
        let (skip_x, skip_y) = (
            width.saturating_sub(side) / 2,
            height.saturating_sub(side) / 2,
        );
        let (left, top) = (
            side.saturating_sub(width) / 2,
            side.saturating_sub(height) / 2,
        );
        let length = width.min(side);
        let mut square = vec![blank; side * side];
        let rows = values.chunks_exact(width).skip(skip_y).take(side);
        for (y, row) in rows.enumerate() {
            square[(top + y) * side + left..][..length].copy_from_slice(&row[skip_x..][..length]);
        }
        (side, side, square)
    }
}

impl LabelImage {
    /// Scaled down without mixing classes, so that the longest side is at most `side`; smaller masks
    /// stay.
    pub fn within(self, side: usize) -> Self {
        match resize::size_within(self.width, self.height, side) {
            Some((width, height)) => self.resized(width, height),
            None => self,
        }
    }
}

impl GrayImage {
    /// Scaled down so that the longest side is at most `side`; smaller sketches stay.
    pub fn within(self, side: usize) -> Self {
        match resize::size_within(self.width, self.height, side) {
            Some((width, height)) => self.resized(width, height),
            None => self,
        }
    }
}

impl fmt::Display for FitMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FitMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| "pad, crop or stretch is needed".to_owned())
    }
}

impl LabelImage {
    /// Made square by a mode; [`FitMode::Stretch`] leaves it as it is, since it is stretched where it
    /// becomes model input.
    pub fn fitted(&self, mode: FitMode) -> Self {
        let (width, height, labels) =
            mode.apply(self.width, self.height, &self.labels, class::BACKGROUND);
        Self {
            width,
            height,
            labels,
        }
    }
}

impl GrayImage {
    /// Made square by a mode, see [`LabelImage::fitted`]; added paper is white.
    pub fn fitted(&self, mode: FitMode) -> Self {
        let (width, height, pixels) = mode.apply(self.width, self.height, &self.pixels, 255);
        Self {
            width,
            height,
            pixels,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_mode_does_what_it_says() {
        // 1 2 3 4
        // 5 6 7 8
        let wide = GrayImage::new(4, 2, (1..=8).collect()).expect("sound");
        let pad = wide.fitted(FitMode::Pad);
        assert_eq!((pad.width, pad.height), (4, 4));
        assert_eq!(pad.pixels[..4], [255; 4]);
        assert_eq!(pad.pixels[4..12], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(wide.fitted(FitMode::Crop).pixels, [2, 3, 6, 7]);
        assert_eq!(wide.fitted(FitMode::Stretch), wide);
        let tall = LabelImage::new(1, 3, vec![1, 2, 3]).expect("sound");
        assert_eq!(
            tall.fitted(FitMode::Pad).labels,
            [0, 1, 0, 0, 2, 0, 0, 3, 0]
        );
        assert_eq!(tall.fitted(FitMode::Crop).labels, [2]);
        assert_eq!(FitMode::Pad.describe(7, 7), None);
        let said = FitMode::Pad.describe(512, 768).unwrap_or_default();
        assert!(
            said.contains("512 x 768") && said.contains("768 x 768"),
            "{said}"
        );
    }

    #[test]
    fn names_are_read_back() {
        for mode in FitMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("squeeze".parse::<FitMode>().is_err());
    }

    proptest! {
        #[test]
        fn padding_loses_nothing_and_all_but_stretching_gives_squares(
            width in 1usize..20,
            height in 1usize..20,
        ) {
            let labels = (0..width * height).map(|i| (i % 19) as u8).collect();
            let mask = LabelImage::new(width, height, labels).expect("sound");
            let padded = mask.fitted(FitMode::Pad);
            prop_assert_eq!(padded.width, padded.height);
            prop_assert_eq!(padded.counts()[1..].to_vec(), mask.counts()[1..].to_vec());
            let cropped = mask.fitted(FitMode::Crop);
            prop_assert_eq!((cropped.width, cropped.height), (width.min(height), width.min(height)));
            prop_assert!(cropped.check().is_ok());
            // A square stays what it is in every mode.
            for mode in FitMode::ALL {
                prop_assert_eq!(&padded.fitted(mode), &padded);
            }
        }
    }
}
