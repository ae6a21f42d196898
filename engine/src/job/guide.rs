//! What guidance moves away from.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::Named;

/// What the other branch of guidance is told, the one that the picture is pushed away from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantArray)]
pub enum Guide {
    /// The negative prompt with the same condition: guidance strengthens the words. The authors'
    /// way (docs/reference.md section 4).
    #[default]
    Words,
    /// The negative prompt with an empty condition, as condition dropout trains it: guidance
    /// strengthens words and drawing alike.
    WordsAndDrawing,
}

/// What the program says of a way to guide.
struct About {
    name: &'static str,
    title: &'static str,
    about: &'static str,
}

impl Guide {
    const fn describe(self) -> About {
        match self {
            Self::Words => About {
                name: "words",
                title: "the words",
                about: "The words only, as the authors do",
            },
            Self::WordsAndDrawing => About {
                name: "all",
                title: "words and drawing",
                about: "Words and drawing alike",
            },
        }
    }

    /// The authors' way; it is left out of recipes.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Named for Guide {
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
