//! The inner loop of all convolutions: a few rows of the left operand, read in place, times
//! panels of sixteen outputs.
//!
//! Every sum runs over the whole window in one order, so its bytes depend neither on threads nor
//! on how pixels are grouped.

use super::super::buffer::extent;
use super::super::features::{Isa, isa};

/// Outputs in one panel of packed weights: one 512-bit vector.
pub(crate) const PANEL: usize = 16;

/// The left operand: rows in memory that may overlap, such as the windows of neighbouring pixels.
/// A row is made of `segments` runs of `run` values.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// The values, from the first of the first row on.
    pub values: &'a [f32],
    /// Values between two rows.
    pub step: usize,
    /// Number of runs in a row.
    pub segments: usize,
    /// Values between two runs.
    pub segment_step: usize,
    /// Values in a run.
    pub run: usize,
}

/// `out[r·out_step + 16·p + l] = Σ_s Σ_q left[r, s, q] · right[p, s·run + q, l]` of `rows` rows and
/// `panels` panels, which lie one behind the other in `right`.
///
/// # Panics
/// When an operand or the output is too short.
pub(crate) fn multiply(
    rows: usize,
    panels: usize,
    left: &Rows,
    right: &[f32],
    out: &mut [f32],
    out_step: usize,
) {
    multiply_with(isa(), rows, panels, left, right, out, out_step);
}

fn multiply_with(
    level: Isa,
    rows: usize,
    panels: usize,
    left: &Rows,
    right: &[f32],
    out: &mut [f32],
    out_step: usize,
) {
    if rows == 0 || panels == 0 {
        return;
    }
    let lines = left.segments.saturating_mul(left.run);
    assert!(level <= isa() && lines > 0);
    let row = extent((left.segments, left.segment_step), (left.run, 1), 1);
    assert!(extent((rows, left.step), (1, 0), row) <= left.values.len());
    assert!(lines.saturating_mul(panels.saturating_mul(PANEL)) <= right.len());
    assert!(extent((rows, out_step), (panels, PANEL), PANEL) <= out.len());
    // SAFETY: the processor has the features, and the operands are long enough.
    unsafe {
        unchecked(
            level,
            rows,
            panels,
            left,
            right.as_ptr(),
            out.as_mut_ptr(),
            out_step,
        );
    }
}

/// # Safety
/// The processor has the features of `level`. The left rows hold what they say; `right` points to
/// `panels` panels of `segments · run · 16` values, `out` to `rows` rows of `panels · 16` values,
/// `out_step` values apart.
unsafe fn unchecked(
    level: Isa,
    rows: usize,
    panels: usize,
    left: &Rows,
    right: *const f32,
    out: *mut f32,
    out_step: usize,
) {
    let panel_words = left.segments * left.run * PANEL;
    let mut panel = 0;
    while panel < panels {
        let vectors = if level >= Isa::Avx512 && panel + 1 < panels {
            2
        } else {
            1
        };
        // SAFETY: inside the operands by the caller's promise.
        unsafe {
            let right = right.add(panel * panel_words);
            let out = out.add(panel * PANEL);
            match (level, vectors) {
                #[cfg(target_arch = "x86_64")]
                (level, 2) if level >= Isa::Avx512 => {
                    avx512::column::<2>(rows, left, right, panel_words, out, out_step)
                }
                #[cfg(target_arch = "x86_64")]
                (level, _) if level >= Isa::Avx512 => {
                    avx512::column::<1>(rows, left, right, panel_words, out, out_step)
                }
                #[cfg(target_arch = "x86_64")]
                (Isa::Avx2, _) => avx2_column(rows, left, right, out, out_step),
                _ => column::<false>(rows, left, right, out, out_step),
            }
        }
        panel += vectors;
    }
}

/// # Safety
/// See [`unchecked`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_column(rows: usize, left: &Rows, right: *const f32, out: *mut f32, out_step: usize) {
    // SAFETY: the caller's promise.
    unsafe { column::<true>(rows, left, right, out, out_step) }
}

/// One panel in plain Rust; `FUSED` where multiply-add is one instruction.
///
/// # Safety
/// See [`unchecked`].
#[inline(always)]
unsafe fn column<const FUSED: bool>(
    rows: usize,
    left: &Rows,
    right: *const f32,
    out: *mut f32,
    out_step: usize,
) {
    let mut row = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while row < rows {
            let (start, out) = (
                left.values.as_ptr().add(row * left.step),
                out.add(row * out_step),
            );
            if rows - row >= 4 {
                tile::<4, FUSED>(left, start, right, out, out_step);
                row += 4;
            } else {
                tile::<1, FUSED>(left, start, right, out, out_step);
                row += 1;
            }
        }
    }
}

/// # Safety
/// See [`unchecked`].
#[inline(always)]
unsafe fn tile<const ROWS: usize, const FUSED: bool>(
    left: &Rows,
    start: *const f32,
    mut right: *const f32,
    out: *mut f32,
    out_step: usize,
) {
    let mut sums = [[0f32; PANEL]; ROWS];
    for segment in 0..left.segments {
        for q in 0..left.run {
            // SAFETY: the caller's promise.
            let b = unsafe { *right.cast::<[f32; PANEL]>() };
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                let a = unsafe { *start.add(segment * left.segment_step + r * left.step + q) };
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = if FUSED {
                        a.mul_add(b, *sum)
                    } else {
                        *sum + a * b
                    };
                }
            }
            // SAFETY: at most one past the panel.
            right = unsafe { right.add(PANEL) };
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            out.add(r * out_step)
                .cast::<[f32; PANEL]>()
                .write_unaligned(*sums)
        };
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{PANEL, Rows};

    /// `VECTORS` panels for all rows.
    ///
    /// # Safety
    /// See [`super::unchecked`]; the processor has AVX-512.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn column<const VECTORS: usize>(
        rows: usize,
        left: &Rows,
        right: *const f32,
        panel_words: usize,
        out: *mut f32,
        out_step: usize,
    ) {
        let mut row = 0;
        // SAFETY: the caller's promise.
        unsafe {
            while row < rows {
                let (start, out) = (
                    left.values.as_ptr().add(row * left.step),
                    out.add(row * out_step),
                );
                macro_rules! rows {
                    ($rows:literal) => {{
                        tile::<$rows, VECTORS>(left, start, right, panel_words, out, out_step);
                        row += $rows;
                    }};
                }
                match rows - row {
                    16.. if VECTORS == 1 => rows!(16),
                    12 | 13 if VECTORS == 2 => rows!(12),
                    8.. => rows!(8),
                    4.. => rows!(4),
                    2.. => rows!(2),
                    _ => rows!(1),
                }
            }
        }
    }

    /// # Safety
    /// See [`super::unchecked`].
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const ROWS: usize, const VECTORS: usize>(
        left: &Rows,
        start: *const f32,
        mut right: *const f32,
        panel_words: usize,
        out: *mut f32,
        out_step: usize,
    ) {
        let step = left.step;
        // SAFETY: the caller's promise.
        unsafe {
            // Only loops with constant bounds may touch the sums, else they live in memory.
            let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
            for segment in 0..left.segments {
                let mut a = start.add(segment * left.segment_step);
                let end = a.add(left.run);
                while a < end {
                    let mut b = [_mm512_setzero_ps(); VECTORS];
                    for (v, b) in b.iter_mut().enumerate() {
                        *b = _mm512_loadu_ps(right.add(v * panel_words));
                    }
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let a = _mm512_set1_ps(*a.add(r * step));
                        for v in 0..VECTORS {
                            sums[v] = _mm512_fmadd_ps(a, b[v], sums[v]);
                        }
                    }
                    a = a.add(1);
                    right = right.add(PANEL);
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    _mm512_storeu_ps(out.add(r * out_step + v * PANEL), *sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_gives_the_plain_sum() {
        let value = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500. - 1.;
        for (rows, panels, run, segments) in [
            (1, 1, 3, 3),
            (5, 2, 16, 1),
            (19, 3, 7, 2),
            (33, 1, 9, 3),
            (29, 4, 16, 1),
        ] {
            let (step, segment_step) = (5, 41);
            let left: Vec<f32> = (0..rows * step + segments * segment_step + run)
                .map(value)
                .collect();
            let right: Vec<f32> = (0..panels * segments * run * PANEL)
                .map(|i| value(i + 77))
                .collect();
            let out_step = panels * PANEL;
            for level in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
                if level > isa() {
                    continue;
                }
                let mut out = vec![0f32; rows * out_step];
                let window = Rows {
                    values: &left,
                    step,
                    segments,
                    segment_step,
                    run,
                };
                multiply_with(level, rows, panels, &window, &right, &mut out, out_step);
                for r in 0..rows {
                    for column in 0..out_step {
                        let (panel, lane) = (column / PANEL, column % PANEL);
                        let mut expected = 0f64;
                        for s in 0..segments {
                            for q in 0..run {
                                let b = right[((panel * segments + s) * run + q) * PANEL + lane];
                                expected +=
                                    f64::from(left[r * step + s * segment_step + q]) * f64::from(b);
                            }
                        }
                        let actual = out[r * out_step + column];
                        assert!(
                            (f64::from(actual) - expected).abs() < 1e-4,
                            "{level:?} {r} {column}: {actual} {expected}"
                        );
                    }
                }
            }
        }
    }
    #[test]
    #[should_panic(expected = "out.len()")]
    fn an_output_without_room_is_refused() {
        let left = Rows {
            values: &[1.0; 8],
            step: 4,
            segments: 1,
            segment_step: 0,
            run: 4,
        };
        multiply(
            2,
            1,
            &left,
            &[0.0; 4 * PANEL],
            &mut [0.0; 2 * PANEL - 1],
            PANEL,
        );
    }
}
