//! Matrix products on packed operands.
//!
//! Every sum has one loop over the whole summed dimension, in order, so its bytes depend neither
//! on the number of threads nor on how many rows are multiplied together.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::buffer::{Buffer, extent};
use super::features::{Isa, isa, l2_cache_bytes};
use super::finish::{Finish, finish};
use super::output::{FloatSlot, Slot, blocks};
use super::pack::{self, Kind, Left, LeftLayout, PANEL, TILE, View};
use super::tile::{Multiplier, Operands, Sums};
use super::weight::PackedWeight;
use crate::kernels::types::Activation;
use crate::precision::Precision;

/// Rows, columns and the summed dimension of a product.
pub(crate) type Shape = (usize, usize, usize);

/// Elements of a matrix.
fn area(rows: usize, columns: usize) -> usize {
    rows.saturating_mul(columns)
}

/// `left[m, k] · weightᵀ` in parallel, ended as `end` says; writes every element of `out`, whose
/// rows are as long as the weight has outputs.
pub(crate) fn weight_product<S: Slot>(
    m: usize,
    left: Left,
    weight: &PackedWeight,
    end: &Finish,
    out: &mut [S],
) {
    let shape = (m, weight.outputs(), weight.inputs());
    packed_product(weight.kind(), shape, left, Right::Weight(weight), end, out);
}

/// `out[m, n] = left[m, k] · right[k, n] (+ bias)` in parallel; writes every element of `out`.
pub(crate) fn product<S: FloatSlot>(
    precision: Precision,
    (m, n, k): Shape,
    left: View,
    right: View,
    bias: Option<&[f32]>,
    out: &mut [S],
) {
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
    let end = Finish {
        n,
        bias,
        activation: Activation::None,
        gated: None,
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
            out,
        );
    });
}

/// The same product on the calling thread, without a bias; packed operands live in `scratch`.
pub(crate) fn serial_product(
    precision: Precision,
    (m, n, k): Shape,
    left: View,
    right: View,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    assert_eq!(out.len(), area(m, n));
    if m == 0 || n == 0 {
        return;
    }
    if isa() < Isa::Avx512 {
        return portable_product((m, n, k), left, right, None, out, gemm::Parallelism::None);
    }
    let kind = Kind::of(precision);
    let layout = pack::left(kind, &Left::Matrix(left), m, k, &mut scratch.left);
    pack::right(kind, &right, k, n, &mut scratch.right);
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
        },
    };
    let mut rows: Vec<&mut [f32]> = out.chunks_exact_mut(n).collect();
    tiles.run(0..m.div_ceil(TILE), 0..n.div_ceil(PANEL), &mut rows);
}

/// Packed operands of serial products, kept between calls.
#[derive(Default)]
pub(crate) struct Scratch {
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

fn packed_product<S: Slot>(
    kind: Kind,
    (m, n, k): Shape,
    left: Left,
    right: Right,
    end: &Finish,
    out: &mut [S],
) {
    assert_eq!((end.n, out.len()), (n, area(m, n)));
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
        // Half of the second-level cache for a block of the left operand; eight panels a job.
        let tile_block = (l2_cache_bytes() / 2 / 4 / size).clamp(1, tile_count);
        let panel_block = 8.min(panel_count);
        let panel_blocks = panel_count.div_ceil(panel_block);
        let jobs: Vec<_> = blocks(out, n, tile_block * TILE, panel_block * PANEL).collect();
        jobs.into_par_iter()
            .enumerate()
            .for_each(|(job, mut rows)| {
                let (t, p) = (
                    job / panel_blocks * tile_block,
                    job % panel_blocks * panel_block,
                );
                tiles.run(
                    t..tile_count.min(t + tile_block),
                    p..panel_count.min(p + panel_block),
                    &mut rows,
                );
            });
    });
}

/// Packed operands of one product, and how it ends.
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
    /// Computes the given tiles of rows for the given panels of columns into `block`, which is that
    /// part of the output.
    fn run<S: Slot>(&self, tiles: Range<usize>, panels: Range<usize>, block: &mut [&mut [S]]) {
        let multiplier = Multiplier::new(self.kind, self.groups);
        with_scratch(&PANELS, |scratch| {
            let mut sums: Sums = [[0.0; PANEL]; 2 * TILE];
            for panel in panels.clone() {
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
                    finish(
                        &mut sums[..rows],
                        first,
                        panel * PANEL,
                        self.end,
                        &mut block[first - tiles.start * TILE..][..rows],
                        (panel - panels.start) * PANEL,
                    );
                }
            }
        });
    }
}

/// The product by the `gemm` crate, which has kernels for every processor.
fn portable_product<S: FloatSlot>(
    (m, n, k): Shape,
    left: View,
    right: View,
    bias: Option<&[f32]>,
    out: &mut [S],
    parallelism: gemm::Parallelism,
) {
    assert_eq!(out.len(), area(m, n));
    if m == 0 || n == 0 {
        return;
    }
    let covers = |view: &View, rows: usize, columns: usize| {
        extent((rows, view.row), (columns, view.column), 1) <= view.data.len()
    };
    assert!(
        covers(&left, m, k) && covers(&right, k, n),
        "operands cover their shapes"
    );
    if let Some(bias) = bias {
        assert_eq!(bias.len(), n);
        for row in out.chunks_exact_mut(n) {
            for (slot, bias) in row.iter_mut().zip(bias) {
                slot.put(*bias);
            }
        }
    }
    // SAFETY: the operands cover their shapes and the output has m rows of n (both checked above);
    // its elements may be written as f32, and they are read only after the bias was put there.
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
