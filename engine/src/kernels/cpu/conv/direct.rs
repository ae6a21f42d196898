//! Convolution as a product of windows and weights; the windows are read in place from a patch of
//! the picture, channels last, where each row of a window is one run.

use rayon::prelude::*;

use super::super::features::Isa;
use super::super::picture::{Window, finish};
use super::{Job, PANEL, PackedConv, Rows, SCRATCH, Scratch, at_least, multiply};

/// Rows of the result in one task.
const ROWS: usize = 8;
/// Columns of the result in one task.
const COLUMNS: usize = 64;

/// Convolves every job's picture.
pub(super) fn run(conv: &PackedConv, isa: Isa, jobs: &[Job]) {
    let Some(Job { height, width, .. }) = jobs.first() else {
        return;
    };
    let (down, across) = (height.div_ceil(ROWS), width.div_ceil(COLUMNS));
    (0..jobs.len() * down * across)
        .into_par_iter()
        .for_each(|task| {
            let (job, block) = (&jobs[task / (down * across)], task % (down * across));
            SCRATCH.with_borrow_mut(|scratch| {
                block_of(
                    conv,
                    isa,
                    job,
                    block / across * ROWS,
                    block % across * COLUMNS,
                    scratch,
                );
            });
        });
}

fn block_of(
    conv: &PackedConv,
    isa: Isa,
    job: &Job,
    top: usize,
    left: usize,
    scratch: &mut Scratch,
) {
    let shape = conv.shape;
    let (rows, columns) = (ROWS.min(job.height - top), COLUMNS.min(job.width - left));
    let before = shape.padding.before as isize;
    let window = Window {
        top: (top * shape.stride) as isize - before,
        left: (left * shape.stride) as isize - before,
        rows: (rows - 1) * shape.stride + shape.kernel,
        columns: (columns - 1) * shape.stride + shape.kernel,
    };
    let patch = at_least(
        &mut scratch.patch,
        window.rows * window.columns * shape.inputs,
    );
    job.source.load(window, shape.inputs, patch);
    let stride = conv.panel_count() * PANEL;
    let sums = at_least(&mut scratch.sums, columns * stride);
    for y in 0..rows {
        let line = &patch[y * shape.stride * window.columns * shape.inputs..];
        let windows = Rows {
            start: line.as_ptr(),
            step: shape.stride * shape.inputs,
            segments: shape.kernel,
            segment_step: window.columns * shape.inputs,
            run: shape.kernel * shape.inputs,
        };
        // SAFETY: the patch holds the windows of all columns, the panels all weights, the sums
        // every column.
        unsafe {
            multiply(
                isa,
                columns,
                conv.panel_count(),
                &windows,
                conv.panels.as_ptr(),
                sums.as_mut_ptr(),
                stride,
            );
        }
        let first = ((top + y) * job.width + left) * shape.outputs;
        let residual = job
            .residual
            .get(first..first + columns * shape.outputs)
            .unwrap_or(&[]);
        // SAFETY: this task alone writes these pixels.
        let target =
            unsafe { std::slice::from_raw_parts_mut(job.out.at(first), columns * shape.outputs) };
        finish(sums, stride, &conv.bias, residual, job.floor, target);
    }
}
