//! PyTorch's CPU generator: the same seed gives the noise that everybody else's tools draw.
//!
//! docs/reference.md section 8, "torch CPU randn". Logarithm and cosine are taken in f64 and
//! rounded, so that the bytes do not depend on a platform's f32 mathematics; PyTorch's own
//! vectorised ones differ from that by at most a few units in the last place.

use std::f64::consts::TAU;

use candle_core::{Device, Shape, Tensor};

use crate::Result;

/// Words of the mt19937 state.
const WORDS: usize = 624;

/// Normal values that one block of the vectorised path makes.
const BLOCK: usize = 16;

/// `torch.Generator("cpu")`: mt19937 with torch's ways of drawing from it.
#[derive(Clone, Debug)]
pub struct TorchGenerator {
    words: [u32; WORDS],
    next: usize,
    /// Second value of the last scalar Box-Muller pair; kept across calls as torch keeps it.
    spare: Option<f64>,
}

impl TorchGenerator {
    /// `torch.manual_seed(seed)`. As in torch only the low 32 bits seed the generator.
    pub fn new(seed: u64) -> Self {
        let mut words = [seed as u32; WORDS];
        let mut last = seed as u32;
        for (i, word) in words.iter_mut().enumerate().skip(1) {
            last = 1_812_433_253u32
                .wrapping_mul(last ^ (last >> 30))
                .wrapping_add(i as u32);
            *word = last;
        }
        Self {
            words,
            next: WORDS,
            spare: None,
        }
    }

    fn refill(&mut self) {
        for i in 0..WORDS {
            let mixed = (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % WORDS] & 0x7fff_ffff);
            let twist = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + 397) % WORDS] ^ (mixed >> 1) ^ twist;
        }
        self.next = 0;
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == WORDS {
            self.refill();
        }
        let mut y = self.words[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// One uniform value in [0, 1) with 24 bits.
    fn uniform(&mut self) -> f32 {
        (self.next_u32() & 0x00ff_ffff) as f32 / (1 << 24) as f32
    }

    /// One uniform value in [0, 1) with 53 bits.
    fn uniform_double(&mut self) -> f64 {
        let high = u64::from(self.next_u32());
        let low = u64::from(self.next_u32());
        (((high << 32) | low) & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }

    /// `torch.rand(count)`.
    pub fn rand(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.uniform()).collect()
    }

    /// `torch.randint(0, bound, (count,))`; a bound of 0 gives zeros.
    pub fn randint(&mut self, bound: u32, count: usize) -> Vec<i64> {
        (0..count)
            .map(|_| i64::from(self.next_u32().checked_rem(bound).unwrap_or(0)))
            .collect()
    }

    /// `torch.randn(count)`.
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| self.normal_scalar() as f32).collect();
        }
        let mut values = self.rand(count);
        for block in values.chunks_exact_mut(BLOCK) {
            normal_block(block);
        }
        if !count.is_multiple_of(BLOCK) {
            // The rest does not fill a block: torch draws the last 16 values anew.
            let fresh = self.rand(BLOCK);
            let tail = &mut values[count - BLOCK..];
            tail.copy_from_slice(&fresh);
            normal_block(tail);
        }
        values
    }

    fn normal_scalar(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (turn, size) = (self.uniform_double(), self.uniform_double());
        let radius = (-2.0 * (1.0 - size).ln()).sqrt();
        let angle = TAU * turn;
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

/// Box-Muller of 16 uniform values: value j of the first half with value j of the second.
fn normal_block(block: &mut [f32]) {
    let (sizes, turns) = block.split_at_mut(BLOCK / 2);
    for (size, turn) in sizes.iter_mut().zip(turns) {
        let radius = (-2.0 * f64::from(1.0 - *size).ln()).sqrt();
        let angle = f64::from(TAU as f32 * *turn);
        *size = (radius * angle.cos()) as f32;
        *turn = (radius * angle.sin()) as f32;
    }
}

/// `torch.manual_seed(seed); torch.randn(shape)` on the CPU in f32, moved to the device.
///
/// # Shapes
/// - result: `shape`
///
/// # Errors
/// When the device cannot take the values.
pub fn torch_randn(seed: u64, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    let values = TorchGenerator::new(seed).randn(shape.elem_count());
    Ok(Tensor::from_vec(values, shape, device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classic_sequence_of_mt19937() {
        let mut generator = TorchGenerator::new(5489);
        let mut last = 0;
        for _ in 0..10_000 {
            last = generator.next_u32();
        }
        assert_eq!(
            last, 4_123_659_995,
            "the 10000th value that the C++ standard names"
        );
    }

    #[test]
    fn seeds_beyond_32_bits_wrap_as_in_torch() {
        let low = TorchGenerator::new(7).randn(40);
        assert_eq!(TorchGenerator::new(7 + (1 << 32)).randn(40), low);
        assert_ne!(TorchGenerator::new(8).randn(40), low);
    }

    #[test]
    fn noise_is_normal() {
        let values = TorchGenerator::new(1).randn(100_003);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let variance = values
            .iter()
            .map(|&v| (f64::from(v) - mean).powi(2))
            .sum::<f64>()
            / values.len() as f64;
        assert!(
            mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02,
            "{mean} {variance}"
        );
        assert!(values.iter().all(|value| value.is_finite()));
    }
}
