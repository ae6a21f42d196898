//! Matrix products on packed operands.
//!
//! Every sum has one loop over the whole summed dimension, in order, so its bytes depend neither
//! on the number of threads nor on how many rows are multiplied together.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, Shared};
use super::features::{Isa, isa, second_cache};
use super::finish::{Activation, Finish, Target, finish};
use super::pack::{self, Kind, Left, LeftLayout, PANEL, TILE, View};
use super::tile::{Multiplier, Operands, Sums};
use super::weight::PackedWeight;
use crate::kernels::Precision;

/// Rows, columns and the summed dimension of a product.
pub type Shape = (usize, usize, usize);

/// `left[m, k] · weightᵀ` in parallel, ended as `end` says.
pub fn weight_product(m: usize, left: Left, weight: &PackedWeight, end: &Finish) {
    let shape = (m, weight.outputs(), weight.inputs());
    assert_eq!(end.n, weight.outputs());
    packed_product(weight.kind(), shape, left, Right::Weight(weight), end);
}

/// `out[m, n] = left[m, k] · right[k, n] (+ bias)` in parallel; `out` has rows of `n`.
pub fn product(
    precision: Precision,
    (m, n, k): Shape,
    left: View,
    right: View,
    bias: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
) {
    assert!(out.len() >= m * n && bias.is_none_or(|bias| bias.len() == n));
    if isa() < Isa::Avx512 {
        return portable_product(
            (m, n, k),
            left,
            right,
            bias,
            out,
            gemm::Parallelism::Rayon(0),
        );
    }
    let kind = Kind::of(precision);
    let target = Target::F32(Shared::new(out.as_mut_ptr().cast()));
    let end = Finish {
        n,
        bias,
        activation: Activation::None,
        gated: None,
        target,
    };
    with_scratch(&RIGHT, |buffer| {
        let size = (kind.groups(k) * PANEL).max(1);
        buffer.reserve(n.div_ceil(PANEL) * size);
        let panels = buffer
            .words_mut()
            .par_chunks_mut(size)
            .take(n.div_ceil(PANEL))
            .enumerate();
        panels.for_each(|(panel, words)| pack::right_panel(kind, &right, k, n, panel, words));
        packed_product(
            kind,
            (m, n, k),
            Left::Matrix(left),
            Right::Panels(buffer.words()),
            &end,
        );
    });
}

/// The same product on the calling thread, without a bias; packed operands live in `scratch`.
pub fn serial_product(
    precision: Precision,
    (m, n, k): Shape,
    left: View,
    right: View,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    assert!(out.len() >= m * n);
    if isa() < Isa::Avx512 {
        // SAFETY: f32 and MaybeUninit<f32> have one layout, and the product writes only values.
        let out = unsafe { &mut *(std::ptr::from_mut(out) as *mut [MaybeUninit<f32>]) };
        return portable_product((m, n, k), left, right, None, out, gemm::Parallelism::None);
    }
    let kind = Kind::of(precision);
    let layout = pack::left(kind, &Left::Matrix(left), m, k, &mut scratch.left);
    pack::right(kind, &right, k, n, &mut scratch.right);
    let target = Target::F32(Shared::new(out.as_mut_ptr()));
    let tiles = Tiles {
        kind,
        m,
        groups: kind.groups(k),
        left: scratch.left.words(),
        layout,
        right: Right::Panels(scratch.right.words()),
        end: &Finish {
            n,
            bias: None,
            activation: Activation::None,
            gated: None,
            target,
        },
    };
    tiles.run(0..m.div_ceil(TILE), 0..n.div_ceil(PANEL));
}

/// Packed operands of serial products, kept between calls.
#[derive(Default)]
pub struct Scratch {
    left: Buffer,
    right: Buffer,
}

thread_local! {
    /// Packed operands of this thread's products and expanded panels, kept between calls: fresh
    /// memory would have to be faulted in each time.
    static LEFT: Cell<Buffer> = Cell::default();
    static RIGHT: Cell<Buffer> = Cell::default();
    static PANELS: Cell<Buffer> = Cell::default();
}

/// Lends a thread's buffer. While it is lent, a nested call (a stolen job) gets a fresh one.
fn with_scratch<R>(
    slot: &'static std::thread::LocalKey<Cell<Buffer>>,
    work: impl FnOnce(&mut Buffer) -> R,
) -> R {
    let mut buffer = slot.take();
    let result = work(&mut buffer);
    slot.set(buffer);
    result
}

/// The right operand.
#[derive(Clone, Copy)]
enum Right<'a> {
    Panels(&'a [u32]),
    Weight(&'a PackedWeight),
}

fn packed_product(kind: Kind, (m, n, k): Shape, left: Left, right: Right, end: &Finish) {
    if m == 0 || n == 0 {
        return;
    }
    end.check(m);
    let groups = kind.groups(k);
    let (tile_count, panel_count) = (m.div_ceil(TILE), n.div_ceil(PANEL));
    let layout = LeftLayout::of(kind, &left, groups);
    let size = layout.tile.max(1);
    with_scratch(&LEFT, |buffer| {
        buffer.reserve(tile_count * size);
        let packed = buffer
            .words_mut()
            .par_chunks_mut(size)
            .take(tile_count)
            .enumerate();
        packed.for_each(|(tile, words)| pack::left_tile(kind, &left, m, k, tile, &layout, words));
        let tiles = Tiles {
            kind,
            m,
            groups,
            left: buffer.words(),
            layout,
            right,
            end,
        };
        // Half of the second cache for a block of the left operand; eight panels a job.
        let tile_block = (second_cache() / 2 / 4 / size).clamp(1, tile_count);
        let panel_block = 8.min(panel_count);
        let panel_blocks = panel_count.div_ceil(panel_block);
        (0..tile_count.div_ceil(tile_block) * panel_blocks)
            .into_par_iter()
            .for_each(|job| {
                let (t, p) = (
                    job / panel_blocks * tile_block,
                    job % panel_blocks * panel_block,
                );
                tiles.run(
                    t..tile_count.min(t + tile_block),
                    p..panel_count.min(p + panel_block),
                );
            });
    });
}

/// Packed operands and the output of one product.
struct Tiles<'a> {
    kind: Kind,
    m: usize,
    groups: usize,
    left: &'a [u32],
    layout: LeftLayout,
    right: Right<'a>,
    end: &'a Finish<'a>,
}

impl Tiles<'_> {
    /// Computes the given tiles of rows for the given panels of columns.
    fn run(&self, tiles: Range<usize>, panels: Range<usize>) {
        let multiplier = Multiplier::new(self.kind, self.groups);
        with_scratch(&PANELS, |scratch| {
            let mut sums: Sums = [[0.0; PANEL]; 2 * TILE];
            for panel in panels {
                let right = match self.right {
                    Right::Panels(words) => {
                        &words[panel * self.groups * PANEL..][..self.groups * PANEL]
                    }
                    Right::Weight(weight) => weight.panel(panel, scratch),
                };
                for tile in tiles.clone().step_by(multiplier.tiles()) {
                    let first = tile * TILE;
                    let end = tiles.end.min(tile + multiplier.tiles()) * TILE;
                    let rows = end.min(self.m) - first;
                    let operands = Operands {
                        kind: self.kind,
                        groups: self.groups,
                        left: &self.left[tile * self.layout.tile..],
                        layout: self.layout,
                        right,
                    };
                    multiplier.multiply(&operands, rows, self.end.n - panel * PANEL, &mut sums);
                    finish(&mut sums[..rows], first, panel * PANEL, self.end);
                }
            }
        });
    }
}

/// The product by the `gemm` crate, which has kernels for every processor.
fn portable_product(
    (m, n, k): Shape,
    left: View,
    right: View,
    bias: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
    parallelism: gemm::Parallelism,
) {
    if m == 0 || n == 0 {
        return;
    }
    let covers = |view: &View, rows: usize, columns: usize| {
        rows == 0
            || columns == 0
            || (rows - 1) * view.row + (columns - 1) * view.column < view.data.len()
    };
    assert!(
        covers(&left, m, k) && covers(&right, k, n),
        "operands cover their shapes"
    );
    if let Some(bias) = bias {
        for row in out.chunks_exact_mut(n).take(m) {
            row.copy_from_slice(as_written(bias));
        }
    }
    // SAFETY: operands and output cover their shapes (checked above and by the callers).
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr().cast::<f32>(),
            1,
            n as isize,
            bias.is_some(),
            left.data.as_ptr(),
            left.column as isize,
            left.row as isize,
            right.data.as_ptr(),
            right.column as isize,
            right.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

fn as_written(values: &[f32]) -> &[MaybeUninit<f32>] {
    // SAFETY: f32 and MaybeUninit<f32> have one layout.
    unsafe { &*(std::ptr::from_ref(values) as *const [MaybeUninit<f32>]) }
}
