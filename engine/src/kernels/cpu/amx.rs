//! Products of bf16 pairs on the processor's tile unit (Intel AMX): one instruction multiplies up
//! to 16 rows of 32 numbers with 16 columns, sixteen times the arithmetic of a vector instruction.
//!
//! The compiler's intrinsics for it are not stable yet, so each instruction is a line of assembly.
//! The compiler itself never uses tile registers: what one line leaves in them, the next one finds.

#![cfg(target_arch = "x86_64")]

use std::arch::asm;
use std::cell::Cell;
use std::marker::PhantomData;

use super::buffer::extent;
use super::features::{Isa, isa};

/// Groups (words of two bf16) of the summed dimension that one instruction takes.
const STEP: usize = 16;
/// Words of a tile's row: columns of sums, groups of the left operand.
const WIDTH: usize = 16;
/// Most rows that a tile has.
pub(crate) const LARGEST_ROWS: usize = 16;

/// What `ldtilecfg` reads: for each of the eight tiles its rows and the bytes of a row.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

// Tiles 0 to 3 hold sums: two tiles of rows, each with two vectors of columns.
/// The left operand, and the right one.
const LEFT: u8 = 4;
const RIGHT: u8 = 5;
/// The same for the last groups, fewer than [`STEP`].
const LEFT_REST: u8 = 6;
const RIGHT_REST: u8 = 7;

thread_local! {
    /// Whether this thread's tiles have their shapes from a [`Unit`] that still lives.
    static IN_USE: Cell<bool> = const { Cell::new(false) };
}

/// The tile unit of this thread, set up for tiles of so many rows. A thread has one at a time: a
/// second one would give the first one's tiles other shapes.
pub(crate) struct Unit {
    rows: usize,
    groups: usize,
    /// Tiles belong to a thread.
    thread: PhantomData<*const ()>,
}

/// The operands of one product, in words.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    /// Rows of groups.
    pub left: &'a [u32],
    /// Words between two rows.
    pub left_row: usize,
    /// Lines of columns, one a group.
    pub right: &'a [u32],
    /// Words between two lines.
    pub right_step: usize,
}

impl Unit {
    /// Sets the unit up for tiles of `rows` rows (1 to 16), and for sums over `groups` groups and
    /// over multiples of 16.
    ///
    /// # Panics
    /// When the processor has no such unit, or this thread has set it up already.
    pub(crate) fn new(rows: usize, groups: usize) -> Self {
        assert!(isa() >= Isa::Amx, "this processor has no tile unit");
        assert!((1..=LARGEST_ROWS).contains(&rows));
        assert!(!IN_USE.replace(true), "this thread's tile unit is in use");
        let mut shapes = Shapes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        let mut shape = |tile: u8, rows: usize, words: usize| {
            shapes.rows[usize::from(tile)] = rows as u8;
            shapes.row_bytes[usize::from(tile)] = words as u16 * 4;
        };
        for sum in 0..4 {
            shape(sum, rows, WIDTH);
        }
        shape(LEFT, rows, STEP);
        shape(RIGHT, STEP, WIDTH);
        let rest = groups % STEP;
        if rest > 0 {
            shape(LEFT_REST, rows, rest);
            shape(RIGHT_REST, rest, WIDTH);
        }
        // SAFETY: the shapes are legal, the unit exists, and no other `Unit` of this thread relies on
        // the shapes that the tiles had.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, preserves_flags, readonly));
        }
        Self {
            rows,
            groups,
            thread: PhantomData,
        }
    }

    /// `out[r·out_row + c] = Σ_q left[r, q] · right[q, c]` for `TILES` (1 or 2) tiles of rows, one
    /// after the other, and `16 · VECTORS` (1 or 2) columns, over `groups` groups. A sum's bytes
    /// depend on its own row and column only.
    ///
    /// # Panics
    /// When an operand or the output is too short, or `groups` is neither what the unit was set up
    /// for nor a multiple of 16.
    #[inline(always)]
    pub(crate) fn product<const TILES: usize, const VECTORS: usize>(
        &self,
        groups: usize,
        operands: Operands,
        out: &mut [f32],
        out_row: usize,
    ) {
        const { assert!(TILES == 1 || TILES == 2) };
        const { assert!(VECTORS == 1 || VECTORS == 2) };
        let Operands {
            left,
            left_row,
            right,
            right_step,
        } = operands;
        let rows = TILES * self.rows;
        assert!(groups == self.groups || groups.is_multiple_of(STEP));
        assert!(extent((rows, left_row), (groups, 1), 1) <= left.len());
        assert!(extent((1, 0), (groups, right_step), VECTORS * WIDTH) <= right.len());
        assert!(extent((rows, out_row), (1, 0), VECTORS * WIDTH) <= out.len());
        let (left, right, out) = (left.as_ptr(), right.as_ptr(), out.as_mut_ptr());
        let second = self.rows * left_row;
        // SAFETY: operands and output are as long as was checked above. Tiles have the shapes that
        // `new` gave them: as long as this unit lives, the thread makes no other.
        unsafe {
            zero::<0>();
            zero::<1>();
            zero::<2>();
            zero::<3>();
            for step in 0..groups / STEP {
                let (left, right) = (left.add(step * STEP), right.add(step * STEP * right_step));
                load::<LEFT>(left, left_row);
                load::<RIGHT>(right, right_step);
                multiply::<0, LEFT, RIGHT>();
                if VECTORS == 2 {
                    load::<RIGHT>(right.add(WIDTH), right_step);
                    multiply::<1, LEFT, RIGHT>();
                }
                if TILES == 2 {
                    load::<LEFT>(left.add(second), left_row);
                    if VECTORS == 2 {
                        multiply::<3, LEFT, RIGHT>();
                        load::<RIGHT>(right, right_step);
                    }
                    multiply::<2, LEFT, RIGHT>();
                }
            }
            if !groups.is_multiple_of(STEP) {
                let whole = groups / STEP * STEP;
                let (left, right) = (left.add(whole), right.add(whole * right_step));
                load::<LEFT_REST>(left, left_row);
                load::<RIGHT_REST>(right, right_step);
                multiply::<0, LEFT_REST, RIGHT_REST>();
                if VECTORS == 2 {
                    load::<RIGHT_REST>(right.add(WIDTH), right_step);
                    multiply::<1, LEFT_REST, RIGHT_REST>();
                }
                if TILES == 2 {
                    load::<LEFT_REST>(left.add(second), left_row);
                    if VECTORS == 2 {
                        multiply::<3, LEFT_REST, RIGHT_REST>();
                        load::<RIGHT_REST>(right, right_step);
                    }
                    multiply::<2, LEFT_REST, RIGHT_REST>();
                }
            }
            store::<0>(out, out_row);
            if VECTORS == 2 {
                store::<1>(out.add(WIDTH), out_row);
            }
            if TILES == 2 {
                let out = out.add(self.rows * out_row);
                store::<2>(out, out_row);
                if VECTORS == 2 {
                    store::<3>(out.add(WIDTH), out_row);
                }
            }
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: a unit exists only where the processor has one. Without this the system would
        // save and restore the tiles at each change of threads.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
        IN_USE.set(false);
    }
}

/// Zeroes a tile.
///
/// # Safety
/// This thread has a [`Unit`].
#[inline(always)]
unsafe fn zero<const TILE: u8>() {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("tilezero tmm{tile}", tile = const TILE, options(nostack, preserves_flags, nomem))
    }
}

/// Reads a tile whose rows are `row` words apart.
///
/// # Safety
/// This thread has a [`Unit`], and its shape of the tile lies inside of the memory at `from`.
#[inline(always)]
unsafe fn load<const TILE: u8>(from: *const u32, row: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("tileloadd tmm{tile}, [{from} + {row}*4]", tile = const TILE, from = in(reg) from, row = in(reg) row,
            options(nostack, preserves_flags, readonly));
    }
}

/// Writes a tile to rows that are `row` words apart.
///
/// # Safety
/// This thread has a [`Unit`], and its shape of the tile lies inside of the memory at `to`.
#[inline(always)]
unsafe fn store<const TILE: u8>(to: *mut f32, row: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("tilestored [{to} + {row}*4], tmm{tile}", tile = const TILE, to = in(reg) to, row = in(reg) row,
            options(nostack, preserves_flags));
    }
}

/// Adds the product of two tiles to a third.
///
/// # Safety
/// This thread has a [`Unit`] that gave the three tiles shapes that fit each other.
#[inline(always)]
unsafe fn multiply<const SUM: u8, const LEFT: u8, const RIGHT: u8>() {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("tdpbf16ps tmm{sum}, tmm{left}, tmm{right}", sum = const SUM, left = const LEFT, right = const RIGHT,
            options(nostack, preserves_flags, nomem));
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::super::simd::bf16_pair;
    use super::*;

    #[test]
    fn a_thread_has_one_unit_at_a_time() {
        if isa() < Isa::Amx {
            return;
        }
        let first = Unit::new(14, 16);
        assert!(std::panic::catch_unwind(|| Unit::new(12, 8)).is_err());
        drop(first);
        Unit::new(12, 8);
    }

    #[test]
    fn tiles_multiply_like_plain_sums() {
        if isa() < Isa::Amx {
            return;
        }
        let number = |i: usize| {
            let bits = (i as u32).wrapping_mul(2_654_435_761) >> 20;
            bf16::from_f32(bits as f32 / 2048.0 - 1.0).to_f32()
        };
        for (rows, groups) in [(14, 16), (14, 33), (12, 32), (16, 7), (1, 40), (5, 0)] {
            let (left_row, right_step) = (groups + 3, 40);
            let a = |r: usize, i: usize| number(r * 1000 + i);
            let b = |i: usize, c: usize| number(77 + i * 911 + c);
            let mut left = vec![0; 2 * rows * left_row + 16];
            for (i, word) in left.iter_mut().enumerate() {
                let (r, q) = (i / left_row, i % left_row);
                *word = bf16_pair(a(r, 2 * q), a(r, 2 * q + 1));
            }
            let mut right = vec![0; groups * right_step + 32];
            for (i, word) in right.iter_mut().enumerate() {
                let (q, c) = (i / right_step, i % right_step);
                *word = bf16_pair(b(2 * q, c), b(2 * q + 1, c));
            }
            let operands = Operands {
                left: &left,
                left_row,
                right: &right,
                right_step,
            };
            let unit = Unit::new(rows, groups);
            let mut first: Option<Vec<f32>> = None;
            for tiles in [1, 2] {
                for vectors in [1, 2] {
                    let mut sums = vec![f32::NAN; 2 * rows * 32];
                    match (tiles, vectors) {
                        (1, 1) => unit.product::<1, 1>(groups, operands, &mut sums, 32),
                        (1, 2) => unit.product::<1, 2>(groups, operands, &mut sums, 32),
                        (2, 1) => unit.product::<2, 1>(groups, operands, &mut sums, 32),
                        _ => unit.product::<2, 2>(groups, operands, &mut sums, 32),
                    }
                    let whole = first.get_or_insert_with(|| vec![0.0; 2 * rows * 32]);
                    for r in 0..tiles * rows {
                        for c in 0..16 * vectors {
                            let expected: f64 = (0..2 * groups)
                                .map(|i| f64::from(a(r, i)) * f64::from(b(i, c)))
                                .sum();
                            let actual = sums[r * 32 + c];
                            assert!(
                                (f64::from(actual) - expected).abs() < 1e-5 * (1.0 + groups as f64),
                                "{rows} rows, {groups} groups, {tiles} × {vectors}: ({r}, {c}) is {actual}, not {expected}"
                            );
                            let known = &mut whole[r * 32 + c];
                            assert!(*known == 0.0 || known.to_bits() == actual.to_bits());
                            *known = actual;
                        }
                    }
                }
            }
        }
    }
}
