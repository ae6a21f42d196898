//! A point on the way from noise to picture from which another job goes on.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The latent after some steps of an earlier job. The new job keeps its own prompt and guidance;
/// samplers of second order begin again with a first-order step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fork {
    /// Steps that are done already.
    pub step: usize,
    /// The latent after them, `[channels, size / 8, size / 8]` row-major.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub latent: Vec<f32>,
}

/// Hexadecimal digits of the little-endian values: exact, and half the length of decimal numbers.
fn to_hex<S: Serializer>(latent: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(latent.len() * 8);
    for byte in latent.iter().flat_map(|value| value.to_le_bytes()) {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    serializer.serialize_str(&text)
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|value| value as u8))
        .collect();
    let digits = digits
        .ok_or_else(|| D::Error::custom("a fork's latent has a digit that is not hexadecimal"))?;
    let (values, rest) = digits.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(D::Error::custom("a fork's latent ends within a value"));
    }
    let value =
        |d: &[u8; 8]| f32::from_le_bytes(std::array::from_fn(|i| d[2 * i] << 4 | d[2 * i + 1]));
    Ok(values.iter().map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latent_survives_text() {
        let fork = Fork {
            step: 3,
            latent: vec![0.1, -1.5e-30, f32::MAX, -0.0],
        };
        let text = ron::to_string(&fork).expect("plain data");
        let back: Fork = ron::from_str(&text).expect("own text");
        assert_eq!(back.step, 3);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back.latent), bits(&fork.latent));
    }

    #[test]
    fn broken_latents_are_refused() {
        for text in ["(step:1,latent:\"123\")", "(step:1,latent:\"0000000g\")"] {
            assert!(ron::from_str::<Fork>(text).is_err(), "{text}");
        }
    }
}
