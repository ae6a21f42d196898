//! Between stored bytes and f32.

use half::{bf16, f16};

use super::layout::{ElementType, Q8_0_BLOCK, Q8_0_BYTES};

/// Reads stored numbers as f32; `None` for types that are no weights.
pub fn to_f32(element: ElementType, bytes: &[u8]) -> Option<Vec<f32>> {
    let halves = |convert: fn([u8; 2]) -> f32| {
        bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&two| convert(two))
            .collect()
    };
    Some(match element {
        ElementType::F32 => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&four| f32::from_le_bytes(four))
            .collect(),
        ElementType::F64 => bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&eight| f64::from_le_bytes(eight) as f32)
            .collect(),
        ElementType::Bf16 => halves(|two| f32::from_bits(u32::from(u16::from_le_bytes(two)) << 16)),
        ElementType::F16 => halves(|two| f16::from_le_bytes(two).to_f32()),
        ElementType::Q8_0 => q8_0_to_f32(bytes),
        ElementType::Other(_) => return None,
    })
}

/// Stores f32 as `element`, rounding to nearest; `None` for types that are no weights, and for
/// Q8_0 when blocks do not come out even.
pub fn from_f32(element: ElementType, values: &[f32]) -> Option<Vec<u8>> {
    Some(match element {
        ElementType::F32 => values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        ElementType::F64 => values
            .iter()
            .flat_map(|&value| f64::from(value).to_le_bytes())
            .collect(),
        ElementType::Bf16 => values
            .iter()
            .flat_map(|&value| bf16::from_f32(value).to_le_bytes())
            .collect(),
        ElementType::F16 => values
            .iter()
            .flat_map(|&value| f16::from_f32(value).to_le_bytes())
            .collect(),
        ElementType::Q8_0 if values.len().is_multiple_of(Q8_0_BLOCK) => f32_to_q8_0(values),
        ElementType::Q8_0 | ElementType::Other(_) => return None,
    })
}

fn q8_0_to_f32(bytes: &[u8]) -> Vec<f32> {
    let mut values = Vec::with_capacity(bytes.len() / Q8_0_BYTES * Q8_0_BLOCK);
    for block in bytes.as_chunks::<Q8_0_BYTES>().0 {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        values.extend(block[2..].iter().map(|&q| f32::from(q as i8) * scale));
    }
    values
}

/// A block's scale is its largest magnitude over 127. Quantising what was read back from Q8_0
/// gives the same bytes.
fn f32_to_q8_0(values: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() / Q8_0_BLOCK * Q8_0_BYTES);
    for block in values.as_chunks::<Q8_0_BLOCK>().0 {
        let largest = block
            .iter()
            .fold(0f32, |largest, value| largest.max(value.abs()));
        let scale = f16::from_f32(largest / 127.0);
        let inverse = if scale == f16::ZERO {
            0.0
        } else {
            1.0 / scale.to_f32()
        };
        bytes.extend(scale.to_le_bytes());
        bytes.extend(
            block
                .iter()
                .map(|value| (value * inverse).round().clamp(-127.0, 127.0) as i8 as u8),
        );
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_type_reads_back_what_it_can_hold() {
        let values = [0.0, -0.0, 1.0, -2.5, 65504.0, 2f32.powi(-14)];
        for element in [ElementType::F64, ElementType::F32, ElementType::F16] {
            assert_eq!(
                to_f32(element, &from_f32(element, &values).unwrap()).unwrap(),
                values,
                "{}",
                element.name()
            );
        }
        let values = [0.0, 1.0, -2.5, 1.0078125, 3e38];
        let back = to_f32(
            ElementType::Bf16,
            &from_f32(ElementType::Bf16, &values).unwrap(),
        )
        .unwrap();
        assert_eq!(back[..4], values[..4]);
        assert_eq!(to_f32(ElementType::Other("I64"), &[0; 8]), None);
        assert_eq!(from_f32(ElementType::Q8_0, &[0.0; 31]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn q8_0_stays_close_and_is_stable(values in prop::collection::vec(-3.0f32..3.0, 64)) {
            let bytes = from_f32(ElementType::Q8_0, &values).unwrap();
            let back = to_f32(ElementType::Q8_0, &bytes).unwrap();
            for (block, back) in values.chunks(32).zip(back.chunks(32)) {
                let largest = block.iter().fold(0f32, |m, v| m.max(v.abs()));
                for (value, back) in block.iter().zip(back) {
                    prop_assert!((value - back).abs() <= largest * (0.5 / 127.0 + 1e-3), "{value} became {back}");
                }
            }
            prop_assert_eq!(from_f32(ElementType::Q8_0, &back).unwrap(), bytes);
        }
    }
}
