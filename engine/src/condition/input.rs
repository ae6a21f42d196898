//! Condition pictures to model input, exactly as the published inference code does it.
//!
//! docs/reference.md section 3: mask → RGB of the palette, sketch → grey; Lanczos to the model's
//! side (the aspect is not kept); then [-1, 1]. The mixed colours that Lanczos makes at class
//! borders are what checkpoints have seen, so they stay.

use candle_core::{Device, Tensor};

use crate::labels::LabelImage;
use crate::picture::{GrayImage, convert, resize};
use crate::{Error, Result};

/// A mask as the autoencoder takes it.
///
/// # Shapes
/// - result: `[1, 3, size, size]`, f32 in -1..=1
///
/// # Errors
/// When the mask does not hold [`LabelImage::check`], or `size` is not within 1..=4096.
pub fn mask_tensor(mask: &LabelImage, size: usize, device: &Device) -> Result<Tensor> {
    mask.check()?;
    check_side(size)?;
    let picture = mask.to_rgb();
    let picture = if (picture.width, picture.height) == (size, size) {
        picture
    } else {
        resize::lanczos_rgb(&picture, size, size)
    };
    convert::to_tensor(&picture, device)
}

/// A sketch as the autoencoder takes it: grey in all three channels.
///
/// # Shapes
/// - result: `[1, 3, size, size]`, f32 in -1..=1
///
/// # Errors
/// When the sketch does not hold [`GrayImage::check`], or `size` is not within 1..=4096.
pub fn sketch_tensor(sketch: &GrayImage, size: usize, device: &Device) -> Result<Tensor> {
    sketch.check()?;
    check_side(size)?;
    let resized;
    let sketch = if (sketch.width, sketch.height) == (size, size) {
        sketch
    } else {
        resized = sketch.resized(size, size);
        &resized
    };
    let channel: Vec<f32> = sketch
        .pixels
        .iter()
        .map(|&value| convert::to_unit(value))
        .collect();
    let tensor = Tensor::from_vec(channel, (1, 1, size, size), device)?;
    Ok(tensor.expand((1, 3, size, size))?.contiguous()?)
}

fn check_side(size: usize) -> Result<()> {
    if (1..=4096).contains(&size) {
        return Ok(());
    }
    Err(Error::Argument(format!(
        "cannot make a model input of {size} pixels a side; 64 to 1024 are sensible"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::class;

    #[test]
    fn mask_of_the_right_size_is_not_resampled() {
        let mut mask = LabelImage::filled(16, 16, class::BACKGROUND);
        mask.labels[0] = class::HAIR;
        let tensor = mask_tensor(&mask, 16, &Device::Cpu).expect("tensor");
        assert_eq!(tensor.dims(), [1, 3, 16, 16]);
        let values = tensor
            .flatten_all()
            .and_then(|t| t.to_vec1::<f32>())
            .expect("values");
        assert_eq!(&values[..2], [-1.0, -1.0]);
        assert!((values[512] - 0.6).abs() < 1e-6, "blue 204 is 0.6");
        assert!(values.iter().filter(|&&value| value != -1.0).count() == 1);
    }

    #[test]
    fn other_sizes_are_resampled_with_mixed_borders() {
        let mut mask = LabelImage::filled(40, 20, class::BACKGROUND);
        for row in mask.labels.chunks_mut(40) {
            row[20..].fill(class::CLOTH);
        }
        let tensor = mask_tensor(&mask, 16, &Device::Cpu).expect("tensor");
        let green = tensor
            .narrow(1, 1, 1)
            .and_then(|t| t.flatten_all())
            .and_then(|t| t.to_vec1::<f32>());
        let green = green.expect("values");
        assert!(
            green.iter().any(|&value| value > -0.99 && value < 0.59),
            "Lanczos mixes at the border"
        );
    }

    #[test]
    fn sketch_fills_three_equal_channels() {
        let sketch = GrayImage::filled(30, 50, 255);
        let tensor = sketch_tensor(&sketch, 24, &Device::Cpu).expect("tensor");
        assert_eq!(tensor.dims(), [1, 3, 24, 24]);
        let values = tensor
            .flatten_all()
            .and_then(|t| t.to_vec1::<f32>())
            .expect("values");
        assert!(values.iter().all(|&value| value == 1.0));
    }

    #[test]
    fn impossible_sides_are_refused() {
        let mask = LabelImage::filled(4, 4, 0);
        assert!(mask_tensor(&mask, 0, &Device::Cpu).is_err());
        assert!(mask_tensor(&mask, 1 << 40, &Device::Cpu).is_err());
    }
}
