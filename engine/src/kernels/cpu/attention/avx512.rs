//! Attention without gradients for AVX-512: keys and values of a head are packed once, then
//! blocks of 12 queries take an exact softmax over all keys. Nothing of size tokens² is kept.

#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::*;

use half::bf16;
use rayon::prelude::*;

use super::super::amx;
use super::super::buffer::{Buffer, Shared};
use super::super::finish::Target;
use super::super::pack::{self, Kind, Left, LeftLayout, PANEL, View};
use super::super::simd::{avx512, bf16_bits, bf16_pair};
use super::super::tokens::Tokens;
use super::LARGEST_HEAD;

/// Query rows of one block; with two vectors of scores each, 24 of 32 registers are sums.
const QUERIES: usize = 12;
/// Rows of probabilities multiplied with the values at a time.
const ROWS: usize = 4;
/// Softmax attention into rows of `[batch, tokens, width]`.
pub fn attention(tokens: &Tokens, kind: Kind, out: Target) {
    // Two halves of the queries for each head: enough jobs without packing the keys too often.
    let blocks = tokens.count().div_ceil(QUERIES);
    let parts = if tokens.batch * tokens.heads >= 16 {
        1
    } else {
        2
    };
    let part_blocks = blocks.div_ceil(parts);
    (0..tokens.batch * tokens.heads * parts)
        .into_par_iter()
        .with_max_len(1)
        .for_each_init(Work::default, |work, job| {
            let (index, part) = (job / parts, job % parts);
            let head = Head {
                tokens,
                kind,
                item: index / tokens.heads,
                head: index % tokens.heads,
                out,
            };
            head.run(
                part * part_blocks..blocks.min((part + 1) * part_blocks),
                work,
            );
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
    out: Target,
}

impl Head<'_> {
    fn run(&self, blocks: std::ops::Range<usize>, work: &mut Work) {
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
        // SAFETY: the processor has the unit.
        let unit = self
            .kind
            .on_tiles()
            .then(|| unsafe { amx::Unit::new(QUERIES, groups) });
        for block in blocks {
            let queries = block * QUERIES..count.min((block + 1) * QUERIES);
            let (len, first) = (queries.len(), queries.start);
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
            // SAFETY: this module runs where AVX-512 is, and bf16 products where they are.
            unsafe {
                match vectors {
                    1 => args.run::<1>(&mut work.scores, &mut work.result),
                    2 => args.run::<2>(&mut work.scores, &mut work.result),
                    3 => args.run::<3>(&mut work.scores, &mut work.result),
                    4 => args.run::<4>(&mut work.scores, &mut work.result),
                    5 => args.run::<5>(&mut work.scores, &mut work.result),
                    6 => args.run::<6>(&mut work.scores, &mut work.result),
                    7 => args.run::<7>(&mut work.scores, &mut work.result),
                    8 => args.run::<8>(&mut work.scores, &mut work.result),
                    _ => unreachable!("heads are at most 128 wide"),
                }
            }
            for (row, values) in work.result.0.iter().take(len).enumerate() {
                let at =
                    (self.item * count + first + row) * self.tokens.width() + self.head * head_dim;
                // SAFETY: this job alone writes this head's columns of these rows.
                unsafe {
                    match self.out {
                        Target::F32(out) => {
                            std::ptr::copy_nonoverlapping(values.as_ptr(), out.at(at), head_dim)
                        }
                        Target::Bf16(out) => store_bf16(&values[..head_dim], out, at),
                    }
                }
            }
        }
    }
}

/// # Safety
/// `out` has room at `at`, and no other thread writes there.
unsafe fn store_bf16(values: &[f32], out: Shared<bf16>, at: usize) {
    for (i, value) in values.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { *out.at(at + i) = bf16::from_bits(bf16_bits(*value) as u16) };
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
    ///
    /// # Safety
    /// The processor has AVX-512, and bf16 products if `kind` says so. `scores` has room for
    /// [`QUERIES`] rows of the padded number of keys.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn run<const VECTORS: usize>(&self, scores: &mut Buffer, results: &mut Results) {
        let padded = self.count.next_multiple_of(PANEL);
        // Buffers only grow: they may be longer than this head needs.
        let scores = &mut scores.floats_mut()[..QUERIES * padded];
        let pointer = scores.as_mut_ptr();
        let (queries, LeftLayout { step, row, .. }) = (self.queries.as_ptr(), self.layout);
        for panel in 0..padded / PANEL {
            let keys = self.keys[panel * PANEL * self.groups..][..PANEL * self.groups].as_ptr();
            // SAFETY: `pack::left` made whole tiles of 14 rows, so 12 rows can be read.
            unsafe {
                let out = pointer.add(panel * PANEL);
                match (self.unit, self.kind) {
                    (Some(unit), _) => {
                        let operands = amx::Operands {
                            left: queries,
                            left_row: row,
                            right: keys,
                            right_step: PANEL,
                        };
                        unit.product::<1, 2>(self.groups, operands, out, padded);
                    }
                    (None, Kind::F32) => avx512::tile_f32::<QUERIES, 2>(
                        self.groups,
                        queries,
                        step,
                        row,
                        keys,
                        PANEL,
                        out,
                        padded,
                    ),
                    (None, Kind::Bf16) => avx512::tile_bf16::<QUERIES, 2>(
                        self.groups,
                        queries,
                        step,
                        row,
                        keys,
                        PANEL,
                        out,
                        padded,
                    ),
                }
            }
        }
        let mut inverse = [0f32; QUERIES];
        for (scores, inverse) in scores.chunks_exact_mut(padded).zip(&mut inverse) {
            // SAFETY: the features are those of this function.
            unsafe {
                *inverse = exponentials(scores, self.count);
                if self.kind == Kind::Bf16 {
                    narrow(scores);
                }
            }
        }
        if let Some(unit) = self.unit {
            let stride = VECTORS * 16;
            for first in (0..stride).step_by(32) {
                // SAFETY: probabilities and values cover the padded keys, in whole steps of the
                // unit, and the results have room for the largest head.
                unsafe {
                    let operands = amx::Operands {
                        left: pointer.cast(),
                        left_row: padded,
                        right: self.values.as_ptr().add(first),
                        right_step: stride,
                    };
                    let out = results.0[0].as_mut_ptr().add(first);
                    if first + 16 < stride {
                        unit.product::<1, 2>(padded / 2, operands, out, LARGEST_HEAD);
                    } else {
                        unit.product::<1, 1>(padded / 2, operands, out, LARGEST_HEAD);
                    }
                }
            }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.values_by_vectors::<VECTORS>(pointer, padded, results) };
        }
        for (result, inverse) in results.0.iter_mut().zip(inverse) {
            result.iter_mut().for_each(|x| *x *= inverse);
        }
    }

    /// Products of probabilities and values with vectors.
    ///
    /// # Safety
    /// As [`Block::run`]; `pointer` is that of the probabilities, in rows of `padded` words.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn values_by_vectors<const VECTORS: usize>(
        &self,
        pointer: *mut f32,
        padded: usize,
        results: &mut Results,
    ) {
        for r in (0..QUERIES).step_by(ROWS) {
            // SAFETY: probabilities and values cover the padded keys.
            unsafe {
                let (left, out) = (
                    pointer.add(r * padded).cast::<u32>(),
                    results.0[r].as_mut_ptr(),
                );
                let (values, stride) = (self.values.as_ptr(), VECTORS * 16);
                match self.kind {
                    Kind::F32 => avx512::tile_f32::<ROWS, VECTORS>(
                        padded,
                        left,
                        1,
                        padded,
                        values,
                        stride,
                        out,
                        LARGEST_HEAD,
                    ),
                    Kind::Bf16 => avx512::tile_bf16::<ROWS, VECTORS>(
                        padded / 2,
                        left,
                        1,
                        padded,
                        values,
                        stride,
                        out,
                        LARGEST_HEAD,
                    ),
                }
            }
        }
    }
}

/// Replaces scores by `e^(score − largest)`, beyond `count` by zero. Returns one over their sum.
///
/// # Safety
/// The processor has AVX-512.
#[target_feature(enable = "avx512f")]
unsafe fn exponentials(scores: &mut [f32], count: usize) -> f32 {
    let pointer = scores.as_mut_ptr();
    let minimum = _mm512_set1_ps(f32::MIN);
    let mut top = minimum;
    for at in (0..count).step_by(16) {
        // SAFETY: rows are whole vectors long.
        let x = unsafe { _mm512_loadu_ps(pointer.add(at)) };
        top = _mm512_max_ps(
            top,
            _mm512_mask_blend_ps(avx512::lanes(count - at), minimum, x),
        );
    }
    let top = _mm512_set1_ps(_mm512_reduce_max_ps(top));
    let mut sum = _mm512_setzero_ps();
    for at in (0..scores.len()).step_by(16) {
        let mask = avx512::lanes(count.saturating_sub(at));
        // SAFETY: rows are whole vectors long.
        unsafe {
            let e = avx512::exp(_mm512_sub_ps(_mm512_loadu_ps(pointer.add(at)), top));
            let e = _mm512_maskz_mov_ps(mask, e);
            sum = _mm512_add_ps(sum, e);
            _mm512_storeu_ps(pointer.add(at), e);
        }
    }
    1.0 / _mm512_reduce_add_ps(sum)
}

/// Rounds a row to bf16, packed into its first half.
///
/// # Safety
/// The processor has AVX-512's bf16 instructions.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn narrow(row: &mut [f32]) {
    let pointer = row.as_mut_ptr();
    for at in (0..row.len()).step_by(16) {
        // SAFETY: rows are whole vectors long, and only what has been read is overwritten.
        unsafe {
            let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(
                _mm512_loadu_ps(pointer.add(at)),
            ));
            _mm256_storeu_si256(pointer.cast::<u16>().add(at).cast(), rounded);
        }
    }
}
