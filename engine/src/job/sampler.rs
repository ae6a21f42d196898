//! How the sampler walks from noise to picture. Its arithmetic is in `sampling`.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::{Named, Objective};

/// How the sampler walks from noise to picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, VariantArray)]
pub enum Sampler {
    /// Flow objective, first order.
    #[default]
    Euler,
    /// Flow objective, second order, two evaluations a step.
    Heun,
    /// Diffusion objective, DPM-Solver++ 2M.
    DpmPp2M,
    /// Diffusion objective, UniPC of order 2.
    UniPc,
    /// Diffusion objective, DDIM without noise.
    Ddim,
}

/// What the program says of a sampler.
struct About {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    objective: Objective,
    multistep: bool,
}

impl Sampler {
    const fn describe(self) -> About {
        match self {
            Self::Euler => About {
                name: "euler",
                title: "Euler",
                about: "Flow, first order",
                objective: Objective::Flow,
                multistep: false,
            },
            Self::Heun => About {
                name: "heun",
                title: "Heun",
                about: "Flow, second order: two evaluations a step",
                objective: Objective::Flow,
                multistep: false,
            },
            Self::DpmPp2M => About {
                name: "dpmpp-2m",
                title: "DPM++ 2M",
                about: "Diffusion: DPM-Solver++ 2M",
                objective: Objective::Diffusion,
                multistep: true,
            },
            Self::UniPc => About {
                name: "unipc",
                title: "UniPC",
                about: "Diffusion: UniPC of order 2",
                objective: Objective::Diffusion,
                multistep: true,
            },
            Self::Ddim => About {
                name: "ddim",
                title: "DDIM",
                about: "Diffusion: DDIM",
                objective: Objective::Diffusion,
                multistep: false,
            },
        }
    }

    /// What a model must predict for this sampler.
    pub const fn objective(self) -> Objective {
        self.describe().objective
    }

    /// Whether a step uses what earlier steps predicted: a branch begins again with a step of first
    /// order, so an unchanged one comes close to the picture, but not exactly.
    pub const fn is_multistep(self) -> bool {
        self.describe().multistep
    }
}

/// Which samplers fit an objective stands here: a sampler names its objective, not the other way
/// round.
impl Objective {
    /// The sampler to take when nobody chooses one.
    pub const fn default_sampler(self) -> Sampler {
        match self {
            Self::Flow => Sampler::Euler,
            Self::Diffusion => Sampler::DpmPp2M,
        }
    }

    /// The samplers that walk with what a model of this objective predicts.
    pub fn samplers(self) -> impl Iterator<Item = Sampler> {
        let all = Sampler::ALL.iter().copied();
        all.filter(move |sampler| sampler.objective() == self)
    }
}

impl Named for Sampler {
    const ALL: &'static [Self] = Self::VARIANTS;

    fn name(self) -> &'static str {
        self.describe().name
    }

    /// The name that galleries write.
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
