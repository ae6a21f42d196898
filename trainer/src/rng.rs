//! Random numbers without state: each draw belongs to a seed, a purpose and an index.
//!
//! A run that is stopped and resumed asks for the same streams by the same numbers, so no
//! generator state is stored and nothing can drift.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for; the same index gives unrelated numbers for different purposes.
///
/// The numbers are part of every run: another number is another stream, and a resumed run would
/// not be the same. A new purpose takes the next number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights; the index is the tensor's position in name order.
    Init = 0,
    /// Order of the samples; the index is the epoch.
    Order = 1,
    /// Variant, caption, modality, dropout and time of one sample; the index counts samples seen.
    Sample = 2,
    /// Noise of one sample; the index counts samples seen.
    Noise = 3,
    /// Noise and times of the held-out loss; the index names sample and bucket.
    HeldOut = 4,
    /// Crop and sketch style of one augmented variant; the index is a hash of key and variant.
    Augment = 5,
    /// Inputs of the speed measurement.
    Bench = 6,
}

/// A generator for one draw of one purpose.
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    key[24..].copy_from_slice(b"mmface-1");
    ChaCha8Rng::from_seed(key)
}

/// A uniform number in `[0, 1)` with 24 random bits, exact in f32.
pub fn uniform(rng: &mut impl RngCore) -> f32 {
    (rng.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Fills the slice with standard normal numbers (Box and Muller's method in f64).
pub fn fill_normal(rng: &mut impl RngCore, values: &mut [f32]) {
    for pair in values.chunks_mut(2) {
        // 1 - u lies in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - f64::from(uniform(rng))).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * f64::from(uniform(rng))).sin_cos();
        pair[0] = (radius * cos) as f32;
        if let Some(second) = pair.get_mut(1) {
            *second = (radius * sin) as f32;
        }
    }
}

/// An index below `count`, which must not be 0. The bias of the modulus is below 1e-9 for the
/// counts used here.
pub fn below(rng: &mut impl RngCore, count: usize) -> usize {
    (rng.next_u64() % count as u64) as usize
}

/// The numbers `0..count` in a random order (Fisher and Yates).
pub fn permutation(rng: &mut impl RngCore, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    for last in (1..count).rev() {
        order.swap(last, below(rng, last + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        assert_eq!(draw(1, Purpose::Noise, 5), draw(1, Purpose::Noise, 5));
        assert_ne!(draw(1, Purpose::Noise, 5), draw(2, Purpose::Noise, 5));
        assert_ne!(draw(1, Purpose::Noise, 5), draw(1, Purpose::Noise, 6));
        assert_ne!(draw(1, Purpose::Noise, 5), draw(1, Purpose::Sample, 5));
    }

    /// The first numbers of each stream, computed by another implementation of ChaCha8 too.
    #[test]
    fn every_stream_is_the_one_of_runs_under_way() {
        for (purpose, number, first) in [
            (
                Purpose::Init,
                0,
                [0xc37c_97d7_006c_fac8, 0x3d95_7817_27e5_c790],
            ),
            (
                Purpose::Order,
                1,
                [0x81da_bb64_de27_820b, 0x08e4_ff96_861f_ff92],
            ),
            (
                Purpose::Sample,
                2,
                [0x08ac_0a41_98f3_0aa1, 0x164e_9d3a_0108_fd3c],
            ),
            (
                Purpose::Noise,
                3,
                [0x7a55_e387_fb9a_d747, 0x3081_11c6_3b8a_7d83],
            ),
            (
                Purpose::HeldOut,
                4,
                [0x9285_e03d_4500_bd59, 0x5ae9_6367_a419_ffd2],
            ),
            (
                Purpose::Augment,
                5,
                [0x4a1d_7be0_bcad_6cdd, 0xaf12_2618_bd16_386e],
            ),
            (
                Purpose::Bench,
                6,
                [0x9d41_2cdd_cf2d_7545, 0x9d8c_00f5_4359_3658],
            ),
        ] {
            assert_eq!(purpose as u64, number, "{purpose:?}");
            let mut rng = stream(42, purpose, 7);
            let drawn = [rng.next_u64(), rng.next_u64()];
            assert_eq!(drawn, first, "{purpose:?}");
        }
    }

    #[test]
    fn what_is_made_of_a_stream_is_the_same_for_ever() {
        let noise = || stream(42, Purpose::Noise, 7);
        let mut values = [0.0; 3];
        fill_normal(&mut noise(), &mut values);
        assert_eq!(
            values.map(f32::to_bits),
            [0xc034_b758, 0x3eca_4d42, 0x3e8a_4c3c]
        );
        assert_eq!(uniform(&mut noise()).to_bits(), 0x3f7b_9ad7);
        assert_eq!(below(&mut noise(), 900), 435);
        assert_eq!(permutation(&mut noise(), 8), [4, 0, 2, 1, 3, 5, 6, 7]);
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let mut values = vec![0.0; 40_001];
        fill_normal(&mut stream(3, Purpose::Noise, 0), &mut values);
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.02, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.03, "variance {variance}");
        assert!(values.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn a_permutation_holds_each_number_once() {
        let mut order = permutation(&mut stream(1, Purpose::Order, 0), 97);
        assert_ne!(order[..10], (0..10).collect::<Vec<u32>>()[..]);
        order.sort_unstable();
        assert_eq!(order, (0..97).collect::<Vec<u32>>());
    }
}
