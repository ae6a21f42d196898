//! Matrix products on packed operands.
//!
//! Every sum has one loop over the whole summed dimension, in order, so its bytes depend neither
//! on the number of threads nor on how many rows are multiplied together.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::buffer::{Buffer, Shared};
use super::features::{Isa, isa};
use super::pack::{self, Kind, LeftLayout, PANEL, TILE, View};
use crate::kernels::Precision;

/// The kind of product that this processor runs for a precision, or `None` where it has no
/// kernel of ours.
pub fn kind(precision: Precision) -> Option<Kind> {
    match (isa(), precision) {
        (Isa::Avx512Bf16, Precision::Fast) => Some(Kind::Bf16),
        (Isa::Avx512 | Isa::Avx512Bf16, _) => Some(Kind::F32),
        _ => None,
    }
}

/// `out[m, n] = left[m, k] · right[k, n] (+ bias)` in parallel; `out` has rows of `n`.
pub fn product(
    precision: Precision,
    (m, n, k): (usize, usize, usize),
    left: View,
    right: View,
    bias: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
) {
    assert!(out.len() >= m * n && bias.is_none_or(|bias| bias.len() == n));
    match kind(precision) {
        Some(kind) => packed_product(kind, (m, n, k), left, right, bias, out),
        None => portable_product(
            (m, n, k),
            left,
            right,
            bias,
            out,
            gemm::Parallelism::Rayon(0),
        ),
    }
}

/// The same product on the calling thread; packed operands live in `scratch`.
pub fn serial_product(
    precision: Precision,
    (m, n, k): (usize, usize, usize),
    left: View,
    right: View,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    assert!(out.len() >= m * n);
    let Some(kind) = kind(precision) else {
        // SAFETY: f32 and MaybeUninit<f32> have one layout, and the product writes only values.
        let out = unsafe { &mut *(std::ptr::from_mut(out) as *mut [MaybeUninit<f32>]) };
        return portable_product((m, n, k), left, right, None, out, gemm::Parallelism::None);
    };
    let layout = pack::left(kind, &left, m, k, &mut scratch.left);
    pack::right(kind, &right, k, n, &mut scratch.right);
    let tiles = Tiles {
        kind,
        m,
        n,
        groups: kind.groups(k),
        left: scratch.left.words(),
        layout,
        right: scratch.right.words(),
        bias: None,
        out: Shared::new(out.as_mut_ptr()),
    };
    tiles.run(0..m.div_ceil(TILE), 0..n.div_ceil(PANEL));
}

/// Packed operands of serial products, kept between calls.
pub struct Scratch {
    left: Buffer,
    right: Buffer,
}

impl Scratch {
    /// Empty scratch memory.
    pub fn new() -> Self {
        Self {
            left: Buffer::zeroed(0),
            right: Buffer::zeroed(0),
        }
    }
}

fn packed_product(
    kind: Kind,
    (m, n, k): (usize, usize, usize),
    left: View,
    right: View,
    bias: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
) {
    if m == 0 || n == 0 {
        return;
    }
    let groups = kind.groups(k);
    let (tile_count, panel_count) = (m.div_ceil(TILE), n.div_ceil(PANEL));
    let layout = LeftLayout::of(&left, groups);
    let mut left_words = Buffer::zeroed(tile_count * layout.tile);
    let mut right_words = Buffer::zeroed(panel_count * groups * PANEL);
    left_words
        .words_mut()
        .par_chunks_mut(layout.tile.max(1))
        .take(tile_count)
        .enumerate()
        .for_each(|(tile, words)| pack::left_tile(kind, &left, m, k, tile, &layout, words));
    right_words
        .words_mut()
        .par_chunks_mut((groups * PANEL).max(1))
        .take(panel_count)
        .enumerate()
        .for_each(|(panel, words)| pack::right_panel(kind, &right, k, n, panel, words));
    let tiles = Tiles {
        kind,
        m,
        n,
        groups,
        left: left_words.words(),
        layout,
        right: right_words.words(),
        bias,
        out: Shared::new(out.as_mut_ptr().cast()),
    };
    // Half of the second cache for a block of the left operand; eight panels a job.
    let tile_block = (512 * 1024 / 4 / layout.tile.max(1)).clamp(1, tile_count);
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
}

/// Packed operands and the output of one product.
struct Tiles<'a> {
    kind: Kind,
    m: usize,
    n: usize,
    groups: usize,
    left: &'a [u32],
    layout: LeftLayout,
    right: &'a [u32],
    bias: Option<&'a [f32]>,
    out: Shared<f32>,
}

#[cfg(not(target_arch = "x86_64"))]
impl Tiles<'_> {
    fn run(&self, _tiles: std::ops::Range<usize>, _panels: std::ops::Range<usize>) {
        unreachable!("`kind` names no kernel on this architecture");
    }
}

#[cfg(target_arch = "x86_64")]
impl Tiles<'_> {
    /// Computes the given tiles of rows for the given panels of columns.
    fn run(&self, tiles: std::ops::Range<usize>, panels: std::ops::Range<usize>) {
        for panel in panels {
            for tile in tiles.clone() {
                // One copy of the inner loop for each number of rows that a last tile can have.
                macro_rules! by_rows {
                    ($($rows:literal)*) => {
                        match TILE.min(self.m - tile * TILE) {
                            $($rows => self.tile::<$rows>(tile, panel),)*
                            _ => unreachable!("a tile has 1 to 14 rows"),
                        }
                    };
                }
                by_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
            }
        }
    }

    fn tile<const ROWS: usize>(&self, tile: usize, panel: usize) {
        if self.n - panel * PANEL > 16 {
            self.vectors::<ROWS, 2>(tile, panel);
        } else {
            self.vectors::<ROWS, 1>(tile, panel);
        }
    }

    fn vectors<const ROWS: usize, const VECTORS: usize>(&self, tile: usize, panel: usize) {
        use super::simd::avx512;
        use std::arch::x86_64::{
            __m512, _mm512_add_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
        };

        #[target_feature(enable = "avx512f")]
        unsafe fn store<const ROWS: usize, const VECTORS: usize>(
            tiles: &Tiles,
            sums: &[[__m512; VECTORS]; ROWS],
            row: usize,
            column: usize,
        ) {
            for v in 0..VECTORS {
                let column = column + v * 16;
                let mask = avx512::lanes(tiles.n - column);
                for (r, sums) in sums.iter().enumerate() {
                    let mut sum = sums[v];
                    // SAFETY: masked to the columns that exist; each tile and panel is written once.
                    unsafe {
                        if let Some(bias) = tiles.bias {
                            sum = _mm512_add_ps(
                                sum,
                                _mm512_maskz_loadu_ps(mask, bias.as_ptr().add(column)),
                            );
                        }
                        _mm512_mask_storeu_ps(
                            tiles.out.at((row + r) * tiles.n + column),
                            mask,
                            sum,
                        );
                    }
                }
            }
        }

        let left = &self.left[tile * self.layout.tile..][..self.layout.tile];
        let right = &self.right[panel * self.groups * PANEL..][..self.groups * PANEL];
        let (step, row) = (self.layout.step, self.layout.row);
        // SAFETY: `kind` is only chosen where the processor has the features; the slices cover a
        // whole tile and a whole panel.
        unsafe {
            let mut sums: [[__m512; VECTORS]; ROWS] = std::mem::zeroed();
            match self.kind {
                Kind::F32 => avx512::tile_f32(
                    self.groups,
                    left.as_ptr(),
                    step,
                    row,
                    right.as_ptr(),
                    PANEL,
                    &mut sums,
                ),
                Kind::Bf16 => avx512::tile_bf16(
                    self.groups,
                    left.as_ptr(),
                    step,
                    row,
                    right.as_ptr(),
                    PANEL,
                    &mut sums,
                ),
            }
            store(self, &sums, tile * TILE, panel * PANEL);
        }
    }
}

/// The product by the `gemm` crate, which has kernels for every processor.
fn portable_product(
    (m, n, k): (usize, usize, usize),
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
