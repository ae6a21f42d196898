//! Memory for the kernels: cache-line aligned words, vectors that are written before they are
//! read, and a pointer that threads may share.

use std::mem::MaybeUninit;

/// One cache line, and one 512-bit vector.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u32; 16]);

/// Words of four bytes (one f32 or two bf16), aligned to cache lines, zero at first.
#[derive(Default)]
pub struct Buffer(Vec<Line>);

impl Buffer {
    /// Room for `words` words, zeroed.
    pub fn zeroed(words: usize) -> Self {
        Self(vec![Line([0; 16]); words.div_ceil(16)])
    }

    /// The words, a whole number of lines.
    pub fn words(&self) -> &[u32] {
        // SAFETY: a line is sixteen words without padding.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * 16) }
    }

    /// The words, a whole number of lines.
    pub fn words_mut(&mut self) -> &mut [u32] {
        // SAFETY: a line is sixteen words without padding.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * 16) }
    }

    /// The words as f32.
    pub fn floats_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(self.words_mut())
    }

    /// Makes room for at least `words` words; old content may stay.
    pub fn reserve(&mut self, words: usize) {
        if self.0.len() * 16 < words {
            *self = Self::zeroed(words);
        }
    }
}

/// A vector of `len` values written by `write`, without the pass that zeroes them first.
///
/// # Safety
/// `write` must write every element.
pub unsafe fn written<T: Copy>(len: usize, write: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    write(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len` and the caller promises that all are written.
    unsafe { values.set_len(len) };
    values
}

/// A pointer into an output whose parts are written by several threads, each its own.
pub struct Shared<T>(*mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Shared<T> {}

// SAFETY: users of the pointer write disjoint parts (each use says which).
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Shares the memory behind a pointer.
    pub fn new(pointer: *mut T) -> Self {
        Self(pointer)
    }

    /// The pointer, moved by `offset` elements.
    ///
    /// # Safety
    /// The result must lie inside the allocation.
    pub unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(offset) }
    }
}
