//! Whole numbers as people write them: `1000`, `1_000`, `1e3`, `16.0`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Above this, f64 has no every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number from 0.
struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = u64;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number from 0")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
                Ok(value)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
                u64::try_from(value)
                    .map_err(|_| E::custom(format!("{value} is not a whole number from 0")))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<u64, E> {
                if (0.0..=EXACT).contains(&value) && value.fract() == 0.0 {
                    Ok(value as u64)
                } else {
                    Err(E::custom(format!("{value} is not a whole number from 0")))
                }
            }
        }

        deserializer.deserialize_any(Number).map(Whole)
    }
}

impl Whole {
    fn into<T: TryFrom<u64>, E: Error>(self) -> Result<T, E> {
        T::try_from(self.0).map_err(|_| E::custom(format!("{} is too large", self.0)))
    }
}

/// A whole number.
pub(super) fn whole<'de, T: TryFrom<u64>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Whole::deserialize(deserializer)?.into()
}

/// A whole number, or none.
pub(super) fn optional<'de, T: TryFrom<u64>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::<Whole>::deserialize(deserializer)?
        .map(Whole::into)
        .transpose()
}

/// Two whole numbers, or none.
pub(super) fn optional_pair<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<(u64, u64)>, D::Error> {
    let pair = Option::<(Whole, Whole)>::deserialize(deserializer)?;
    Ok(pair.map(|(first, second)| (first.0, second.0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::{Config, parse_ron};

    fn read(setting: &str) -> Result<Config, String> {
        parse_ron(&format!(
            "(name: \"n\", model: Demo, resolution: 128, {setting})"
        ))
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, steps) in [
            ("1000", 1000),
            ("1_000", 1000),
            ("1e3", 1000),
            ("1E3", 1000),
            ("1000.0", 1000),
            ("1_000.0", 1000),
            ("2.5e3", 2500),
            ("1e12", 1_000_000_000_000),
            ("+5", 5),
            ("0x10", 16),
        ] {
            let config = read(&format!("batch: 4, steps: {text}"));
            assert_eq!(config.map(|config| config.steps), Ok(steps), "{text}");
        }
        let config = read(
            "batch: 1.6e1, steps: 1, seed: 18446744073709551615, epochs: 2e0, \
             rate: (warmup: 1e2, cooldown: (1_000, 5e1)), every: (keep: 2.0, sample: 1e2)",
        )
        .unwrap();
        assert_eq!((config.batch, config.seed), (16, u64::MAX));
        assert_eq!(config.rate.cooldown, Some((1000, 50)));
        assert_eq!((config.epochs, config.every.sample), (Some(2), Some(100)));
        assert_eq!((config.rate.warmup, config.every.keep), (100, 2));
        let config = read("batch: 4, steps: 1, epochs: Some(3), every: (sample: None)").unwrap();
        assert_eq!((config.epochs, config.every.sample), (Some(3), None));
    }

    #[test]
    fn what_is_no_whole_number_is_refused_with_its_place() {
        for text in [
            "-1", "1.5", "1e-3", "NaN", "inf", "1e300", "\"many\"", "true",
        ] {
            let error = read(&format!("batch: 4, steps: {text}")).unwrap_err();
            assert!(
                error.contains("whole number from 0") && error.contains("1:"),
                "{text}: {error}"
            );
        }
    }
}
