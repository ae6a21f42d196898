//! LayerNorm of one row.

use super::features::multiversion;
use super::simd::lane_sum;

/// Mean and reciprocal standard deviation.
#[inline(always)]
pub(crate) fn statistics(x: &[f32], epsilon: f32) -> (f32, f32) {
    let mean = lane_sum(x.len(), |i| x[i]) / x.len() as f32;
    let variance = lane_sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / x.len() as f32;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

multiversion! {
    /// `LN(x) · (1 + scale) + shift`.
    pub(crate) fn modulated(x: &[f32], shift: &[f32], scale: &[f32], epsilon: f32, y: &mut [f32]) {
        let (mean, inverse) = statistics(x, epsilon);
        for (((y, x), shift), scale) in y.iter_mut().zip(x).zip(shift).zip(scale) {
            *y = (x - mean) * inverse * (1.0 + scale) + shift;
        }
    }
}

multiversion! {
    /// `LN(x) · weight + bias`.
    pub(crate) fn affine(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32]) {
        let (mean, inverse) = statistics(x, epsilon);
        for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = (x - mean) * inverse * weight + bias;
        }
    }
}
