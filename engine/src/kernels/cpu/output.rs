//! Where kernels put their results: memory that may hold nothing yet, cut into parts that threads
//! write at the same time.

use std::mem::MaybeUninit;

use half::bf16;

use super::simd::bf16_bits;

/// An element of an output. A kernel only writes it, so it may hold nothing before.
pub(crate) trait Slot: Send {
    /// Stores a value, rounded where the element is narrower than f32.
    fn put(&mut self, value: f32);
}

impl Slot for f32 {
    #[inline(always)]
    fn put(&mut self, value: f32) {
        *self = value;
    }
}

impl Slot for bf16 {
    #[inline(always)]
    fn put(&mut self, value: f32) {
        *self = Self::from_bits(bf16_bits(value) as u16);
    }
}

impl Slot for MaybeUninit<f32> {
    #[inline(always)]
    fn put(&mut self, value: f32) {
        self.write(value);
    }
}

impl Slot for MaybeUninit<bf16> {
    #[inline(always)]
    fn put(&mut self, value: f32) {
        self.write(bf16::from_bits(bf16_bits(value) as u16));
    }
}

/// A [`Slot`] that code which knows nothing but pointers to f32 may write.
///
/// # Safety
/// Its layout is that of f32, and every f32 is a value of it.
pub(crate) unsafe trait FloatSlot: Slot {}

// SAFETY: it is f32.
unsafe impl FloatSlot for f32 {}
// SAFETY: `MaybeUninit` keeps the layout, and takes every value.
unsafe impl FloatSlot for MaybeUninit<f32> {}

/// A vector of `len` values written by `write`, without the pass that zeroes them first.
///
/// # Safety
/// `write` must write every element, or panic.
pub(crate) unsafe fn written<T: Copy>(
    len: usize,
    write: impl FnOnce(&mut [MaybeUninit<T>]),
) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    write(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len` and the caller promises that all are written.
    unsafe { values.set_len(len) };
    values
}

/// A rectangle of a row-major matrix: its piece of each row, from the top.
pub(crate) type Block<'a, T> = Vec<&'a mut [T]>;

/// Cuts a row-major matrix of `width` columns into blocks of `rows` rows and `columns` columns,
/// the last ones smaller, in reading order.
pub(crate) fn blocks<T>(
    matrix: &mut [T],
    width: usize,
    rows: usize,
    columns: usize,
) -> impl Iterator<Item = Block<'_, T>> {
    matrix
        .chunks_mut(rows.saturating_mul(width))
        .flat_map(move |band| {
            let mut across: Vec<Block<T>> = Vec::new();
            across.resize_with(width.div_ceil(columns), || {
                Vec::with_capacity(band.len() / width)
            });
            for row in band.chunks_exact_mut(width) {
                for (block, piece) in across.iter_mut().zip(row.chunks_mut(columns)) {
                    block.push(piece);
                }
            }
            across
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_every_element_once_and_in_its_place() {
        for (height, width, rows, columns) in
            [(7, 10, 3, 4), (6, 8, 3, 4), (1, 1, 5, 9), (5, 3, 1, 1)]
        {
            let mut matrix: Vec<usize> = (0..height * width).collect();
            let across = width.div_ceil(columns);
            for (index, block) in blocks(&mut matrix, width, rows, columns).enumerate() {
                let (top, left) = (index / across * rows, index % across * columns);
                assert_eq!(block.len(), rows.min(height - top));
                for (r, row) in block.into_iter().enumerate() {
                    assert_eq!(row.len(), columns.min(width - left));
                    for (c, element) in row.iter_mut().enumerate() {
                        assert_eq!(*element, (top + r) * width + left + c);
                        *element = usize::MAX;
                    }
                }
            }
            assert!(matrix.iter().all(|element| *element == usize::MAX));
        }
    }
}
