//! What a transformer is trained to predict.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::{Named, Sampler};

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
    sampler: Sampler,
}

impl Objective {
    const fn describe(self) -> About {
        match self {
            Self::Flow => About {
                name: "flow",
                title: "velocity (flow)",
                about: "Rectified flow",
                sampler: Sampler::Euler,
            },
            Self::Diffusion => About {
                name: "diffusion",
                title: "noise (diffusion)",
                about: "DDPM",
                sampler: Sampler::DpmPp2M,
            },
        }
    }

    /// The sampler to take when nobody chooses one.
    pub const fn default_sampler(self) -> Sampler {
        self.describe().sampler
    }

    /// The samplers that walk with what a model of this objective predicts.
    pub fn samplers(self) -> impl Iterator<Item = Sampler> {
        let all = Sampler::ALL.iter().copied();
        all.filter(move |sampler| sampler.objective() == self)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_objective_offers_its_default_sampler() {
        for objective in Objective::ALL {
            let default = objective.default_sampler();
            assert!(objective.samplers().any(|sampler| sampler == default));
        }
    }
}
