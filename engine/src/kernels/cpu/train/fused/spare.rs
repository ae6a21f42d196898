//! Vectors that one step of training needs again and again, kept between calls: fresh memory would
//! have to be zeroed and faulted in each time.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Vectors that a thread keeps at most: a branch has three at a time.
const KEPT: usize = 4;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A vector lent by its thread; what it holds at first is left over from its last use.
pub(super) struct Spare(Vec<f32>);

impl Spare {
    /// A vector of `len` numbers.
    pub(super) fn of(len: usize) -> Self {
        let mut values = FREE.with_borrow_mut(|free| {
            // The smallest that is large enough, else the largest to grow.
            let fits = free.iter().enumerate().filter(|(_, v)| v.capacity() >= len);
            let best = fits
                .min_by_key(|(_, v)| v.capacity())
                .map(|(index, _)| index);
            let largest = || {
                let all = free.iter().enumerate();
                all.max_by_key(|(_, v)| v.capacity())
                    .map(|(index, _)| index)
            };
            best.or_else(largest)
                .map(|index| free.swap_remove(index))
                .unwrap_or_default()
        });
        if values.capacity() < len {
            values = Vec::new();
        }
        values.resize(len, 0.0);
        Self(values)
    }
}

impl Deref for Spare {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Spare {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.0);
        // At a thread's end there is nowhere to put it.
        FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(values);
            }
        })
        .ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back() {
        let first = Spare::of(1000);
        let (place, other) = (first.as_ptr(), Spare::of(10));
        drop(first);
        drop(other);
        let again = Spare::of(900);
        assert_eq!((again.as_ptr(), again.len()), (place, 900));
    }
}
