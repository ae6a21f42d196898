//! The inner loop: up to [`TILE`] rows, or two tiles of them, times one panel of [`PANEL`] columns.

#[cfg(target_arch = "x86_64")]
use super::amx;
use super::features::{Isa, isa};
use super::pack::{Kind, LeftLayout, PANEL, TILE};

/// Sums of two tiles, row by row.
pub(crate) type Sums = [[f32; PANEL]; 2 * TILE];

/// What multiplies on this thread: the processor's tile unit, where it has one for the operands'
/// kind, or vectors.
pub(crate) struct Multiplier {
    #[cfg(target_arch = "x86_64")]
    unit: Option<amx::Unit>,
}

impl Multiplier {
    /// Gets ready for products over `groups` groups.
    ///
    /// # Panics
    /// When this thread's tile unit is in use already.
    pub(crate) fn new(kind: Kind, groups: usize) -> Self {
        let _ = (kind, groups);
        Self {
            #[cfg(target_arch = "x86_64")]
            unit: kind.on_tiles().then(|| amx::Unit::new(TILE, groups)),
        }
    }

    /// Tiles of rows that one call of [`Multiplier::multiply`] takes at most.
    pub(crate) fn tiles(&self) -> usize {
        #[cfg(target_arch = "x86_64")]
        if self.unit.is_some() {
            return 2;
        }
        1
    }

    /// Computes the sums of `rows` rows (1 to 14 for each tile) and the first `columns` columns;
    /// the rest of `sums` is left as it is or filled with values without meaning. A sum's bytes
    /// depend on its own row and column only.
    pub(crate) fn multiply(
        &self,
        operands: &Operands,
        rows: usize,
        columns: usize,
        sums: &mut Sums,
    ) {
        assert!(rows >= 1 && rows <= self.tiles() * TILE);
        #[cfg(target_arch = "x86_64")]
        if let Some(unit) = &self.unit {
            return operands.tiles(unit, rows, columns, sums);
        }
        operands.multiply(rows, columns, sums);
    }
}

/// The operands of one product.
pub(crate) struct Operands<'a> {
    /// What a word holds.
    pub kind: Kind,
    /// Words along the summed dimension.
    pub groups: usize,
    /// The left operand from the first tile's first row on.
    pub left: &'a [u32],
    /// Strides of the left operand.
    pub layout: LeftLayout,
    /// The panel, `groups` lines of [`PANEL`] words.
    pub right: &'a [u32],
}

impl Operands<'_> {
    #[cfg(target_arch = "x86_64")]
    fn tiles(&self, unit: &amx::Unit, rows: usize, columns: usize, sums: &mut Sums) {
        // Whole tiles are read, and all of their rows written.
        let tiles = rows.div_ceil(TILE);
        let LeftLayout { step, row, tile } = self.layout;
        assert!(step == 1 && tile == TILE * row && self.groups <= row);
        let operands = amx::Operands {
            left: self.left,
            left_row: row,
            right: self.right,
            right_step: PANEL,
        };
        let out = sums.as_flattened_mut();
        match (tiles, columns > PANEL / 2) {
            (1, false) => unit.product::<1, 1>(self.groups, operands, out, PANEL),
            (1, true) => unit.product::<1, 2>(self.groups, operands, out, PANEL),
            (_, false) => unit.product::<2, 1>(self.groups, operands, out, PANEL),
            (_, true) => unit.product::<2, 2>(self.groups, operands, out, PANEL),
        }
    }

    fn multiply(&self, rows: usize, columns: usize, sums: &mut Sums) {
        assert!((1..=TILE).contains(&rows));
        #[cfg(target_arch = "x86_64")]
        if isa() >= Isa::Avx512 {
            return self.avx512(rows, columns, sums);
        }
        assert!(self.kind == Kind::F32, "bf16 products need AVX-512");
        #[cfg(target_arch = "x86_64")]
        if isa() == Isa::Avx2 {
            // SAFETY: the processor has the features.
            return unsafe { self.avx2(rows, sums) };
        }
        self.portable::<false>(rows, sums);
    }

    #[cfg(target_arch = "x86_64")]
    fn avx512(&self, rows: usize, columns: usize, sums: &mut Sums) {
        // One copy of the loop for each number of rows that a last tile can have.
        macro_rules! by_rows {
            ($($rows:literal)*) => {
                match rows {
                    $($rows if columns > 16 => self.vectors::<$rows, 2>(sums),)*
                    $($rows => self.vectors::<$rows, 1>(sums),)*
                    _ => unreachable!("a tile has 1 to 14 rows"),
                }
            };
        }
        by_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    #[cfg(target_arch = "x86_64")]
    fn vectors<const ROWS: usize, const VECTORS: usize>(&self, sums: &mut Sums) {
        use super::simd::avx512::{tile_bf16, tile_f32};
        let (groups, left, right) = (self.groups, self.left, self.right);
        let LeftLayout { step, row, .. } = self.layout;
        let out = sums.as_flattened_mut();
        match self.kind {
            Kind::F32 => {
                assert!(isa() >= Isa::Avx512);
                // SAFETY: the processor has the features.
                unsafe {
                    tile_f32::<ROWS, VECTORS>(groups, left, (step, row), right, PANEL, out, PANEL);
                }
            }
            Kind::Bf16 => {
                assert!(isa() >= Isa::Avx512Bf16);
                // SAFETY: the processor has the features.
                unsafe {
                    tile_bf16::<ROWS, VECTORS>(groups, left, (step, row), right, PANEL, out, PANEL);
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2(&self, rows: usize, sums: &mut Sums) {
        self.portable::<true>(rows, sums);
    }

    /// The loop in plain Rust: blocks of 6 rows and 16 columns fit sixteen 256-bit registers.
    #[inline(always)]
    fn portable<const FUSED: bool>(&self, rows: usize, sums: &mut Sums) {
        let mut row = 0;
        while row < rows {
            let count = if rows - row >= 6 { 6 } else { 1 };
            for half in 0..2 {
                if count == 6 {
                    self.block::<6, FUSED>(row, half * 16, sums);
                } else {
                    self.block::<1, FUSED>(row, half * 16, sums);
                }
            }
            row += count;
        }
    }

    #[inline(always)]
    fn block<const ROWS: usize, const FUSED: bool>(
        &self,
        row: usize,
        column: usize,
        sums: &mut Sums,
    ) {
        let mut s = [[0f32; 16]; ROWS];
        let left = &self.left[row * self.layout.row..];
        let (lines, _) = self.right.as_chunks::<PANEL>();
        for (q, line) in lines[..self.groups].iter().enumerate() {
            for r in 0..ROWS {
                let a = f32::from_bits(left[q * self.layout.step + r * self.layout.row]);
                for j in 0..16 {
                    let b = f32::from_bits(line[column + j]);
                    s[r][j] = if FUSED {
                        a.mul_add(b, s[r][j])
                    } else {
                        a * b + s[r][j]
                    };
                }
            }
        }
        for (r, s) in s.iter().enumerate() {
            sums[row + r][column..column + 16].copy_from_slice(s);
        }
    }
}
