//! Attention of one head over all pixels, in the middle of the autoencoders and the face parser.

use candle_core::{D, Result, Tensor};

use crate::route::Route;

/// Rows of scores that exist at a time: the whole matrix of a 1024² picture would take 1 GB.
const ROWS: usize = 1024;

/// `softmax(q kᵀ / √channels) v` over all pixels of each picture.
///
/// # Shapes
/// - query, key, value and result: `[batch, channels, height, width]`
///
/// # Errors
/// When shapes do not fit.
pub fn pixel_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    route: Route,
) -> Result<Tensor> {
    if route == Route::Fused {
        return super::cpu::pixel_attention::pixel_attention(query, key, value);
    }
    plain_pixel_attention(query, key, value)
}

/// The same as a composition of tensor operations; see [`pixel_attention`].
///
/// # Shapes
/// - query, key, value and result: `[batch, channels, height, width]`
///
/// # Errors
/// When shapes do not fit.
pub fn plain_pixel_attention(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = query.dims4()?;
    let pixels = height * width;
    // [batch, pixels, channels]
    let rows = |x: &Tensor| {
        x.reshape((batch, channels, pixels))?
            .transpose(1, 2)?
            .contiguous()
    };
    let query = (rows(query)? * (1.0 / (channels as f64).sqrt()))?;
    let (key, value) = (rows(key)?, rows(value)?);
    let mut blocks = Vec::new();
    for start in (0..pixels).step_by(ROWS) {
        let block = query
            .narrow(1, start, ROWS.min(pixels - start))?
            .contiguous()?;
        let scores = block.matmul(&key.t()?)?;
        let scores = scores
            .broadcast_sub(&scores.max_keepdim(D::Minus1)?)?
            .exp()?;
        let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
        blocks.push(weights.matmul(&value)?);
    }
    Tensor::cat(&blocks, 1)?
        .transpose(1, 2)?
        .reshape((batch, channels, height, width))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;

    #[test]
    fn agrees_with_the_plain_twin() {
        for (batch, channels, height, width) in [(2, 4, 3, 5), (1, 32, 16, 9), (2, 24, 8, 8)] {
            let draw =
                || Tensor::randn(0f32, 1., (batch, channels, height, width), &Device::Cpu).unwrap();
            let (q, k, v) = (draw(), draw(), draw());
            let fast = pixel_attention(&q, &k, &v, Route::Fused).unwrap();
            let plain = plain_pixel_attention(&q, &k, &v).unwrap();
            let worst = (fast - plain)
                .unwrap()
                .abs()
                .unwrap()
                .max_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap();
            assert!(worst < 1e-5, "{channels} channels: {worst}");
        }
    }

    #[test]
    fn equal_keys_average_the_values() {
        let q = Tensor::randn(0f32, 1., (1, 4, 3, 5), &Device::Cpu).unwrap();
        let v = Tensor::randn(0f32, 1., (1, 4, 3, 5), &Device::Cpu).unwrap();
        let y = pixel_attention(&q, &q.zeros_like().unwrap(), &v, Route::Fused).unwrap();
        let mean = v
            .mean_keepdim((2, 3))
            .unwrap()
            .broadcast_as(v.shape())
            .unwrap();
        let worst = (y - mean)
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(worst < 1e-6, "{worst}");
    }
}
