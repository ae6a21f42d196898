//! The rearrangements that the auto-vectoriser does badly, with AVX-512: rounding to bf16 pairs,
//! and transposing blocks of 16 × 16 words in registers.

#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::*;

use super::super::simd::avx512::lanes;
use super::PANEL;

/// Words of one vector.
const WORDS: usize = 16;

/// Sixteen words of bf16 pairs from two vectors: `first` in the low halves.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn interleaved(first: __m512, second: __m512) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };
    // SAFETY: both types are 512 bits of plain data, and the table is as long as a vector.
    unsafe {
        let halves = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first));
        _mm512_permutexvar_epi16(_mm512_loadu_si512(ORDER.as_ptr().cast()), halves)
    }
}

/// Sixteen words of bf16 pairs from 32 neighbours.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn neighbours(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both types are 512 bits of plain data.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// Up to 16 f32 from `source`, the others zero.
#[target_feature(enable = "avx512f")]
#[inline]
fn some(source: &[f32]) -> __m512 {
    // SAFETY: lanes beyond the slice are not read.
    unsafe { _mm512_maskz_loadu_ps(lanes(source.len()), source.as_ptr()) }
}

/// The first words of a vector, as many as `target` takes.
#[target_feature(enable = "avx512f")]
#[inline]
fn put(words: __m512i, target: &mut [u32]) {
    // SAFETY: lanes beyond the slice are not written.
    unsafe { _mm512_mask_storeu_epi32(target.as_mut_ptr().cast(), lanes(target.len()), words) };
}

/// Exchanges rows and columns of 16 × 16 words.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose(rows: &mut [__m512i; WORDS]) {
    // Within each 128-bit lane first: words, then pairs of words.
    let mut pairs = [_mm512_setzero_si512(); WORDS];
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // Of rows 4g.. and lane l, `fours[4g + c]` holds column 4l + c.
    let mut fours = [_mm512_setzero_si512(); WORDS];
    for g in 0..4 {
        let p = &pairs[4 * g..4 * g + 4];
        fours[4 * g] = _mm512_unpacklo_epi64(p[0], p[2]);
        fours[4 * g + 1] = _mm512_unpackhi_epi64(p[0], p[2]);
        fours[4 * g + 2] = _mm512_unpacklo_epi64(p[1], p[3]);
        fours[4 * g + 3] = _mm512_unpackhi_epi64(p[1], p[3]);
    }
    // Then whole lanes: rows of four groups, columns of four lanes.
    for c in 0..4 {
        let (a, b) = (fours[c], fours[4 + c]);
        let (d, e) = (fours[8 + c], fours[12 + c]);
        let (low_ab, high_ab) = (
            _mm512_shuffle_i32x4::<0x44>(a, b),
            _mm512_shuffle_i32x4::<0xee>(a, b),
        );
        let (low_de, high_de) = (
            _mm512_shuffle_i32x4::<0x44>(d, e),
            _mm512_shuffle_i32x4::<0xee>(d, e),
        );
        rows[c] = _mm512_shuffle_i32x4::<0x88>(low_ab, low_de);
        rows[4 + c] = _mm512_shuffle_i32x4::<0xdd>(low_ab, low_de);
        rows[8 + c] = _mm512_shuffle_i32x4::<0x88>(high_ab, high_de);
        rows[12 + c] = _mm512_shuffle_i32x4::<0xdd>(high_ab, high_de);
    }
}

macro_rules! along {
    ($(#[$doc:meta])* $name:ident, $features:literal, $numbers:literal, |$row:ident| $words:expr) => {
        $(#[$doc])*
        #[target_feature(enable = $features)]
        pub(super) fn $name(data: &[f32], stride: usize, columns: usize, k: usize, words: &mut [u32]) {
            let groups = k.div_ceil($numbers);
            let (lines, _) = words.as_chunks_mut::<PANEL>();
            for (block, lines) in lines[..groups].chunks_mut(WORDS).enumerate() {
                for half in 0..PANEL / WORDS {
                    let mut rows = [_mm512_setzero_si512(); WORDS];
                    let first = half * WORDS;
                    for (j, row) in rows.iter_mut().enumerate().take(columns.saturating_sub(first)) {
                        let $row = &data[(first + j) * stride..][..k][block * WORDS * $numbers..];
                        *row = $words;
                    }
                    transpose(&mut rows);
                    for (line, row) in lines.iter_mut().zip(rows) {
                        put(row, &mut line[first..first + WORDS]);
                    }
                }
            }
        }
    };
}
along!(
    /// A panel whose summed dimension runs along memory rows, in f32.
    along_f32, "avx512f", 1,
    |row| _mm512_castps_si512(some(row))
);
along!(
    /// A panel whose summed dimension runs along memory rows, in bf16 pairs.
    along_bf16, "avx512f,avx512bw,avx512bf16", 2,
    |row| neighbours(some(row), some(row.get(WORDS..).unwrap_or_default()))
);

/// The summed dimension runs across memory rows: group `q` of `columns` columns (at most
/// `16 · VECTORS`) to `words[16 · VECTORS · q ..]`, in bf16 pairs.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn across_bf16<const VECTORS: usize>(
    data: &[f32],
    stride: usize,
    columns: usize,
    k: usize,
    words: &mut [u32],
) {
    for (q, line) in words
        .chunks_exact_mut(WORDS * VECTORS)
        .take(k.div_ceil(2))
        .enumerate()
    {
        let row = |index: usize| -> &[f32] {
            if index < k {
                &data[index * stride..][..columns]
            } else {
                &[]
            }
        };
        let (first, second) = (row(2 * q), row(2 * q + 1));
        for v in 0..VECTORS {
            let part = |row: &'_ [f32]| some(row.get(v * WORDS..).unwrap_or_default());
            put(
                interleaved(part(first), part(second)),
                &mut line[v * WORDS..][..WORDS],
            );
        }
    }
}

/// The summed dimension runs across memory rows, but the result's along its own: group `q` of
/// column `r`, of at most 16, to `words[r · row + q]`, in bf16 pairs.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn turned_bf16(
    data: &[f32],
    stride: usize,
    columns: usize,
    k: usize,
    row: usize,
    words: &mut [u32],
) {
    for block in 0..k.div_ceil(2 * WORDS) {
        let mut lines = [_mm512_setzero_si512(); WORDS];
        for (q, line) in lines.iter_mut().enumerate() {
            let index = 2 * (block * WORDS + q);
            let source = |index: usize| {
                if index < k {
                    some(&data[index * stride..][..columns])
                } else {
                    _mm512_setzero_ps()
                }
            };
            *line = interleaved(source(index), source(index + 1));
        }
        transpose(&mut lines);
        for (r, line) in lines.into_iter().enumerate().take(columns) {
            let groups = WORDS.min(k.div_ceil(2) - block * WORDS);
            put(line, &mut words[r * row + block * WORDS..][..groups]);
        }
    }
}

/// Pairs neighbours of one row.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn row_bf16(source: &[f32], target: &mut [u32]) {
    for (source, target) in source.chunks(2 * WORDS).zip(target.chunks_mut(WORDS)) {
        put(
            neighbours(some(source), some(source.get(WORDS..).unwrap_or_default())),
            target,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::features::{Isa, isa};
    use super::super::super::simd::{bf16_bits, bf16_pair};
    use super::*;

    fn values(count: usize) -> Vec<f32> {
        (0..count as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 1e6 - 8.0)
            .collect()
    }

    /// Word of group `q`, whose numbers `number` gives.
    fn word(pairs: bool, q: usize, k: usize, number: impl Fn(usize) -> f32) -> u32 {
        if !pairs {
            return number(q).to_bits();
        }
        if 2 * q + 1 < k {
            bf16_pair(number(2 * q), number(2 * q + 1))
        } else {
            bf16_bits(number(2 * q))
        }
    }

    #[test]
    fn every_arrangement_puts_every_number_in_its_place() {
        if isa() < Isa::Avx512 {
            return;
        }
        for k in [1, 2, 15, 16, 31, 32, 33, 47, 70] {
            for columns in [1, 13, 14, 16, 17, 31, 32] {
                let stride = k.max(columns) + 3;
                let data = values(stride * k.max(columns));
                for pairs in [false, true] {
                    if pairs && isa() < Isa::Avx512Bf16 {
                        continue;
                    }
                    let groups = if pairs { k.div_ceil(2) } else { k };
                    let mut words = vec![7u32; (groups + 1) * PANEL];
                    // SAFETY: the processor has the features.
                    unsafe {
                        if pairs {
                            along_bf16(&data, stride, columns, k, &mut words);
                        } else {
                            along_f32(&data, stride, columns, k, &mut words);
                        }
                    }
                    for (i, actual) in words.iter().enumerate() {
                        let (q, j) = (i / PANEL, i % PANEL);
                        let expected = match (q < groups, j < columns) {
                            (true, true) => word(pairs, q, k, |i| data[j * stride + i]),
                            (true, false) => 0,
                            (false, _) => 7,
                        };
                        assert_eq!(
                            *actual, expected,
                            "along: k {k}, columns {columns}, {q}, {j}"
                        );
                    }
                }
                if isa() < Isa::Avx512Bf16 {
                    continue;
                }
                let groups = k.div_ceil(2);
                let mut words = vec![7u32; groups * PANEL];
                // SAFETY: the processor has the features.
                unsafe { across_bf16::<2>(&data, stride, columns, k, &mut words) };
                for (i, actual) in words.iter().enumerate() {
                    let (q, j) = (i / PANEL, i % PANEL);
                    let expected = if j < columns {
                        word(true, q, k, |i| data[i * stride + j])
                    } else {
                        0
                    };
                    assert_eq!(
                        *actual, expected,
                        "across: k {k}, columns {columns}, {q}, {j}"
                    );
                }
                if columns > WORDS {
                    continue;
                }
                let row = groups + 5;
                let mut words = vec![7u32; WORDS * row];
                // SAFETY: the processor has the features.
                unsafe { turned_bf16(&data, stride, columns, k, row, &mut words) };
                for (i, actual) in words.iter().enumerate() {
                    let (r, q) = (i / row, i % row);
                    let expected = if r < columns && q < groups {
                        word(true, q, k, |i| data[i * stride + r])
                    } else {
                        7
                    };
                    assert_eq!(
                        *actual, expected,
                        "turned: k {k}, columns {columns}, {r}, {q}"
                    );
                }
            }
            if isa() >= Isa::Avx512Bf16 {
                let data = values(k);
                let mut words = vec![7u32; k.div_ceil(2)];
                // SAFETY: the processor has the features.
                unsafe { row_bf16(&data, &mut words) };
                for (q, actual) in words.iter().enumerate() {
                    assert_eq!(*actual, word(true, q, k, |i| data[i]), "row: k {k}, {q}");
                }
            }
        }
    }
}
