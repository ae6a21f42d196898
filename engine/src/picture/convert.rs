//! Between pictures, grey pictures and tensors.

use candle_core::{DType, Device, Tensor};

use super::GrayImage;
use super::RgbImage;
use crate::{Error, Result};

/// A byte in -1..=1: `(v / 255 − ½) · 2` in f32, as torchvision's normalisation has it.
pub fn to_unit(value: u8) -> f32 {
    (f32::from(value) / 255.0 - 0.5) * 2.0
}

/// A picture as model input.
///
/// # Shapes
/// - result: `[1, 3, height, width]`, f32 in -1..=1
///
/// # Errors
/// When the picture is empty or has more or fewer values than its size says.
pub fn to_tensor(picture: &RgbImage, device: &Device) -> Result<Tensor> {
    let area = picture.width * picture.height;
    if picture.pixels.len() != 3 * area || area == 0 {
        return Err(Error::Internal(format!(
            "a picture of {} x {} has {} values instead of {}",
            picture.width,
            picture.height,
            picture.pixels.len(),
            3 * area
        )));
    }
    let mut planes = vec![0f32; 3 * area];
    for (channel, plane) in planes.chunks_exact_mut(area).enumerate() {
        for (value, pixel) in plane.iter_mut().zip(picture.pixels.chunks_exact(3)) {
            *value = to_unit(pixel[channel]);
        }
    }
    Ok(Tensor::from_vec(
        planes,
        (1, 3, picture.height, picture.width),
        device,
    )?)
}

/// Decoder output to a picture: `clamp(y/2 + ½, 0, 1) · 255`, truncated, not rounded
/// (docs/reference.md section 3). Fails on values that are not finite.
///
/// # Shapes
/// - decoded: `[3, height, width]` or `[1, 3, height, width]`, nominally in -1..=1
///
/// # Errors
/// When the shape is not that of one picture of 3 channels, or a value is not finite.
pub fn from_tensor(decoded: &Tensor) -> Result<RgbImage> {
    let decoded = if decoded.rank() == 4 {
        decoded.squeeze(0)?
    } else {
        decoded.clone()
    };
    let (channels, height, width) = decoded.dims3()?;
    if channels != 3 {
        return Err(Error::Internal(format!(
            "a picture has 3 channels, not {channels}"
        )));
    }
    let planes = decoded
        .to_dtype(DType::F32)?
        .to_device(&Device::Cpu)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    if planes.iter().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite("the decoded picture".to_owned()));
    }
    let area = width * height;
    let mut pixels = vec![0u8; 3 * area];
    for (channel, plane) in planes.chunks_exact(area.max(1)).enumerate() {
        for (pixel, value) in pixels.chunks_exact_mut(3).zip(plane) {
            pixel[channel] = ((value / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0) as u8;
        }
    }
    Ok(RgbImage {
        width,
        height,
        pixels,
    })
}

/// Luma as PIL's `convert("L")` computes it.
pub fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue) + 32768;
    (sum >> 16) as u8
}

/// Grey picture of a colour picture, as PIL's `convert("L")` computes it.
pub fn to_gray(picture: &RgbImage) -> GrayImage {
    let pixels = picture
        .pixels
        .chunks_exact(3)
        .map(|pixel| luma([pixel[0], pixel[1], pixel[2]]))
        .collect();
    GrayImage {
        width: picture.width,
        height: picture.height,
        pixels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_to_tensor_and_back() {
        let pixels = (0..=255)
            .flat_map(|value| [value, 255 - value, 7])
            .collect();
        let picture = RgbImage {
            width: 16,
            height: 16,
            pixels,
        };
        let tensor = to_tensor(&picture, &Device::Cpu).expect("tensor");
        let back = from_tensor(&tensor).expect("picture");
        // Truncation may lose one level where the division was rounded down.
        for (a, b) in picture.pixels.iter().zip(&back.pixels) {
            assert!(a.abs_diff(*b) <= 1);
        }
    }

    #[test]
    fn nan_is_an_error_not_a_black_picture() {
        let tensor = Tensor::full(f32::NAN, (3, 2, 2), &Device::Cpu).expect("tensor");
        assert!(matches!(from_tensor(&tensor), Err(Error::NotFinite(_))));
    }

    #[test]
    fn white_stays_white_in_grey() {
        assert_eq!(luma([255, 255, 255]), 255);
        assert_eq!(luma([0, 0, 0]), 0);
    }
}
