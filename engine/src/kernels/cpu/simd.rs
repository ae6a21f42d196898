//! Elementary functions as polynomials (plain Rust for the auto-vectoriser, and AVX-512) and the
//! inner loops of all our matrix products.

/// `√(2/π)`, the factor inside tanh-GELU.
pub(crate) const GELU_SLOPE: f32 = 0.797_884_6;
/// The cubic's coefficient inside tanh-GELU.
pub(crate) const GELU_CUBIC: f32 = 0.044_715;

/// ln 2 split in two, so that `x − n·ln 2` keeps its low bits.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// `eˣ` on `|x| ≤ ln 2 / 2`, highest power first.
const EXP: [f32; 8] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    0.166_666_66,
    0.5,
    1.0,
    1.0,
];

/// `eˣ` with a relative error below 3e-7, saturating outside −87..88; no branches, so loops over
/// it become vector code.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.3, 88.0);
    // Adding 1.5·2²³ leaves the nearest integer in the low bits.
    let n = (x * std::f32::consts::LOG2_E + 12_582_912.0) - 12_582_912.0;
    let f = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = EXP[0];
    for c in &EXP[1..] {
        p = p * f + c;
    }
    // SAFETY: n is within ±127 after the clamp; a NaN must not reach a saturating conversion
    // that would keep this loop scalar.
    let n = unsafe { if n.is_nan() { 0.0 } else { n }.to_int_unchecked::<i32>() };
    p * f32::from_bits(((n + 127) << 23) as u32)
}

/// The logistic function.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Sum over `0..len` of `value(i)` in sixteen lanes, which is one vector register.
#[inline(always)]
pub(crate) fn lane_sum(len: usize, value: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; 16];
    let whole = len / 16 * 16;
    for i in (0..whole).step_by(16) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += value(i + lane);
        }
    }
    for i in whole..len {
        lanes[i - whole] += value(i);
    }
    lanes.iter().sum()
}

/// bf16 nearest to `x`, ties to even, in the low half of a word.
#[inline(always)]
pub(crate) fn bf16_bits(x: f32) -> u32 {
    let bits = x.to_bits();
    bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16
}

/// Two bf16 in one word, the first in the low half.
#[inline(always)]
pub(crate) fn bf16_pair(first: f32, second: f32) -> u32 {
    bf16_bits(first) | bf16_bits(second) << 16
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512 {
    //! The AVX-512 side. Every function needs the features in its attribute; `features::isa`
    //! guards the entry points.

    use std::arch::x86_64::*;

    use super::super::buffer::extent;
    use super::{EXP, LN2_HIGH, LN2_LOW};

    /// Groups between the one that is multiplied and the one that is fetched: a panel that has left
    /// the second-level cache is some hundred cycles away, and a group takes fourteen.
    const AHEAD: usize = 24;

    macro_rules! tile {
        ($(#[$doc:meta])* $name:ident, $features:literal, |$sum:ident, $left:ident, $right:ident| $step:expr) => {
            $(#[$doc])*
            ///
            /// `out[r·out_row + 16·v ..] = Σ_q left[q·left_step + r·left_row] · right[q·right_step + 16·v ..]`
            /// over `groups` words. All loops that touch the sums have constant bounds, else the
            /// compiler keeps them in memory and every product is followed by a store.
            ///
            /// # Panics
            /// When an operand or the output is too short.
            #[target_feature(enable = $features)]
            pub(crate) fn $name<const ROWS: usize, const VECTORS: usize>(
                groups: usize,
                left: &[u32],
                (left_step, left_row): (usize, usize),
                right: &[u32],
                right_step: usize,
                out: &mut [f32],
                out_row: usize,
            ) {
                assert!(extent((ROWS, left_row), (groups, left_step), 1) <= left.len());
                assert!(extent((1, 0), (groups, right_step), VECTORS * 16) <= right.len());
                assert!(extent((ROWS, out_row), (1, 0), VECTORS * 16) <= out.len());
                let (left, right, out) = (left.as_ptr(), right.as_ptr(), out.as_mut_ptr());
                let mut s = [[_mm512_setzero_ps(); VECTORS]; ROWS];
                for q in 0..groups {
                    let mut b = [_mm512_setzero_si512(); VECTORS];
                    for v in 0..VECTORS {
                        // A hint, so it may point beyond the operand.
                        let ahead = right.wrapping_add((q + AHEAD) * right_step + v * 16);
                        _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                        // SAFETY: inside the right operand, whose extent was checked above.
                        b[v] = unsafe { _mm512_loadu_si512(right.add(q * right_step + v * 16).cast()) };
                    }
                    for r in 0..ROWS {
                        // SAFETY: inside the left operand, whose extent was checked above.
                        let $left = unsafe { _mm512_set1_epi32(*left.add(q * left_step + r * left_row).cast()) };
                        for v in 0..VECTORS {
                            let $sum = s[r][v];
                            let $right = b[v];
                            s[r][v] = $step;
                        }
                    }
                }
                for r in 0..ROWS {
                    for v in 0..VECTORS {
                        // SAFETY: inside the output, whose extent was checked above.
                        unsafe { _mm512_storeu_ps(out.add(r * out_row + v * 16), s[r][v]) };
                    }
                }
            }
        };
    }
    tile!(
        /// Products of f32 words.
        tile_f32, "avx512f",
        |sum, left, right| _mm512_fmadd_ps(_mm512_castsi512_ps(left), _mm512_castsi512_ps(right), sum)
    );
    tile!(
        /// Products of words with two bf16 each, summed in f32.
        tile_bf16, "avx512f,avx512bf16",
        // SAFETY: both types are 512 bits of plain data.
        |sum, left, right| _mm512_dpbf16_ps(sum, unsafe { std::mem::transmute::<__m512i, __m512bh>(left) }, unsafe { std::mem::transmute::<__m512i, __m512bh>(right) })
    );

    /// Mask of the lanes below `left`.
    #[inline(always)]
    pub(crate) fn lanes(left: usize) -> u16 {
        if left >= 16 { !0 } else { (1u16 << left) - 1 }
    }

    /// `eˣ`; see [`super::exp`].
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn exp(x: __m512) -> __m512 {
        let x = _mm512_min_ps(
            _mm512_max_ps(x, _mm512_set1_ps(-87.3)),
            _mm512_set1_ps(88.0),
        );
        let n =
            _mm512_roundscale_ps::<8>(_mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::LOG2_E)));
        let f = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_HIGH), x);
        let f = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_LOW), f);
        let mut p = _mm512_set1_ps(EXP[0]);
        for c in &EXP[1..] {
            p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(*c));
        }
        _mm512_scalef_ps(p, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_accurate() {
        for i in -8700..8700 {
            let x = i as f32 * 0.01;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 1e-6, "e^{x}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn rounding_to_bf16_agrees_with_half() {
        for i in 0..100_000u32 {
            let x = f32::from_bits(i.wrapping_mul(2_654_435_761));
            if x.is_finite() {
                assert_eq!(
                    bf16_bits(x),
                    u32::from(half::bf16::from_f32(x).to_bits()),
                    "{x}"
                );
            }
        }
    }
}
