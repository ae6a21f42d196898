//! Winograd's minimal filtering F(4×4, 3×3) (Lavin and Gray, 2016): 36 products for 16 pixels
//! where the direct sum takes 144, at the price of transforms and of an error near 1e-5.

use rayon::prelude::*;

use super::super::features::multiversion;
use super::super::output::{Slot, blocks};
use super::super::picture::Window;
use super::{Job, PANEL, PackedConv, Rows, SCRATCH, Scratch, at_least, multiply};

/// Tiles of 4×4 pixels along a side of one task.
const SIDE: usize = 8;
/// Values of a transformed tile.
const POINTS: usize = 36;
/// Largest product of inputs and outputs whose transformed weights are kept.
const KEPT: usize = 128 * 128;

type Lanes = [f32; PANEL];

/// Convolves every job's picture; `out` has room for their results, one behind the other, and all of
/// it is written.
pub(super) fn run<S: Slot>(conv: &PackedConv, jobs: &[Job], out: &mut [S]) {
    let Some(Job { height, width, .. }) = jobs.first() else {
        return;
    };
    let outputs = conv.shape.outputs;
    let pixel = conv.shape.inputs.next_multiple_of(PANEL);
    let across = width.div_ceil(4 * SIDE);
    let mut whole = |weights: &[f32]| {
        let tasks: Vec<_> = out
            .chunks_mut(height * width * outputs)
            .zip(jobs)
            .flat_map(|(picture, job)| {
                blocks(picture, width * outputs, 4 * SIDE, 4 * SIDE * outputs)
                    .enumerate()
                    .map(move |(block, rows)| (job, block, rows))
            })
            .collect();
        tasks.into_par_iter().for_each(|(job, block, mut rows)| {
            SCRATCH.with_borrow_mut(|scratch| {
                let (top, left) = (block / across * SIDE, block % across * SIDE);
                block_of(conv, weights, pixel, job, top, left, &mut rows, scratch);
            });
        });
    };
    if conv.shape.inputs * conv.shape.outputs <= KEPT {
        whole(
            conv.transformed
                .get_or_init(|| transform_weights(conv, pixel)),
        );
    } else {
        whole(&transform_weights(conv, pixel));
    }
}

/// Lines of transformed weights (an input of a panel) that one task makes.
const LINES: usize = 64;

/// `G g Gᵀ` of every window, as `[point][panel][input][16 outputs]`.
fn transform_weights(conv: &PackedConv, pixel: usize) -> Vec<f32> {
    let (inputs, panels) = (conv.shape.inputs, conv.panel_count());
    let width = panels * pixel * PANEL;
    let mut transformed = vec![0f32; POINTS * width];
    let tasks: Vec<_> = blocks(&mut transformed, width, POINTS, LINES * PANEL).collect();
    tasks
        .into_par_iter()
        .enumerate()
        .for_each(|(task, mut rows)| {
            for line in 0..LINES {
                let (panel, input) = ((task * LINES + line) / pixel, (task * LINES + line) % pixel);
                if panel >= panels || input >= inputs {
                    continue;
                }
                let mut window = [[0f32; PANEL]; 9];
                for (tap, lanes) in window.iter_mut().enumerate() {
                    lanes.copy_from_slice(
                        &conv.panels[((panel * 9 + tap) * inputs + input) * PANEL..][..PANEL],
                    );
                }
                let mut points = [[0f32; PANEL]; POINTS];
                window_to_points(&window, &mut points);
                for (row, lanes) in rows.iter_mut().zip(&points) {
                    row[line * PANEL..][..PANEL].copy_from_slice(lanes);
                }
            }
        });
    transformed
}

multiversion! {
    fn window_to_points(window: &[Lanes; 9], points: &mut [Lanes; POINTS]) {
        for lane in 0..PANEL {
            let mut half = [[0f32; 3]; 6];
            for column in 0..3 {
                let q = weights_line([window[column][lane], window[3 + column][lane], window[6 + column][lane]]);
                for (half, q) in half.iter_mut().zip(q) {
                    half[column] = q;
                }
            }
            for (row, half) in half.iter().enumerate() {
                for (column, q) in weights_line(*half).into_iter().enumerate() {
                    points[row * 6 + column][lane] = q;
                }
            }
        }
    }
}

/// `G g` along one side.
#[inline(always)]
fn weights_line(g: [f32; 3]) -> [f32; 6] {
    let (even, far) = (g[0] + g[2], g[0] + 4.0 * g[2]);
    [
        0.25 * g[0],
        (even + g[1]) * (-1.0 / 6.0),
        (even - g[1]) * (-1.0 / 6.0),
        (far + 2.0 * g[1]) * (1.0 / 24.0),
        (far - 2.0 * g[1]) * (1.0 / 24.0),
        g[2],
    ]
}

/// `Bᵀ d` along one side.
#[inline(always)]
fn input_line(d: [Lanes; 6]) -> [Lanes; 6] {
    let mut t = [[0f32; PANEL]; 6];
    for l in 0..PANEL {
        let [d0, d1, d2, d3, d4, d5] = [d[0][l], d[1][l], d[2][l], d[3][l], d[4][l], d[5][l]];
        let (a, b) = (d4 - 4.0 * d2, d3 - 4.0 * d1);
        let (c, e) = (d4 - d2, 2.0 * (d3 - d1));
        t[0][l] = 4.0 * d0 - 5.0 * d2 + d4;
        t[1][l] = a + b;
        t[2][l] = a - b;
        t[3][l] = c + e;
        t[4][l] = c - e;
        t[5][l] = 4.0 * d1 - 5.0 * d3 + d5;
    }
    t
}

/// `Aᵀ m` along one side.
#[inline(always)]
fn output_line(m: [Lanes; 6]) -> [Lanes; 4] {
    let mut t = [[0f32; PANEL]; 4];
    for l in 0..PANEL {
        let (a, b) = (m[1][l] + m[2][l], m[1][l] - m[2][l]);
        let (c, d) = (m[3][l] + m[4][l], m[3][l] - m[4][l]);
        t[0][l] = m[0][l] + a + c;
        t[1][l] = b + 2.0 * d;
        t[2][l] = a + 4.0 * c;
        t[3][l] = b + 8.0 * d + m[5][l];
    }
    t
}

#[inline(always)]
fn lanes(values: &[f32], at: usize) -> Lanes {
    let mut lanes = [0f32; PANEL];
    lanes.copy_from_slice(&values[at..at + PANEL]);
    lanes
}

multiversion! {
    /// `Bᵀ d B` of the 6×6 pixels at the start of `patch` (rows of `line` values), point by point
    /// `step` values apart in `points`.
    fn input_tile(patch: &[f32], line: usize, pixel: usize, step: usize, points: &mut [f32]) {
        for channel in (0..pixel).step_by(PANEL) {
            let mut half = [[[0f32; PANEL]; 6]; 6];
            for (row, half) in half.iter_mut().enumerate() {
                let at = row * line + channel;
                *half = input_line([0, 1, 2, 3, 4, 5].map(|column| lanes(patch, at + column * pixel)));
            }
            for column in 0..6 {
                let t = input_line([0, 1, 2, 3, 4, 5].map(|row| half[row][column]));
                for (row, t) in t.iter().enumerate() {
                    points[(row * 6 + column) * step + channel..][..PANEL].copy_from_slice(t);
                }
            }
        }
    }
}

multiversion! {
    /// `Aᵀ m A` of one tile for 16 outputs: 16 pixels, row by row.
    fn output_tile(sums: &[f32], step: usize, pixels: &mut [Lanes; 16]) {
        let mut half = [[[0f32; PANEL]; 6]; 4];
        for column in 0..6 {
            let t = output_line([0, 1, 2, 3, 4, 5].map(|row| lanes(sums, (row * 6 + column) * step)));
            for (half, t) in half.iter_mut().zip(t) {
                half[column] = t;
            }
        }
        for (row, half) in half.iter().enumerate() {
            for (column, t) in output_line(*half).iter().enumerate() {
                pixels[row * 4 + column] = *t;
            }
        }
    }
}

multiversion! {
    /// Adds bias and residual and writes the channels that exist of one pixel.
    fn finish_pixel<S: Slot>(sums: &Lanes, bias: &[f32], residual: &[f32], floor: f32, target: &mut [S]) {
        if let (Some(bias), Some(target)) = (bias.first_chunk::<PANEL>(), target.first_chunk_mut::<PANEL>()) {
            match residual.first_chunk::<PANEL>() {
                Some(residual) => {
                    for l in 0..PANEL {
                        target[l].put((sums[l] + bias[l] + residual[l]).max(floor));
                    }
                }
                None => {
                    for l in 0..PANEL {
                        target[l].put((sums[l] + bias[l]).max(floor));
                    }
                }
            }
            return;
        }
        for (l, (target, bias)) in target.iter_mut().zip(bias).enumerate() {
            target.put((sums[l] + bias + residual.get(l).copied().unwrap_or(0.0)).max(floor));
        }
    }
}

/// One task: the tiles from (`top`, `left`), at most `SIDE` each way, into the rows of pixels `out`.
fn block_of<S: Slot>(
    conv: &PackedConv,
    weights: &[f32],
    pixel: usize,
    job: &Job,
    top: usize,
    left: usize,
    out: &mut [&mut [S]],
    scratch: &mut Scratch,
) {
    let down = SIDE.min(job.height.div_ceil(4) - top);
    let across = SIDE.min(job.width.div_ceil(4) - left);
    let tiles = down * across;
    let (panels, outputs) = (conv.panel_count(), conv.shape.outputs);
    let window = Window {
        top: 4 * top as isize - 1,
        left: 4 * left as isize - 1,
        rows: 4 * down + 2,
        columns: 4 * across + 2,
    };
    let line = window.columns * pixel;
    let patch = at_least(&mut scratch.patch, window.rows * line);
    job.source.load(window, pixel, patch);

    let points = at_least(&mut scratch.left, POINTS * tiles * pixel);
    for tile in 0..tiles {
        let at = 4 * (tile / across) * line + 4 * (tile % across) * pixel;
        input_tile(
            &patch[at..],
            line,
            pixel,
            tiles * pixel,
            &mut points[tile * pixel..],
        );
    }

    let width = panels * PANEL;
    let sums = at_least(&mut scratch.sums, POINTS * tiles * width);
    for point in 0..POINTS {
        let rows = Rows {
            values: &points[point * tiles * pixel..],
            step: pixel,
            segments: 1,
            segment_step: 0,
            run: pixel,
        };
        multiply(
            tiles,
            panels,
            &rows,
            &weights[point * panels * pixel * PANEL..],
            &mut sums[point * tiles * width..],
            width,
        );
    }

    let mut pixels = [[0f32; PANEL]; 16];
    for tile in 0..tiles {
        let (y, x) = (4 * (top + tile / across), 4 * (left + tile % across));
        for panel in 0..panels {
            output_tile(
                &sums[tile * width + panel * PANEL..],
                tiles * width,
                &mut pixels,
            );
            let channel = panel * PANEL;
            let count = PANEL.min(outputs - channel);
            for (i, sums) in pixels.iter().enumerate() {
                let (y, x) = (y + i / 4, x + i % 4);
                if y >= job.height || x >= job.width {
                    continue;
                }
                let at = (y * job.width + x) * outputs + channel;
                let residual = job.residual.get(at..at + count).unwrap_or(&[]);
                let row = &mut out[4 * (tile / across) + i / 4];
                let target = &mut row[(4 * (tile % across) + i % 4) * outputs + channel..][..count];
                finish_pixel(
                    sums,
                    &conv.bias[channel..channel + count],
                    residual,
                    job.floor,
                    target,
                );
            }
        }
    }
}
