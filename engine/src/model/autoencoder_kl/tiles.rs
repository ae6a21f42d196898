//! Decoding in overlapping tiles, for pictures that do not fit the memory in one piece.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// First latent value of each tile along a side of `length`: steps of `tile − overlap`, the last
/// tile flush with the end.
fn starts(length: usize, tile: usize, overlap: usize) -> Vec<usize> {
    if length <= tile {
        return vec![0];
    }
    let last = length - tile;
    let mut starts: Vec<usize> = (0..last).step_by(tile - overlap).collect();
    starts.push(last);
    starts
}

/// Weight of each pixel of a tile along a side: 1 inside, falling linearly over `ramp` pixels
/// towards an end that meets another tile.
fn ramp(length: usize, ramp: usize, at_start: bool, at_end: bool) -> Vec<f32> {
    let rise = |distance: usize| (distance as f32 + 0.5).min(ramp as f32) / ramp as f32;
    (0..length)
        .map(|i| {
            let left = if at_start || ramp == 0 { 1.0 } else { rise(i) };
            let right = if at_end || ramp == 0 {
                1.0
            } else {
                rise(length - 1 - i)
            };
            left * right
        })
        .collect()
}

/// Decodes each tile with `decode` and blends.
///
/// # Shapes
/// - z: `[batch, channels, height, width]`, result: `[batch, 3, height · factor, width · factor]`
///
/// # Errors
/// When the overlap leaves no tile, or `decode` fails.
pub(super) fn decode(
    z: &Tensor,
    tile: usize,
    overlap: usize,
    factor: usize,
    decode: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    if tile == 0 || overlap * 2 > tile {
        return Err(Error::Internal(format!(
            "cannot decode in tiles of {tile} that overlap by {overlap}; the overlap may be at most half of a tile"
        )));
    }
    let (_, _, height, width) = z.dims4()?;
    let (tall, wide) = (tile.min(height), tile.min(width));
    let mut sum: Option<(Tensor, Tensor)> = None;
    for &top in &starts(height, tile, overlap) {
        for &left in &starts(width, tile, overlap) {
            let part = decode(
                &z.narrow(2, top, tall)?
                    .narrow(3, left, wide)?
                    .contiguous()?,
            )?;
            let rows = ramp(
                tall * factor,
                overlap * factor,
                top == 0,
                top + tall == height,
            );
            let columns = ramp(
                wide * factor,
                overlap * factor,
                left == 0,
                left + wide == width,
            );
            let rows = Tensor::from_vec(rows, (1, 1, tall * factor, 1), z.device())?;
            let columns = Tensor::from_vec(columns, (1, 1, 1, wide * factor), z.device())?;
            let weight = rows.broadcast_mul(&columns)?;
            let place = |t: Tensor| {
                t.pad_with_zeros(2, top * factor, (height - top - tall) * factor)?
                    .pad_with_zeros(3, left * factor, (width - left - wide) * factor)
            };
            let part = place(part.to_dtype(DType::F32)?.broadcast_mul(&weight)?)?;
            let weight = place(weight)?;
            sum = Some(match sum {
                Some((picture, weights)) => ((picture + part)?, (weights + weight)?),
                None => (part, weight),
            });
        }
    }
    let (picture, weights) =
        sum.ok_or_else(|| Error::Internal("cannot decode an empty latent".into()))?;
    Ok(picture.broadcast_div(&weights)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;

    #[test]
    fn tiles_cover_the_side_and_overlap() {
        for (length, tile, overlap) in [
            (5, 8, 2),
            (8, 8, 2),
            (9, 8, 2),
            (64, 16, 4),
            (100, 32, 16),
            (33, 32, 0),
        ] {
            let starts = starts(length, tile, overlap);
            assert_eq!(starts[0], 0);
            assert!(starts.last().unwrap() + tile >= length);
            assert!(
                starts
                    .windows(2)
                    .all(|w| w[0] < w[1] && w[0] + tile >= w[1] + overlap),
                "{starts:?}"
            );
        }
    }

    #[test]
    fn a_decoder_without_context_gives_the_same_picture_in_tiles() {
        let z = Tensor::randn(0f32, 1., (2, 3, 13, 10), &Device::Cpu).unwrap();
        let double = |part: &Tensor| -> Result<Tensor> {
            let (_, _, h, w) = part.dims4()?;
            Ok(part.upsample_nearest2d(2 * h, 2 * w)?)
        };
        let tiled = decode(&z, 6, 2, 2, double).unwrap();
        let whole = double(&z).unwrap();
        let worst = (tiled - whole)
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(worst < 1e-6, "{worst}");
    }

    #[test]
    fn an_overlap_of_more_than_half_is_refused() {
        let z = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu).unwrap();
        assert!(matches!(
            decode(&z, 4, 3, 1, |t| Ok(t.clone())),
            Err(Error::Internal(_))
        ));
        assert!(matches!(
            decode(&z, 0, 0, 1, |t| Ok(t.clone())),
            Err(Error::Internal(_))
        ));
    }
}
