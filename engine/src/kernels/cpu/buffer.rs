//! Memory for packed operands: words aligned to cache lines.

use bytemuck::{Pod, Zeroable};

/// One cache line, and one 512-bit vector.
#[repr(C, align(64))]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Line([u32; 16]);

/// Words of four bytes (one f32 or two bf16), aligned to cache lines, zero at first.
#[derive(Default)]
pub(crate) struct Buffer(Vec<Line>);

impl Buffer {
    /// Room for `words` words, zeroed.
    pub(crate) fn zeroed(words: usize) -> Self {
        Self(vec![Line([0; 16]); words.div_ceil(16)])
    }

    /// The words, a whole number of lines.
    pub(crate) fn words(&self) -> &[u32] {
        bytemuck::cast_slice(&self.0)
    }

    /// The words, a whole number of lines.
    pub(crate) fn words_mut(&mut self) -> &mut [u32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }

    /// The words as f32.
    pub(crate) fn floats_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }

    /// Makes room for at least `words` words; old content may stay.
    pub(crate) fn reserve(&mut self, words: usize) {
        if self.0.len() * 16 < words {
            *self = Self::zeroed(words);
        }
    }
}

/// How many words a strided matrix spans: `rows` rows, `row` words apart, each of `groups` groups,
/// `step` words apart, the last of which takes `last` words. Never too few, whatever the numbers.
#[inline(always)]
pub(crate) fn extent(
    (rows, row): (usize, usize),
    (groups, step): (usize, usize),
    last: usize,
) -> usize {
    if rows == 0 || groups == 0 {
        return 0;
    }
    let (down, along) = (
        (rows - 1).saturating_mul(row),
        (groups - 1).saturating_mul(step),
    );
    down.saturating_add(along).saturating_add(last)
}
