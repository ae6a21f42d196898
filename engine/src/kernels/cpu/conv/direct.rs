//! Convolution as a product of windows and weights; the windows are read in place from a patch of
//! the picture, channels last, where each row of a window is one run.

use rayon::prelude::*;

use super::super::output::{Slot, blocks};
use super::super::picture::{Window, finish};
use super::{Job, PANEL, PackedConv, Rows, SCRATCH, Scratch, at_least, multiply};

/// Rows of the result in one task.
const ROWS: usize = 8;
/// Columns of the result in one task.
const COLUMNS: usize = 64;

/// Convolves every job's picture; `out` has room for their results, one behind the other, and all of
/// it is written.
pub(super) fn run<S: Slot>(conv: &PackedConv, jobs: &[Job], out: &mut [S]) {
    let Some(Job { height, width, .. }) = jobs.first() else {
        return;
    };
    let outputs = conv.shape.outputs;
    let across = width.div_ceil(COLUMNS);
    let tasks: Vec<_> = out
        .chunks_mut(height * width * outputs)
        .zip(jobs)
        .flat_map(|(picture, job)| {
            blocks(picture, width * outputs, ROWS, COLUMNS * outputs)
                .enumerate()
                .map(move |(block, rows)| (job, block, rows))
        })
        .collect();
    tasks.into_par_iter().for_each(|(job, block, mut rows)| {
        SCRATCH.with_borrow_mut(|scratch| {
            let (top, left) = (block / across * ROWS, block % across * COLUMNS);
            block_of(conv, job, top, left, &mut rows, scratch);
        });
    });
}

/// One task: the rows and columns of the result from (`top`, `left`) on, as many as `out` has.
fn block_of<S: Slot>(
    conv: &PackedConv,
    job: &Job,
    top: usize,
    left: usize,
    out: &mut [&mut [S]],
    scratch: &mut Scratch,
) {
    let shape = conv.shape;
    let (rows, columns) = (out.len(), COLUMNS.min(job.width - left));
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
    for (y, target) in out.iter_mut().enumerate() {
        let line = &patch[y * shape.stride * window.columns * shape.inputs..];
        let windows = Rows {
            values: line,
            step: shape.stride * shape.inputs,
            segments: shape.kernel,
            segment_step: window.columns * shape.inputs,
            run: shape.kernel * shape.inputs,
        };
        multiply(
            columns,
            conv.panel_count(),
            &windows,
            &conv.panels,
            sums,
            stride,
        );
        let first = ((top + y) * job.width + left) * shape.outputs;
        let residual = job
            .residual
            .get(first..first + columns * shape.outputs)
            .unwrap_or(&[]);
        finish(sums, stride, &conv.bias, residual, job.floor, target);
    }
}
