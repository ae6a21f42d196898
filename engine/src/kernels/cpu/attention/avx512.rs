//! Attention without gradients for AVX-512: keys and values of a head are packed once, then
//! blocks of 12 queries take an exact softmax over all keys. Nothing of size tokens² is kept.

#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::*;

use rayon::prelude::*;

use super::super::amx;
use super::super::buffer::Buffer;
use super::super::features::{Isa, isa};
use super::super::output::{Slot, blocks};
use super::super::pack::{self, Kind, Left, LeftLayout, PANEL, View};
use super::super::simd::avx512::{self, tile_bf16, tile_f32};
use super::super::simd::bf16_pair;
use super::super::tokens::Tokens;
use super::LARGEST_HEAD;

/// Query rows of one block; with two vectors of scores each, 24 of 32 registers are sums.
const QUERIES: usize = 12;
/// Rows of probabilities multiplied with the values at a time.
const ROWS: usize = 4;
/// Softmax attention into rows of `[batch, tokens, width]`.
pub(super) fn attention<S: Slot>(tokens: &Tokens, kind: Kind, out: &mut [S]) {
    let (count, width) = (tokens.count(), tokens.width());
    assert_eq!(out.len(), tokens.batch * count * width);
    if out.is_empty() {
        return;
    }
    // Two halves of the queries for each head: enough jobs without packing the keys too often.
    let parts = if tokens.batch * tokens.heads >= 16 {
        1
    } else {
        2
    };
    let part = count.div_ceil(QUERIES).div_ceil(parts) * QUERIES;
    let parts = count.div_ceil(part);
    let jobs: Vec<_> = out
        .chunks_exact_mut(count * width)
        .flat_map(|item| blocks(item, width, part, tokens.head_dim))
        .collect();
    jobs.into_par_iter()
        .enumerate()
        .with_max_len(1)
        .for_each_init(Work::default, |work, (job, mut rows)| {
            let (item, job) = (job / (parts * tokens.heads), job % (parts * tokens.heads));
            let head = Head {
                tokens,
                kind,
                item,
                head: job % tokens.heads,
            };
            head.run(job / tokens.heads * part, &mut rows, work);
        });
}

/// Working memory of one thread.
#[derive(Default)]
struct Work {
    rows: Vec<f32>,
    keys: Buffer,
    values: Buffer,
    queries: Buffer,
    scores: Buffer,
    result: Results,
}

/// Results of one block of queries.
struct Results([[f32; LARGEST_HEAD]; QUERIES]);

impl Default for Results {
    fn default() -> Self {
        Self([[0.0; LARGEST_HEAD]; QUERIES])
    }
}

struct Head<'a> {
    tokens: &'a Tokens<'a>,
    kind: Kind,
    item: usize,
    head: usize,
}

impl Head<'_> {
    /// Attends from the tokens from `first` on, of which `out` is the rows.
    fn run<S: Slot>(&self, first: usize, out: &mut [&mut [S]], work: &mut Work) {
        let (count, head_dim) = (self.tokens.count(), self.tokens.head_dim);
        let vectors = head_dim.div_ceil(16);
        let rows = &mut work.rows;
        rows.resize(count * head_dim, 0.0);
        self.tokens
            .read(1, self.item, self.head, 0..count, 1.0, rows);
        pack::right(
            self.kind,
            &View::rows(rows, head_dim).transposed(),
            head_dim,
            count,
            &mut work.keys,
        );
        self.tokens
            .read(2, self.item, self.head, 0..count, 1.0, rows);
        pack_values(
            self.kind,
            rows,
            count,
            head_dim,
            vectors * 16,
            &mut work.values,
        );
        work.scores.reserve(QUERIES * count.next_multiple_of(PANEL));
        let scale = 1.0 / (head_dim as f32).sqrt();
        let groups = self.kind.groups(head_dim);
        let unit = (self.kind.on_tiles()).then(|| amx::Unit::new(QUERIES, groups));
        for (block, out) in out.chunks_mut(QUERIES).enumerate() {
            let (len, first) = (out.len(), first + block * QUERIES);
            let queries = first..first + len;
            let rows = &mut work.rows[..len * head_dim];
            self.tokens
                .read(0, self.item, self.head, queries, scale, rows);
            let left = Left::Matrix(View::rows(rows, head_dim));
            let layout = pack::left(self.kind, &left, len, head_dim, &mut work.queries);
            let args = Block {
                kind: self.kind,
                unit: unit.as_ref(),
                groups,
                count,
                queries: work.queries.words(),
                layout,
                keys: work.keys.words(),
                values: work.values.words(),
            };
            let (scores, result) = (&mut work.scores, &mut work.result);
            assert!(isa() >= Isa::Avx512);
            // SAFETY: the processor has AVX-512.
            unsafe {
                match vectors {
                    1 => args.run::<1>(scores, result),
                    2 => args.run::<2>(scores, result),
                    3 => args.run::<3>(scores, result),
                    4 => args.run::<4>(scores, result),
                    5 => args.run::<5>(scores, result),
                    6 => args.run::<6>(scores, result),
                    7 => args.run::<7>(scores, result),
                    8 => args.run::<8>(scores, result),
                    _ => unreachable!("heads are at most 128 wide"),
                }
            }
            for (row, values) in out.iter_mut().zip(&result.0) {
                for (slot, value) in row.iter_mut().zip(values) {
                    slot.put(*value);
                }
            }
        }
    }
}

/// Values as the right operand: groups of tokens, each a line of `stride` channels.
fn pack_values(
    kind: Kind,
    rows: &[f32],
    count: usize,
    head_dim: usize,
    stride: usize,
    words: &mut Buffer,
) {
    // Probabilities beyond the last token are zero, but what they meet must be finite.
    let groups = kind.groups(count.next_multiple_of(PANEL));
    words.reserve(groups * stride);
    let words = &mut words.words_mut()[..groups * stride];
    words.fill(0);
    match kind {
        Kind::F32 => {
            for (line, row) in words
                .chunks_exact_mut(stride)
                .zip(rows.chunks_exact(head_dim))
            {
                line[..head_dim].copy_from_slice(bytemuck::cast_slice(row));
            }
        }
        Kind::Bf16 => {
            for (line, pair) in words
                .chunks_exact_mut(stride)
                .zip(rows.chunks(2 * head_dim))
            {
                for (i, word) in line[..head_dim].iter_mut().enumerate() {
                    *word = bf16_pair(pair[i], pair.get(head_dim + i).copied().unwrap_or(0.0));
                }
            }
        }
    }
    debug_assert!(rows.len() >= count * head_dim);
}

/// One block of queries.
struct Block<'a> {
    kind: Kind,
    unit: Option<&'a amx::Unit>,
    groups: usize,
    count: usize,
    queries: &'a [u32],
    layout: LeftLayout,
    keys: &'a [u32],
    values: &'a [u32],
}

impl Block<'_> {
    /// Scores, softmax, and the mean of the values, `16 · VECTORS` channels of them.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn run<const VECTORS: usize>(&self, scores: &mut Buffer, results: &mut Results) {
        assert!(self.kind == Kind::F32 || isa() >= Isa::Avx512Bf16);
        let padded = self.count.next_multiple_of(PANEL);
        // Buffers only grow: they may be longer than this head needs.
        let scores = &mut scores.floats_mut()[..QUERIES * padded];
        let (groups, queries) = (self.groups, self.queries);
        let LeftLayout { step, row, .. } = self.layout;
        for panel in 0..padded / PANEL {
            let keys = &self.keys[panel * PANEL * groups..][..PANEL * groups];
            let out = &mut scores[panel * PANEL..];
            match (self.unit, self.kind) {
                (Some(unit), _) => {
                    let operands = amx::Operands {
                        left: queries,
                        left_row: row,
                        right: keys,
                        right_step: PANEL,
                    };
                    unit.product::<1, 2>(groups, operands, out, padded);
                }
                (None, Kind::F32) => {
                    tile_f32::<QUERIES, 2>(groups, queries, (step, row), keys, PANEL, out, padded)
                }
                // SAFETY: the processor has the products of bf16, as was checked above.
                (None, Kind::Bf16) => unsafe {
                    tile_bf16::<QUERIES, 2>(groups, queries, (step, row), keys, PANEL, out, padded);
                },
            }
        }
        let mut inverse = [0f32; QUERIES];
        for (scores, inverse) in scores.chunks_exact_mut(padded).zip(&mut inverse) {
            *inverse = exponentials(scores, self.count);
            if self.kind == Kind::Bf16 {
                // SAFETY: the processor has the instructions of bf16, as was checked above.
                unsafe { narrow(scores) };
            }
        }
        self.mean_of_values::<VECTORS>(bytemuck::cast_slice(scores), padded, results);
        for (result, inverse) in results.0.iter_mut().zip(inverse) {
            result.iter_mut().for_each(|x| *x *= inverse);
        }
    }

    /// Products of probabilities, in rows of `padded` words, and values.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    fn mean_of_values<const VECTORS: usize>(
        &self,
        probabilities: &[u32],
        padded: usize,
        results: &mut Results,
    ) {
        let (values, stride) = (self.values, VECTORS * 16);
        let results = results.0.as_flattened_mut();
        if let Some(unit) = self.unit {
            for first in (0..stride).step_by(32) {
                let operands = amx::Operands {
                    left: probabilities,
                    left_row: padded,
                    right: &values[first..],
                    right_step: stride,
                };
                let out = &mut results[first..];
                if first + 16 < stride {
                    unit.product::<1, 2>(padded / 2, operands, out, LARGEST_HEAD);
                } else {
                    unit.product::<1, 1>(padded / 2, operands, out, LARGEST_HEAD);
                }
            }
            return;
        }
        for r in (0..QUERIES).step_by(ROWS) {
            let (left, steps) = (&probabilities[r * padded..], (1, padded));
            let out = &mut results[r * LARGEST_HEAD..];
            match self.kind {
                Kind::F32 => tile_f32::<ROWS, VECTORS>(
                    padded,
                    left,
                    steps,
                    values,
                    stride,
                    out,
                    LARGEST_HEAD,
                ),
                // SAFETY: `run` has checked that the processor has the products of bf16.
                Kind::Bf16 => unsafe {
                    tile_bf16::<ROWS, VECTORS>(
                        padded / 2,
                        left,
                        steps,
                        values,
                        stride,
                        out,
                        LARGEST_HEAD,
                    );
                },
            }
        }
    }
}

/// Replaces scores by `e^(score − largest)`, beyond `count` by zero. Returns one over their sum.
/// Rows are whole vectors long.
#[target_feature(enable = "avx512f")]
fn exponentials(scores: &mut [f32], count: usize) -> f32 {
    let (vectors, rest) = scores.as_chunks_mut::<16>();
    assert!(rest.is_empty());
    let minimum = _mm512_set1_ps(f32::MIN);
    let mut top = minimum;
    for (vector, at) in vectors.iter().zip((0..count).step_by(16)) {
        // SAFETY: a vector is sixteen numbers.
        let x = unsafe { _mm512_loadu_ps(vector.as_ptr()) };
        top = _mm512_max_ps(
            top,
            _mm512_mask_blend_ps(avx512::lanes(count - at), minimum, x),
        );
    }
    let top = _mm512_set1_ps(_mm512_reduce_max_ps(top));
    let mut sum = _mm512_setzero_ps();
    for (index, vector) in vectors.iter_mut().enumerate() {
        let mask = avx512::lanes(count.saturating_sub(index * 16));
        // SAFETY: a vector is sixteen numbers.
        let x = unsafe { _mm512_loadu_ps(vector.as_ptr()) };
        let e = _mm512_maskz_mov_ps(mask, avx512::exp(_mm512_sub_ps(x, top)));
        sum = _mm512_add_ps(sum, e);
        // SAFETY: a vector is sixteen numbers.
        unsafe { _mm512_storeu_ps(vector.as_mut_ptr(), e) };
    }
    1.0 / _mm512_reduce_add_ps(sum)
}

/// Rounds a row to bf16, packed into its first half. Rows are whole vectors long.
#[target_feature(enable = "avx512f,avx512bf16")]
fn narrow(row: &mut [f32]) {
    assert!(row.len().is_multiple_of(16));
    let pointer = row.as_mut_ptr();
    for at in (0..row.len()).step_by(16) {
        // SAFETY: both ends lie inside of the row, and only what has been read is overwritten.
        unsafe {
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(
                _mm512_loadu_ps(pointer.add(at)),
            ));
            _mm256_storeu_si256(pointer.cast::<u16>().add(at).cast(), rounded);
        }
    }
}
