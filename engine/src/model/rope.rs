//! Rotary positions of image and text tokens (paper section 3.3, docs/reference.md section 1).

use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::kernels::RopeTable;

/// Base of the angles.
pub const THETA: f64 = 10_000.0;

/// Where text tokens stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextRope {
    /// All at (0, 0), so text is not rotated: the released checkpoints.
    #[default]
    Zero,
    /// Token i at (i, i): the paper's sequential positions; phases do not depend on resolution.
    Sequential,
}

/// (row, column) of every token: the `grid²` image tokens row by row, then the text tokens.
pub fn positions(grid: usize, text_tokens: usize, text_rope: TextRope) -> Vec<(usize, usize)> {
    let image = (0..grid * grid).map(|n| (n / grid, n % grid));
    let text = (0..text_tokens).map(|i| match text_rope {
        TextRope::Zero => (0, 0),
        TextRope::Sequential => (i, i),
    });
    image.chain(text).collect()
}

/// Angles of all tokens: the first half of the channel pairs turns with the row, the second with
/// the column. Computed in f64 and stored in f32.
///
/// # Shapes
/// - result: cos and sin `[tokens, head_dim / 2]`
///
/// # Errors
/// When `head_dim` is not a multiple of 4.
pub fn table(positions: &[(usize, usize)], head_dim: usize, device: &Device) -> Result<RopeTable> {
    if !head_dim.is_multiple_of(4) || head_dim == 0 {
        candle_core::bail!(
            "head width {head_dim} is not a multiple of 4: RoPE needs pairs for two axes"
        );
    }
    let quarter = head_dim / 4;
    let frequencies: Vec<f64> = (0..quarter)
        .map(|k| THETA.powf(-2.0 * k as f64 / (head_dim / 2) as f64))
        .collect();
    let mut cos = Vec::with_capacity(positions.len() * head_dim / 2);
    let mut sin = Vec::with_capacity(positions.len() * head_dim / 2);
    for &(row, column) in positions {
        for axis in [row, column] {
            for frequency in &frequencies {
                let angle = axis as f64 * frequency;
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
    }
    let shape = (positions.len(), head_dim / 2);
    Ok(RopeTable {
        cos: Tensor::from_vec(cos, shape, device)?,
        sin: Tensor::from_vec(sin, shape, device)?,
    })
}

/// Fixed 2-D sine and cosine table that replaces RoPE in the ablation without it:
/// sin and cos of the row, then of the column, each `width / 4` channels.
///
/// # Shapes
/// - result: `[1, grid², width]`
///
/// # Errors
/// When `width` is not a multiple of 4.
pub fn sincos_2d(grid: usize, width: usize, device: &Device) -> Result<Tensor> {
    if !width.is_multiple_of(4) || width == 0 {
        candle_core::bail!("width {width} is not a multiple of 4");
    }
    let quarter = width / 4;
    let frequencies: Vec<f64> = (0..quarter)
        .map(|k| THETA.powf(-(k as f64) / quarter as f64))
        .collect();
    let mut table = Vec::with_capacity(grid * grid * width);
    for (row, column) in positions(grid, 0, TextRope::Zero) {
        for axis in [row, column] {
            table.extend(frequencies.iter().map(|f| (axis as f64 * f).sin() as f32));
            table.extend(frequencies.iter().map(|f| (axis as f64 * f).cos() as f32));
        }
    }
    Tensor::from_vec(table, (1, grid * grid, width), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_text_stands_on_the_diagonal() {
        assert_eq!(
            positions(2, 3, TextRope::Sequential)[4..],
            [(0, 0), (1, 1), (2, 2)]
        );
    }

    #[test]
    fn odd_head_widths_are_refused() {
        assert!(
            table(&[(0, 0)], 6, &Device::Cpu).is_err(),
            "6 is not a multiple of 4"
        );
    }
}
