//! Attention of one head over all pixels on the CPU: a block of queries at a time against packed
//! keys and values, exact softmax, one order of summation whatever the threads.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::conv::{PANEL, Rows, multiply};
use super::features::multiversion;
use super::output::{Slot, written};
use super::picture::{Size, from_channels_last, with_channels_last};
use super::simd::exp;

/// Queries of one task.
const QUERIES: usize = 32;

/// See [`crate::kernels::pixel_attention::pixel_attention`].
///
/// # Shapes
/// - query, key, value and result: `[batch, channels, height, width]`
pub(crate) fn pixel_attention(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<Tensor> {
    let size = Size::of(query)?;
    if Size::of(key)? != size || Size::of(value)? != size {
        candle_core::bail!(
            "queries {:?}, keys {:?} and values {:?} differ",
            query.dims(),
            key.dims(),
            value.dims()
        );
    }
    let out = with_channels_last(query, |query| {
        with_channels_last(key, |key| {
            with_channels_last(value, |value| attend(query, key, value, size))
        })
    })???;
    from_channels_last(out, size)
}

fn attend(query: &[f32], key: &[f32], value: &[f32], size: Size) -> Vec<f32> {
    // SAFETY: every channel of every pixel is written.
    unsafe {
        written::<f32>(size.batch * size.picture(), |out| {
            attend_into(query, key, value, size, out);
        })
    }
}

/// Writes every element of `out`.
fn attend_into<S: Slot>(query: &[f32], key: &[f32], value: &[f32], size: Size, out: &mut [S]) {
    let (channels, pixels) = (size.channels, size.height * size.width);
    assert!([query.len(), key.len(), value.len()] == [out.len(); 3]);
    assert_eq!(out.len(), size.batch * size.picture());
    if out.is_empty() {
        return;
    }
    let (wide, long) = (
        channels.next_multiple_of(PANEL),
        pixels.next_multiple_of(PANEL),
    );
    let scale = 1.0 / (channels as f32).sqrt();
    let (mut keys, mut values) = (vec![0f32; long * channels], vec![0f32; wide * pixels]);
    for (b, out) in out.chunks_mut(size.picture()).enumerate() {
        let part = b * size.picture()..(b + 1) * size.picture();
        let (query, key, value) = (&query[part.clone()], &key[part.clone()], &value[part]);
        // Keys become panels of 16 pixels, values panels of 16 channels.
        keys.par_chunks_mut(channels * PANEL)
            .zip(key.par_chunks(channels * PANEL))
            .for_each(|(panel, key)| {
                for (lane, key) in key.chunks_exact(channels).enumerate() {
                    for (line, value) in panel.chunks_exact_mut(PANEL).zip(key) {
                        line[lane] = *value;
                    }
                }
            });
        values
            .par_chunks_mut(pixels * PANEL)
            .enumerate()
            .for_each(|(p, panel)| {
                let count = PANEL.min(channels - p * PANEL);
                for (line, value) in panel
                    .chunks_exact_mut(PANEL)
                    .zip(value.chunks_exact(channels))
                {
                    line[..count].copy_from_slice(&value[p * PANEL..][..count]);
                }
            });
        out.par_chunks_mut(QUERIES * channels)
            .zip(query.par_chunks(QUERIES * channels))
            .for_each_init(
                || (vec![0f32; QUERIES * long], vec![0f32; QUERIES * wide]),
                |(scores, sums), (out, query)| {
                    let rows = query.len() / channels;
                    let queries = one_run(query, channels, channels);
                    multiply(rows, long / PANEL, &queries, &keys, scores, long);
                    for scores in scores.chunks_exact_mut(long).take(rows) {
                        softmax(&mut scores[..pixels], scale);
                    }
                    let weights = one_run(scores, long, pixels);
                    multiply(rows, wide / PANEL, &weights, &values, sums, wide);
                    for (out, sums) in out.chunks_exact_mut(channels).zip(sums.chunks_exact(wide)) {
                        for (slot, sum) in out.iter_mut().zip(sums) {
                            slot.put(*sum);
                        }
                    }
                },
            );
    }
}

/// Rows of `run` values each, `step` values apart.
fn one_run(values: &[f32], step: usize, run: usize) -> Rows<'_> {
    Rows {
        values,
        step,
        segments: 1,
        segment_step: 0,
        run,
    }
}

multiversion! {
    /// Softmax of `scale · scores` in place; sums in sixteen lanes, always in the same order.
    fn softmax(scores: &mut [f32], scale: f32) {
        const LANES: usize = 16;
        let mut highest = [f32::NEG_INFINITY; LANES];
        for chunk in scores.chunks(LANES) {
            for (h, s) in highest.iter_mut().zip(chunk) {
                *h = if *s > *h { *s } else { *h };
            }
        }
        let highest = highest.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b)) * scale;
        let mut sums = [0f32; LANES];
        let (whole, rest) = scores.as_chunks_mut::<LANES>();
        for chunk in whole {
            for l in 0..LANES {
                chunk[l] = exp(chunk[l] * scale - highest);
                sums[l] += chunk[l];
            }
        }
        for (sum, s) in sums.iter_mut().zip(rest) {
            *s = exp(*s * scale - highest);
            *sum += *s;
        }
        let inverse = 1.0 / sums.iter().sum::<f32>();
        for s in scores {
            *s *= inverse;
        }
    }
}
