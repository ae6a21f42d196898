//! Configurations that come with the program, by name.

use mmface_engine::format::similar;
use mmface_engine::{Error, Result};

use crate::config::{Config, parse_ron};

/// A named configuration and what the paper used with it.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Name on the command line.
    pub name: &'static str,
    text: &'static str,
    /// Processes that the global batch was spread over.
    pub ranks: usize,
    /// Samples in the training set.
    pub samples: usize,
    /// Tokens of a caption.
    pub tokens: usize,
}

macro_rules! paper {
    ($name:literal) => {
        Preset {
            name: $name,
            text: include_str!(concat!("../configs/", $name, ".ron")),
            ranks: 2,
            samples: 94_000,
            tokens: 77,
        }
    };
}

/// All presets.
pub const PRESETS: [Preset; 6] = [
    paper!("paper-256-flow"),
    paper!("paper-512-flow"),
    paper!("paper-256-diffusion"),
    paper!("paper-512-diffusion"),
    Preset {
        name: "demo",
        text: include_str!("../configs/demo-128.ron"),
        ranks: 1,
        samples: 900,
        tokens: 48,
    },
    Preset {
        name: "demo-256",
        text: include_str!("../configs/demo-256.ron"),
        ranks: 1,
        samples: 900,
        tokens: 48,
    },
];

/// Finds a preset; an unknown name is an error that names the nearest.
///
/// # Errors
/// When there is none of this name.
pub fn find(name: &str) -> Result<Preset> {
    PRESETS
        .into_iter()
        .find(|preset| preset.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            let hint = match similar(name, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", names.join(", ")),
            };
            Error::Argument(format!("unknown preset `{name}`: {hint}"))
        })
}

impl Preset {
    /// The configuration, with its updates counted for the preset's own number of samples.
    ///
    /// # Errors
    /// Never for the bundled texts, which a test reads.
    pub fn config(&self) -> Result<Config> {
        let config: Config = parse_ron(self.text)
            .map_err(|what| Error::Internal(format!("preset {}: {what}", self.name)))?;
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use mmface_engine::job::Objective;
    use mmface_engine::model::dit::DitConfig;

    use super::*;

    #[test]
    fn presets_are_valid_and_say_what_their_name_says() {
        for preset in PRESETS {
            let config = preset.config().unwrap();
            let dit = config.model.dit();
            if preset.name.starts_with("paper") {
                assert_eq!(
                    dit.parameter_count(),
                    DitConfig::paper().parameter_count(),
                    "{}",
                    preset.name
                );
                assert!(preset.name.contains(&config.resolution.to_string()));
                assert_eq!(config.name, preset.name);
                let diffusion = dit.objective == Objective::Diffusion;
                assert_eq!(preset.name.ends_with("diffusion"), diffusion);
            }
        }
    }

    #[test]
    fn a_mistyped_name_gets_a_suggestion() {
        let error = find("paper-256-flwo").unwrap_err().to_string();
        assert!(error.contains("paper-256-flow"), "{error}");
        assert!(find("xyz").unwrap_err().to_string().contains("demo"));
    }
}
