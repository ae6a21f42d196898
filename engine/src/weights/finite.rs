//! Finds numbers that no trained weight has.

/// Says where the first NaN or infinity stands, if any.
pub fn first_fault(values: &[f32]) -> Option<String> {
    // Whole stretches first: a finite sum of magnitudes' exponents is cheap to vectorise.
    const EXPONENT: u32 = 0x7f80_0000;
    let bad = |value: &f32| value.to_bits() & EXPONENT == EXPONENT;
    let stretch = values
        .chunks(4096)
        .position(|chunk| chunk.iter().fold(false, |found, value| found | bad(value)))?;
    let start = stretch * 4096;
    let index = start + values[start..].iter().position(bad)?;
    let what = if values[index].is_nan() {
        "NaN"
    } else {
        "infinity"
    };
    Some(format!("{what} at element {index}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_is_named_and_healthy_numbers_pass() {
        let mut values = vec![1.0f32; 10_000];
        values[1] = f32::MAX;
        values[2] = f32::from_bits(1);
        assert_eq!(first_fault(&values), None);
        values[9_999] = f32::NEG_INFINITY;
        assert_eq!(
            first_fault(&values).as_deref(),
            Some("infinity at element 9999")
        );
        values[5_000] = f32::NAN;
        assert_eq!(first_fault(&values).as_deref(), Some("NaN at element 5000"));
        assert_eq!(first_fault(&[]), None);
    }
}
