//! Reading a configuration: RON as people write it, with the place of an error.

use std::path::Path;

use mmface_engine::format::similar;
use mmface_engine::{Error, Result};
use serde::de::DeserializeOwned;

use super::Config;

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// When it cannot be read, is no RON, has unknown keys, or values that no run can use.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(Error::file("read the training configuration", path))?;
        let config: Self = parse_ron(&text)
            .map_err(|what| Error::content(path, what, "compare with trainer/configs"))?;
        config.check()?;
        Ok(config)
    }
}

/// Reads RON with `Some(...)` written or left out and a byte order mark or none.
///
/// # Errors
/// With a clause that says what is wrong and where; a mistyped name gets the nearest.
pub fn parse_ron<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
        .from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| match &error.code {
            ron::Error::NoSuchStructField {
                expected, found, ..
            } => unknown("key", found, expected, error.span.start),
            ron::Error::NoSuchEnumVariant {
                expected, found, ..
            } => unknown("choice", found, expected, error.span.start),
            _ => error.to_string(),
        })
}

fn unknown(kind: &str, found: &str, expected: &[&str], place: ron::error::Position) -> String {
    let hint = match similar(found, expected) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", expected.join(", ")),
    };
    format!("line {}: unknown {kind} `{found}`: {hint}", place.line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::Checkpointing;
    use super::*;

    const SMALL: &str = "(name: \"small\", model: Demo, resolution: 128, batch: 4, steps: 10)";

    #[test]
    fn a_short_file_gets_the_reference_defaults() {
        let config: Config = parse_ron(SMALL).unwrap();
        config.check().unwrap();
        assert_eq!(config.optimizer.max_grad_norm, Some(0.5));
        assert_eq!(config.ema_decay, 0.9999);
        assert_eq!(config.min_snr_gamma, Some(5.0));
        assert_eq!(
            parse_ron::<Config>(&config.to_ron().unwrap()).unwrap(),
            config
        );
    }

    #[test]
    fn an_unknown_key_is_named() {
        for (from, to, hint) in [
            (
                "batch",
                "batsh",
                "line 1: unknown key `batsh`: did you mean `batch`?",
            ),
            ("Demo", "Dmo", "unknown choice `Dmo`: did you mean `Demo`?"),
            (
                "steps: 10",
                "steps: 10, rate: (bse: 1.0)",
                "did you mean `base`?",
            ),
            ("steps: 10", "steps: 10, zebra: 1", "there are name, model"),
        ] {
            let error = parse_ron::<Config>(&SMALL.replace(from, to)).unwrap_err();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn new_fields_leave_the_text_of_old_configurations_as_it_was() {
        let text = parse_ron::<Config>(SMALL).unwrap().to_ron().unwrap();
        assert!(
            !text.contains("epochs") && !text.contains("sample"),
            "{text}"
        );
    }

    #[test]
    fn older_files_said_checkpointing_as_yes_or_no() {
        for (text, wanted) in [
            ("block_checkpointing: true", Checkpointing::Full),
            ("block_checkpointing: false", Checkpointing::None),
            ("checkpointing: Selective", Checkpointing::Selective),
            ("checkpointing: None", Checkpointing::None),
        ] {
            let text = SMALL.replace("steps: 10", &format!("steps: 10, {text}"));
            let config: Config = parse_ron(&text).unwrap();
            assert_eq!(config.checkpointing, wanted, "{text}");
            assert_eq!(
                parse_ron::<Config>(&config.to_ron().unwrap()).unwrap(),
                config
            );
        }
    }

    #[test]
    fn files_of_other_editors_are_read() {
        let wanted: Config = parse_ron(SMALL).unwrap();
        for text in [
            format!("\u{feff}{SMALL}"),
            SMALL.replace(", ", ",\r\n"),
            SMALL.replace(", ", ",\t"),
        ] {
            assert_eq!(parse_ron::<Config>(&text).unwrap(), wanted, "{text:?}");
        }
    }

    #[test]
    fn the_bundled_configurations_are_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Config::read(&entry.unwrap().path()).unwrap();
            seen += 1;
        }
        assert!(seen >= 2);
    }
}
