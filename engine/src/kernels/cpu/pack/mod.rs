//! Operands of the matrix products, rearranged so that the inner loop reads them in order.
//!
//! A *group* is one word of four bytes along the summed dimension: one f32, or two bf16. The
//! right operand becomes panels of [`PANEL`] columns, groups outermost; the left one becomes
//! either padded rows of groups or tiles of [`TILE`] rows, whichever its strides make cheap.
//! Everything missing (an odd last group, the last panel's rest) is zero.

use half::bf16;

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::buffer::Buffer;
use super::features::{Isa, isa, multiversion};
use super::simd::{bf16_bits, bf16_pair};
use crate::precision::Precision;

/// Columns of one panel of the right operand: two 512-bit vectors.
pub(crate) const PANEL: usize = 32;
/// Rows of one tile of the left operand: with two vectors a row, 28 sums in 32 registers.
pub(crate) const TILE: usize = 14;
/// Words between two groups of a packed tile: one cache line.
pub(crate) const TILE_STEP: usize = 16;

/// What a word of a packed operand holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One f32.
    F32,
    /// Two bf16, neighbours along the summed dimension.
    Bf16,
}

impl Kind {
    /// What the products of a precision work on, on this processor.
    pub(crate) fn of(precision: Precision) -> Self {
        match precision {
            Precision::Fast if isa() >= Isa::Avx512Bf16 => Self::Bf16,
            _ => Self::F32,
        }
    }

    /// Groups along a summed dimension of `k`.
    pub(crate) fn groups(self, k: usize) -> usize {
        match self {
            Self::F32 => k,
            Self::Bf16 => k.div_ceil(2),
        }
    }

    /// Whether the processor's tile unit multiplies these.
    pub(crate) fn on_tiles(self) -> bool {
        self == Self::Bf16 && isa() >= Isa::Amx
    }
}

/// A matrix inside a slice; one of its strides is 1.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// Elements between two rows.
    pub row: usize,
    /// Elements between two columns.
    pub column: usize,
}

impl<'a> View<'a> {
    /// A row-major matrix.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self {
            data,
            row: stride,
            column: 1,
        }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            row: self.column,
            column: self.row,
            ..self
        }
    }
}

/// Elements of a left operand.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'a> {
    /// f32.
    F32(&'a [f32]),
    /// bf16, rounded by the operation that made them.
    Bf16(&'a [bf16]),
}

/// The left operand of a product.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    /// A matrix along either stride.
    Matrix(View<'a>),
    /// Rows of the tokens of several batch elements: row `r` starts at
    /// `r / tokens · item + r % tokens · width`.
    Tokens {
        /// The elements.
        data: Elements<'a>,
        /// Elements of a row.
        width: usize,
        /// Rows of one batch element.
        tokens: usize,
        /// Elements between two batch elements.
        item: usize,
    },
}

impl Left<'_> {
    fn along_rows(&self) -> bool {
        match self {
            Self::Matrix(view) => view.column == 1,
            Self::Tokens { .. } => true,
        }
    }
}

/// Where the groups of a packed left operand lie: element (row, group) of tile `t` is at
/// `t·tile + row·row + group·step`.
#[derive(Clone, Copy)]
pub(crate) struct LeftLayout {
    /// Words between two groups.
    pub step: usize,
    /// Words between two rows of a tile.
    pub row: usize,
    /// Words between two tiles.
    pub tile: usize,
}

impl LeftLayout {
    /// The layout for a view with `groups` groups. The extra line after each row keeps rows of a
    /// power-of-two length from falling into the same cache set. The tile unit reads nothing but
    /// rows.
    pub(crate) fn of(kind: Kind, left: &Left, groups: usize) -> Self {
        if left.along_rows() || kind.on_tiles() {
            let row = groups.next_multiple_of(16) + 16;
            Self {
                step: 1,
                row,
                tile: TILE * row,
            }
        } else {
            Self {
                step: TILE_STEP,
                row: 1,
                tile: groups * TILE_STEP,
            }
        }
    }
}

/// Packs tile `tile` of the left operand `[m, k]` into `words`.
pub(crate) fn left_tile(
    kind: Kind,
    left: &Left,
    m: usize,
    k: usize,
    tile: usize,
    layout: &LeftLayout,
    words: &mut [u32],
) {
    let first = tile * TILE;
    let rows = TILE.min(m - first);
    let groups = kind.groups(k);
    match *left {
        Left::Matrix(view) if view.column == 1 => {
            for r in 0..rows {
                let source = &view.data[(first + r) * view.row..][..k];
                row_of_floats(kind, source, &mut words[r * layout.row..][..groups]);
            }
        }
        #[cfg(target_arch = "x86_64")]
        Left::Matrix(view) if kind.on_tiles() => {
            let data = &view.data[first..];
            // SAFETY: what has the unit has these features.
            unsafe { avx512::turned_bf16(data, view.column, rows, k, layout.row, words) };
        }
        Left::Matrix(view) => {
            let columns = TILE_STEP.min(m - first);
            across::<TILE_STEP>(kind, &view.data[first..], view.column, columns, k, words);
        }
        Left::Tokens {
            data,
            width,
            tokens,
            item,
        } => {
            for r in 0..rows {
                let at = (first + r) / tokens * item + (first + r) % tokens * width;
                let target = &mut words[r * layout.row..][..groups];
                match data {
                    Elements::F32(data) => row_of_floats(kind, &data[at..][..k], target),
                    Elements::Bf16(data) => row_of_bf16(kind, &data[at..][..k], target),
                }
            }
        }
    }
}

fn row_of_floats(kind: Kind, source: &[f32], target: &mut [u32]) {
    match kind {
        Kind::F32 => target.copy_from_slice(bytemuck::cast_slice(source)),
        Kind::Bf16 => pair_row(source, target),
    }
}

fn row_of_bf16(kind: Kind, source: &[bf16], target: &mut [u32]) {
    match kind {
        Kind::F32 => {
            for (word, value) in target.iter_mut().zip(source) {
                *word = u32::from(value.to_bits()) << 16;
            }
        }
        Kind::Bf16 => {
            for (word, pair) in target.iter_mut().zip(source.chunks(2)) {
                let second = pair.get(1).map_or(0, |second| u32::from(second.to_bits()));
                *word = u32::from(pair[0].to_bits()) | second << 16;
            }
        }
    }
}

/// Packs panel `panel` of the right operand `[k, n]` into `words`.
pub(crate) fn right_panel(
    kind: Kind,
    view: &View,
    k: usize,
    n: usize,
    panel: usize,
    words: &mut [u32],
) {
    let first = panel * PANEL;
    let columns = PANEL.min(n - first);
    if view.column == 1 {
        across::<PANEL>(kind, &view.data[first..], view.row, columns, k, words);
    } else {
        let data = &view.data[first * view.column..];
        along(kind, data, view.column, columns, k, words);
    }
}

/// Number of words of the right operand `[k, n]` when packed.
pub(crate) fn right_words(kind: Kind, k: usize, n: usize) -> usize {
    n.div_ceil(PANEL) * PANEL * kind.groups(k)
}

/// Packs the whole right operand.
pub(crate) fn right(kind: Kind, view: &View, k: usize, n: usize, buffer: &mut Buffer) {
    buffer.reserve(right_words(kind, k, n));
    let panel_words = PANEL * kind.groups(k);
    for (panel, words) in buffer
        .words_mut()
        .chunks_exact_mut(panel_words)
        .take(n.div_ceil(PANEL))
        .enumerate()
    {
        right_panel(kind, view, k, n, panel, words);
    }
}

/// Packs the whole left operand.
pub(crate) fn left(kind: Kind, left: &Left, m: usize, k: usize, buffer: &mut Buffer) -> LeftLayout {
    let layout = LeftLayout::of(kind, left, kind.groups(k));
    let tiles = m.div_ceil(TILE);
    buffer.reserve(tiles * layout.tile);
    for (tile, words) in buffer
        .words_mut()
        .chunks_exact_mut(layout.tile)
        .take(tiles)
        .enumerate()
    {
        left_tile(kind, left, m, k, tile, &layout, words);
    }
    layout
}

/// Pairs neighbours of one row.
fn pair_row(source: &[f32], target: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if isa() >= Isa::Avx512Bf16 {
        // SAFETY: the processor has the features.
        return unsafe { avx512::row_bf16(source, target) };
    }
    plain_pair_row(source, target);
}

multiversion! {
    fn plain_pair_row(source: &[f32], target: &mut [u32]) {
        let (pairs, rest) = source.as_chunks::<2>();
        for (word, pair) in target.iter_mut().zip(pairs) {
            *word = bf16_pair(pair[0], pair[1]);
        }
        if let ([last], Some(word)) = (rest, target.last_mut()) {
            *word = bf16_bits(*last);
        }
    }
}

/// The summed dimension runs across memory rows: group `q` of columns `0..columns` to
/// `words[q·WIDTH ..]`.
fn across<const WIDTH: usize>(
    kind: Kind,
    data: &[f32],
    stride: usize,
    columns: usize,
    k: usize,
    words: &mut [u32],
) {
    #[cfg(target_arch = "x86_64")]
    if kind == Kind::Bf16 && isa() >= Isa::Avx512Bf16 {
        // SAFETY: the processor has the features.
        return unsafe {
            match WIDTH {
                TILE_STEP => avx512::across_bf16::<1>(data, stride, columns, k, words),
                _ => avx512::across_bf16::<2>(data, stride, columns, k, words),
            }
        };
    }
    let line = |index: usize| &data[index * stride..][..columns];
    let (lines, _) = words.as_chunks_mut::<WIDTH>();
    match kind {
        Kind::F32 => {
            for (q, words) in lines.iter_mut().take(k).enumerate() {
                match data[q * stride..].first_chunk::<WIDTH>() {
                    Some(whole) if columns == WIDTH => {
                        words.copy_from_slice(bytemuck::cast_slice(whole))
                    }
                    _ => {
                        words[..columns].copy_from_slice(bytemuck::cast_slice(line(q)));
                        words[columns..].fill(0);
                    }
                }
            }
        }
        Kind::Bf16 => {
            for (q, words) in lines.iter_mut().take(k.div_ceil(2)).enumerate() {
                let second: &[f32] = if 2 * q + 1 < k { line(2 * q + 1) } else { &[] };
                words.fill(0);
                for (j, (word, first)) in words.iter_mut().zip(line(2 * q)).enumerate() {
                    *word = bf16_pair(*first, second.get(j).copied().unwrap_or(0.0));
                }
            }
        }
    }
}

/// The summed dimension runs along memory rows: a transposition.
fn along(kind: Kind, data: &[f32], stride: usize, columns: usize, k: usize, words: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has the features.
    unsafe {
        match kind {
            Kind::F32 if isa() >= Isa::Avx512 => {
                return avx512::along_f32(data, stride, columns, k, words);
            }
            Kind::Bf16 if isa() >= Isa::Avx512Bf16 => {
                return avx512::along_bf16(data, stride, columns, k, words);
            }
            _ => {}
        }
    }
    plain_along(kind == Kind::Bf16, data, stride, columns, k, words);
}

multiversion! {
    /// In blocks of 16 groups, so that the lines being filled stay in the first-level cache.
    fn plain_along(pairs: bool, data: &[f32], stride: usize, columns: usize, k: usize, words: &mut [u32]) {
        let (lines, _) = words.as_chunks_mut::<PANEL>();
        let groups = if pairs { k.div_ceil(2) } else { k };
        for (block, lines) in lines[..groups].chunks_mut(16).enumerate() {
            for j in 0..columns {
                let row = &data[j * stride..][..k];
                if pairs {
                    let row = &row[block * 32..];
                    for (q, line) in lines.iter_mut().enumerate() {
                        line[j] = match row.get(2 * q + 1) {
                            Some(second) => bf16_pair(row[2 * q], *second),
                            None => bf16_bits(row[2 * q]),
                        };
                    }
                } else {
                    for (line, value) in lines.iter_mut().zip(&row[block * 16..]) {
                        line[j] = value.to_bits();
                    }
                }
            }
            for line in lines {
                line[columns..].fill(0);
            }
        }
    }
}
