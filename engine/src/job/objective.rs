//! What a transformer is trained to predict.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::Named;

/// What the network predicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantArray)]
pub enum Objective {
    /// Rectified flow: the velocity from noise to data; time in 0..=1.
    #[default]
    Flow,
    /// DDPM: the noise; time is an integer in 0..=999.
    Diffusion,
}

/// What the program says of an objective.
struct About {
    name: &'static str,
    title: &'static str,
    about: &'static str,
}

impl Objective {
    const fn describe(self) -> About {
        match self {
            Self::Flow => About {
                name: "flow",
                title: "velocity (flow)",
                about: "Rectified flow",
            },
            Self::Diffusion => About {
                name: "diffusion",
                title: "noise (diffusion)",
                about: "DDPM",
            },
        }
    }
}

impl Named for Objective {
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
