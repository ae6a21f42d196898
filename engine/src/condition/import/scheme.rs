//! The numberings and palettes that masks of faces come in.

use super::centres::centres;
use crate::labels::class;

/// How the numbers or colours of a mask file are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskScheme {
    /// Numbers in CelebAMask-HQ's order (skin, nose, glasses, eyes, …), which is ours.
    Numbers,
    /// Numbers in the order of BiSeNet face parsers (skin, brows, eyes, glasses, …, hat).
    FaceParsing,
    /// Eight classes (skin, nose, eyes, brows, ears, mouth, hair) as generated-data papers merge them.
    Eight,
    /// CelebAMask-HQ's colours.
    Colours,
    /// The same with red and blue exchanged, as image libraries with another channel order write them.
    SwappedColours,
}

/// Face-parsing numbers 0 to 18 as classes of ours (docs/reference.md section 3).
#[rustfmt::skip]
const FACE_PARSING: [u8; 19] = [
    class::BACKGROUND, class::SKIN, class::LEFT_BROW, class::RIGHT_BROW, class::LEFT_EYE, class::RIGHT_EYE,
    class::GLASSES, class::LEFT_EAR, class::RIGHT_EAR, class::EARRING, class::NOSE, class::MOUTH, class::UPPER_LIP,
    class::LOWER_LIP, class::NECK, class::NECKLACE, class::CLOTH, class::HAIR, class::HAT,
];

/// Numbers of the eight-class merge; sides are split by position afterwards.
#[rustfmt::skip]
const EIGHT: [u8; 8] = [
    class::BACKGROUND, class::SKIN, class::NOSE, class::LEFT_EYE, class::LEFT_BROW, class::LEFT_EAR, class::MOUTH,
    class::HAIR,
];

impl MaskScheme {
    /// All schemes, for a chooser.
    pub const ALL: [Self; 5] = [
        Self::Numbers,
        Self::FaceParsing,
        Self::Eight,
        Self::Colours,
        Self::SwappedColours,
    ];

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Numbers => "CelebAMask-HQ numbers",
            Self::FaceParsing => "face-parsing numbers",
            Self::Eight => "eight merged classes",
            Self::Colours => "CelebAMask-HQ colours",
            Self::SwappedColours => "CelebAMask-HQ colours with red and blue exchanged",
        }
    }

    pub(super) fn is_coloured(self) -> bool {
        matches!(self, Self::Colours | Self::SwappedColours)
    }

    /// Our class of a number; `None` where the scheme has no such number.
    pub(super) fn class_of(self, number: u8) -> Option<u8> {
        match self {
            Self::FaceParsing => FACE_PARSING.get(usize::from(number)).copied(),
            Self::Eight => EIGHT.get(usize::from(number)).copied(),
            _ => (usize::from(number) < super::CLASS_COUNT).then_some(number),
        }
    }

    /// Our colour as this scheme writes it, and back.
    pub(super) fn colour(self, [red, green, blue]: [u8; 3]) -> [u8; 3] {
        if self == Self::SwappedColours {
            [blue, green, red]
        } else {
            [red, green, blue]
        }
    }

    /// Merged eyes, brows and ears: what lies left of the nose in the picture is the person's right.
    pub(super) fn split_sides(self, labels: &mut [u8], width: usize) {
        if self != Self::Eight {
            return;
        }
        let centres = centres(labels, width);
        let middle = [class::NOSE, class::SKIN]
            .iter()
            .find_map(|&class| centres[usize::from(class)])
            .map_or(width as f64 / 2.0, |centre| centre.x);
        for (i, label) in labels.iter_mut().enumerate() {
            let sided = matches!(*label, class::LEFT_EYE | class::LEFT_BROW | class::LEFT_EAR);
            if sided && ((i % width) as f64) < middle {
                *label += 1;
            }
        }
    }
}
