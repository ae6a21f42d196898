//! What the face must follow.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::Named;
use crate::labels::LabelImage;
use crate::picture::GrayImage;
use crate::{Error, Result};

/// Largest side of a condition picture that is kept in a job.
pub const MAX_CONDITION_SIDE: usize = 8192;

/// What the face must follow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// A 19-class face mask.
    Mask(LabelImage),
    /// A drawing, dark lines on white.
    Sketch(GrayImage),
    /// Nothing: the prompt alone.
    #[default]
    None,
}

/// The kinds of [`Condition`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, VariantArray,
)]
pub enum ConditionKind {
    /// A 19-class face mask.
    #[default]
    Mask,
    /// A drawing, dark lines on white.
    Sketch,
    /// Nothing: the prompt alone. Projects before format 3 called it `Nothing`.
    #[serde(alias = "Nothing")]
    None,
}

/// What the program says of a kind of condition.
struct About {
    name: &'static str,
    title: &'static str,
    plural: &'static str,
    about: &'static str,
    modality: u32,
}

impl ConditionKind {
    const fn describe(self) -> About {
        match self {
            Self::Mask => About {
                name: "mask",
                title: "Mask",
                plural: "Masks",
                about: "The face follows the painted classes",
                modality: 0,
            },
            Self::Sketch => About {
                name: "sketch",
                title: "Sketch",
                plural: "Sketches",
                about: "The face follows the drawn lines",
                modality: 1,
            },
            Self::None => About {
                name: "none",
                title: "None",
                plural: "None",
                about: "The face follows the prompt alone",
                modality: 0,
            },
        }
    }

    /// Several of them, as menus show it.
    pub const fn plural(self) -> &'static str {
        self.describe().plural
    }

    /// The row of the transformer's modality embedding (docs/reference.md section 1).
    pub const fn modality(self) -> u32 {
        self.describe().modality
    }
}

impl Named for ConditionKind {
    const ALL: &'static [Self] = Self::VARIANTS;

    fn name(self) -> &'static str {
        self.describe().name
    }

    fn title(self) -> &'static str {
        self.describe().title
    }

    fn about(self) -> &'static str {
        self.describe().about
    }
}

impl Condition {
    /// Which kind it is.
    pub fn kind(&self) -> ConditionKind {
        match self {
            Self::Mask(_) => ConditionKind::Mask,
            Self::Sketch(_) => ConditionKind::Sketch,
            Self::None => ConditionKind::None,
        }
    }

    /// The mask, if it is one.
    pub fn mask(&self) -> Option<&LabelImage> {
        match self {
            Self::Mask(mask) => Some(mask),
            Self::Sketch(_) | Self::None => None,
        }
    }

    /// Width and height of its picture.
    pub fn dimensions(&self) -> Option<(usize, usize)> {
        match self {
            Self::Mask(mask) => Some((mask.width, mask.height)),
            Self::Sketch(sketch) => Some((sketch.width, sketch.height)),
            Self::None => None,
        }
    }

    /// The same in another size.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        match self {
            Self::Mask(mask) => Self::Mask(mask.resized(width, height)),
            Self::Sketch(sketch) => Self::Sketch(sketch.resized(width, height)),
            Self::None => Self::None,
        }
    }

    /// What it is in words: `a 512 x 512 mask`.
    pub fn summary(&self) -> String {
        match self.dimensions() {
            Some((width, height)) => format!("a {width} x {height} {}", self.kind().name()),
            None => "the prompt alone".into(),
        }
    }

    /// Checks the picture.
    ///
    /// # Errors
    /// [`Error::Input`] for one that is damaged or too large.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Mask(mask) => mask.check()?,
            Self::Sketch(sketch) => sketch.check()?,
            Self::None => {}
        }
        let (width, height) = self.dimensions().unwrap_or((1, 1));
        if width.max(height) > MAX_CONDITION_SIDE {
            return Err(Error::Input(format!(
                "the condition is {width} x {height}; at most {MAX_CONDITION_SIDE} a side"
            )));
        }
        Ok(())
    }
}
