//! Block-wise 8-bit moments (Dettmers et al. 2022; docs/reference.md section 8).
//!
//! A block of 256 values keeps its largest magnitude and one byte for each value: the index of the
//! nearest entry in a fixed map that is dense near zero. The update itself uses the unrounded
//! moments; only what is kept for the next step is rounded.

use std::sync::LazyLock;

use mmface_engine::kernels::AdamWStep;
use rayon::prelude::*;

/// Values that share one scale.
pub const BLOCK: usize = 256;
/// Smaller tensors keep f32 moments.
pub const SMALLEST: usize = 4096;

/// Code of zero in the signed map.
pub const SIGNED_ZERO: u8 = 127;

/// Map of the first moment: 256 values in rising order, from about −1 to 1.
pub static SIGNED: LazyLock<[f32; 256]> = LazyLock::new(|| map(true));
/// Map of the second moment: 256 values in rising order, from 0 to 1.
pub static UNSIGNED: LazyLock<[f32; 256]> = LazyLock::new(|| map(false));

/// For each power of ten `10^(e−6)`, the midpoints of `[0.1, 1]` split evenly into `2^e` parts with
/// both signs, or into `2^(e+1)` parts with one; then 0 and 1.
fn map(signed: bool) -> [f32; 256] {
    let mut values = vec![0.0f64, 1.0];
    for exponent in 0..7u32 {
        let parts = 1u32 << if signed { exponent } else { exponent + 1 };
        let scale = 10f64.powi(exponent as i32 - 6);
        for part in 0..parts {
            let middle = 0.1 + 0.9 * (f64::from(part) + 0.5) / f64::from(parts);
            values.push(scale * middle);
            if signed {
                values.push(-scale * middle);
            }
        }
    }
    values.sort_by(f64::total_cmp);
    let mut result = [0.0; 256];
    for (slot, value) in result.iter_mut().zip(values) {
        *slot = value as f32;
    }
    result
}

/// Index of the nearest map value; `value` lies in the map's range.
pub fn nearest(map: &[f32; 256], value: f32) -> u8 {
    let above = map.partition_point(|&entry| entry < value);
    if above == 0 {
        return 0;
    }
    if above == 256 {
        return 255;
    }
    let closer_below = value - map[above - 1] <= map[above] - value;
    (if closer_below { above - 1 } else { above }) as u8
}

/// The largest value that is nearest to each entry but the last: a value's code is the number of
/// bounds below it.
pub fn bounds(map: &[f32; 256]) -> [f32; 255] {
    std::array::from_fn(|code| {
        let (below, above) = (map[code], map[code + 1]);
        // As [`nearest`] decides, in f32.
        let is_nearer_below = |value: f32| value - below <= above - value;
        let mut bound = below + (above - below) / 2.0;
        while is_nearer_below(bound.next_up()) {
            bound = bound.next_up();
        }
        while !is_nearer_below(bound) {
            bound = bound.next_down();
        }
        bound
    })
}

/// Both moments of one tensor as bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantised {
    /// Codes of the first moment, one for each value.
    pub first: Vec<u8>,
    /// Codes of the second moment.
    pub second: Vec<u8>,
    /// Largest magnitude of each block of the first moment.
    pub first_scale: Vec<f32>,
    /// Largest value of each block of the second moment.
    pub second_scale: Vec<f32>,
}

impl Quantised {
    /// Moments before the first update.
    pub fn zeros(count: usize) -> Self {
        let blocks = count.div_ceil(BLOCK);
        Self {
            first: vec![SIGNED_ZERO; count],
            second: vec![0; count],
            first_scale: vec![0.0; blocks],
            second_scale: vec![0.0; blocks],
        }
    }

    /// One update of the tensor's values; moments are read back, used, and rounded again.
    pub fn update(&mut self, values: &mut [f32], gradient: &[f32], step: &AdamWStep) {
        let correction = |beta: f64| 1.0 - beta.powf(step.step as f64);
        let size = (step.learning_rate / correction(step.beta1)) as f32;
        let root = correction(step.beta2).sqrt() as f32;
        let keep = (1.0 - step.learning_rate * step.weight_decay) as f32;
        let (beta1, beta2, epsilon) = (step.beta1 as f32, step.beta2 as f32, step.epsilon as f32);
        let (fresh1, fresh2) = ((1.0 - step.beta1) as f32, (1.0 - step.beta2) as f32);
        let codes = self
            .first
            .par_chunks_mut(BLOCK)
            .zip(self.second.par_chunks_mut(BLOCK));
        let scales = self
            .first_scale
            .par_iter_mut()
            .zip(self.second_scale.par_iter_mut());
        values
            .par_chunks_mut(BLOCK)
            .zip(gradient.par_chunks(BLOCK))
            .zip(codes)
            .zip(scales)
            .with_min_len(16)
            .for_each(
                |(((values, gradient), (first, second)), (first_scale, second_scale))| {
                    let (mut new_first, mut new_second) = ([0f32; BLOCK], [0f32; BLOCK]);
                    for (i, (value, gradient)) in values.iter_mut().zip(gradient).enumerate() {
                        let gradient = gradient * step.gradient_scale as f32;
                        let old_first = SIGNED[usize::from(first[i])] * *first_scale;
                        let old_second = UNSIGNED[usize::from(second[i])] * *second_scale;
                        new_first[i] = beta1 * old_first + fresh1 * gradient;
                        new_second[i] = beta2 * old_second + fresh2 * gradient * gradient;
                        *value = *value * keep
                            - size * new_first[i] / (new_second[i].sqrt() / root + epsilon);
                    }
                    *first_scale = quantise_block(&SIGNED, &new_first[..first.len()], first);
                    *second_scale = quantise_block(&UNSIGNED, &new_second[..second.len()], second);
                },
            );
    }
}

/// Rounds one block to codes and returns its scale.
pub fn quantise_block(map: &[f32; 256], values: &[f32], codes: &mut [u8]) -> f32 {
    let scale = values
        .iter()
        .fold(0f32, |largest, value| largest.max(value.abs()));
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    for (code, value) in codes.iter_mut().zip(values) {
        *code = nearest(map, value * inverse);
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maps_rise_and_hold_zero_and_one() {
        for map in [&*SIGNED, &*UNSIGNED] {
            assert!(map.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!(map[255], 1.0);
        }
        assert_eq!(SIGNED[usize::from(SIGNED_ZERO)], 0.0);
        assert_eq!(UNSIGNED[0], 0.0);
        assert!(SIGNED[0] > -1.0);
    }

    #[test]
    fn each_map_value_is_its_own_nearest() {
        for map in [&*SIGNED, &*UNSIGNED] {
            for (code, &value) in map.iter().enumerate() {
                assert_eq!(usize::from(nearest(map, value)), code);
            }
        }
        assert_eq!(nearest(&SIGNED, -1.0), 0);
    }
}
