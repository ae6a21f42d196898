//! What happens to a product's sums before they are stored: bias, activation, gate and residual.

use super::features::multiversion;
use super::output::Slot;
use super::pack::PANEL;
use super::simd::{GELU_CUBIC, GELU_SLOPE, exp, sigmoid};
use crate::kernels::types::Activation;

/// `residual + gate · value`, the gate chosen by batch element.
#[derive(Clone, Copy)]
pub(crate) struct Gated<'a> {
    /// Rows like the output's.
    pub residual: &'a [f32],
    /// The gate of the first batch element, and of the others `stride` later each.
    pub gate: &'a [f32],
    /// Values between the gates of two batch elements.
    pub stride: usize,
    /// Rows of one batch element.
    pub tokens: usize,
}

/// The end of a product with `n` columns.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    /// Columns of the output.
    pub n: usize,
    /// Added to every row.
    pub bias: Option<&'a [f32]>,
    /// Applied after the bias.
    pub activation: Activation,
    /// Applied last.
    pub gated: Option<Gated<'a>>,
}

impl Finish<'_> {
    /// Checks that the operands cover `m` rows.
    pub(crate) fn check(&self, m: usize) {
        assert!(self.bias.is_none_or(|bias| bias.len() == self.n));
        if let (Some(gated), true) = (self.gated, m > 0) {
            assert!(gated.residual.len() >= m * self.n);
            assert!(gated.gate.len() >= (m - 1) / gated.tokens * gated.stride + self.n);
        }
    }
}

multiversion! {
    /// Finishes the sums of rows `row..` and columns `column..` and stores them in `rows`, pieces of
    /// these rows, from `first` on.
    pub(crate) fn finish<S: Slot>(sums: &mut [[f32; PANEL]], row: usize, column: usize, end: &Finish, rows: &mut [&mut [S]], first: usize) {
        assert_eq!(rows.len(), sums.len());
        let width = PANEL.min(end.n - column);
        for (r, (sums, target)) in sums.iter_mut().zip(rows).enumerate() {
            let row = row + r;
            if let Some(bias) = end.bias {
                for (sum, bias) in sums.iter_mut().zip(&bias[column..][..width]) {
                    *sum += bias;
                }
            }
            match end.activation {
                Activation::None => {}
                Activation::GeluTanh => sums.iter_mut().for_each(|x| *x = gelu_tanh(*x)),
                Activation::GeluErf => sums.iter_mut().for_each(|x| *x = gelu_erf(*x)),
                Activation::QuickGelu => sums.iter_mut().for_each(|x| *x *= sigmoid(1.702 * *x)),
            }
            let at = row * end.n + column;
            if let Some(gated) = &end.gated {
                let gate = &gated.gate[row / gated.tokens * gated.stride + column..][..width];
                let residual = &gated.residual[at..][..width];
                for ((sum, gate), residual) in sums.iter_mut().zip(gate).zip(residual) {
                    *sum = residual + gate * *sum;
                }
            }
            let target = &mut target[first..][..width];
            match target.first_chunk_mut::<PANEL>() {
                // A whole panel's copy has a constant length: two vectors instead of a call.
                Some(whole) => {
                    for (slot, sum) in whole.iter_mut().zip(sums) {
                        slot.put(*sum);
                    }
                }
                None => {
                    for (slot, sum) in target.iter_mut().zip(sums) {
                        slot.put(*sum);
                    }
                }
            }
        }
    }
}

/// `½(1 + tanh u) = sigmoid(2u)`.
#[inline(always)]
pub(crate) fn gelu_tanh(x: f32) -> f32 {
    x * sigmoid(2.0 * GELU_SLOPE * x * (1.0 + GELU_CUBIC * x * x))
}

/// `x · ½(1 + erf(x / √2))` with formula 7.1.26 of Abramowitz and Stegun, whose error is below 2e-7.
#[inline(always)]
pub(crate) fn gelu_erf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = t
        * (0.254_829_6
            + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    // Of a negative x only the tail is left: computing it from 1 − (1 − tail) would lose its digits.
    let tail = 0.5 * series * exp(-z * z);
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_with_the_error_function_is_accurate() {
        // Values of x · Φ(x), computed in double precision.
        let known = [
            (-3.0, -0.004_049_694),
            (-1.0, -0.158_655_25),
            (0.5, 0.345_731_23),
            (2.0, 1.954_499_7),
        ];
        for (x, y) in known {
            assert!(
                (gelu_erf(x) - y).abs() < 1e-6,
                "{x}: {} against {y}",
                gelu_erf(x)
            );
        }
    }
}
