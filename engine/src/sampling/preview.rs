//! The cheapest preview: one matrix from latent channels to colours, at the latent's own size.

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::picture::RgbImage;
use crate::{Error, Result};

/// A latent pixel's colour is `bias + Σ (z_c − shift)·factors_c`, in -1..=1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinearPreview {
    /// Red, green and blue of each latent channel.
    pub factors: Vec<[f32; 3]>,
    /// Added to every pixel.
    pub bias: [f32; 3],
    /// Subtracted from every latent value first.
    #[serde(default)]
    pub shift: f32,
}

impl LinearPreview {
    /// The public figures of a known autoencoder by its latent channels and scale
    /// (docs/reference.md section 3): FLUX (16 channels, latents without shift as the published
    /// models have them), SD3, SDXL, and Stable Diffusion 1 and 2. `None` where neither is close.
    pub fn known(channels: usize, scale: f64) -> Option<Self> {
        let is = |value: f64| (scale - value).abs() < 1e-3;
        match channels {
            16 if is(0.3611) => Some(Self {
                factors: FLUX.to_vec(),
                bias: FLUX_BIAS,
                shift: FLUX_SHIFT,
            }),
            16 if is(1.5305) => Some(Self {
                factors: SD3.to_vec(),
                bias: SD3_BIAS,
                shift: 0.0,
            }),
            4 if is(0.13025) => Some(Self {
                factors: SDXL.to_vec(),
                bias: SDXL_BIAS,
                shift: 0.0,
            }),
            4 if is(0.18215) => Some(Self {
                factors: SD2.to_vec(),
                bias: [0.0; 3],
                shift: 0.0,
            }),
            _ => None,
        }
    }

    /// One picture of a batch.
    ///
    /// # Shapes
    /// - clean: `[B, C, S, S]`, scaled latents, nominally without noise
    ///
    /// # Errors
    /// When the latents have other channels than the factors, or `index` is past the batch.
    pub fn picture(&self, clean: &Tensor, index: usize) -> Result<RgbImage> {
        let (batch, channels, height, width) = clean.dims4()?;
        if channels != self.factors.len() || index >= batch {
            return Err(Error::Internal(format!(
                "no preview {index} of latents {:?} with factors for {} channels",
                clean.dims(),
                self.factors.len()
            )));
        }
        let latent = clean
            .narrow(0, index, 1)?
            .to_dtype(DType::F32)?
            .to_device(&Device::Cpu)?;
        let latent: Vec<f32> = latent.flatten_all()?.to_vec1()?;
        let area = width * height;
        let mut colours = vec![self.bias; area];
        for (plane, factors) in latent.chunks_exact(area.max(1)).zip(&self.factors) {
            for (colour, value) in colours.iter_mut().zip(plane) {
                for (component, factor) in colour.iter_mut().zip(factors) {
                    *component += (value - self.shift) * factor;
                }
            }
        }
        // A value that is no number shows black: a preview must not stop a run.
        let byte = |value: f32| ((value / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0) as u8;
        Ok(RgbImage {
            width,
            height,
            pixels: colours.into_iter().flatten().map(byte).collect(),
        })
    }
}

/// 0.1159 · 0.3611: what the published models' latents carry more than FLUX's own.
const FLUX_SHIFT: f32 = 0.041_851_49;

#[rustfmt::skip]
const FLUX: [[f32; 3]; 16] = [
    [-0.0346, 0.0244, 0.0681], [0.0034, 0.0210, 0.0687], [0.0275, -0.0668, -0.0433], [-0.0174, 0.0160, 0.0617],
    [0.0859, 0.0721, 0.0329], [0.0004, 0.0383, 0.0115], [0.0405, 0.0861, 0.0915], [-0.0236, -0.0185, -0.0259],
    [-0.0245, 0.0250, 0.1180], [0.1008, 0.0755, -0.0421], [-0.0515, 0.0201, 0.0011], [0.0428, -0.0012, -0.0036],
    [0.0817, 0.0765, 0.0749], [-0.1264, -0.0522, -0.1103], [-0.0280, -0.0881, -0.0499], [-0.1262, -0.0982, -0.0778],
];
const FLUX_BIAS: [f32; 3] = [-0.0329, -0.0718, -0.0851];

#[rustfmt::skip]
const SD3: [[f32; 3]; 16] = [
    [-0.0922, -0.0175, 0.0749], [0.0311, 0.0633, 0.0954], [0.1994, 0.0927, 0.0458], [0.0856, 0.0339, 0.0902],
    [0.0587, 0.0272, -0.0496], [-0.0006, 0.1104, 0.0309], [0.0978, 0.0306, 0.0427], [-0.0042, 0.1038, 0.1358],
    [-0.0194, 0.0020, 0.0669], [-0.0488, 0.0130, -0.0268], [0.0922, 0.0988, 0.0951], [-0.0278, 0.0524, -0.0542],
    [0.0332, 0.0456, 0.0895], [-0.0069, -0.0030, -0.0810], [-0.0596, -0.0465, -0.0293], [-0.1448, -0.1463, -0.1189],
];
const SD3_BIAS: [f32; 3] = [0.2394, 0.2135, 0.1925];

#[rustfmt::skip]
const SDXL: [[f32; 3]; 4] = [
    [0.3651, 0.4232, 0.4341], [-0.2533, -0.0042, 0.1068], [0.1076, 0.1111, -0.0362], [-0.3165, -0.2492, -0.2188],
];
const SDXL_BIAS: [f32; 3] = [0.1084, -0.0175, -0.0011];

#[rustfmt::skip]
const SD2: [[f32; 3]; 4] = [
    [0.3512, 0.2297, 0.3227], [0.3250, 0.4974, 0.2350], [-0.2829, 0.1762, 0.2721], [-0.2120, -0.2616, -0.7177],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_and_a_bias() {
        let preview = LinearPreview {
            factors: vec![[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]],
            bias: [0.0, 0.0, -1.0],
            shift: 0.5,
        };
        let latent =
            Tensor::new(&[[[[1.5f32, 0.5]], [[0.5f32, -1.5]]]], &Device::Cpu).expect("tensor");
        let picture = preview.picture(&latent, 0).expect("picture");
        assert_eq!((picture.width, picture.height), (2, 1));
        assert_eq!(picture.pixels, [255, 127, 0, 127, 0, 0]);
        assert!(preview.picture(&latent, 1).is_err());
    }

    #[test]
    fn damaged_latents_still_show_something() {
        let preview = LinearPreview::known(4, 0.18215).expect("SD");
        let latent = Tensor::full(f32::NAN, (1, 4, 2, 2), &Device::Cpu).expect("tensor");
        assert_eq!(
            preview.picture(&latent, 0).expect("picture").pixels,
            [0; 12]
        );
    }

    #[test]
    fn known_autoencoders_have_a_factor_a_channel() {
        for (channels, scale) in [(16, 0.3611), (16, 1.5305), (4, 0.13025), (4, 0.18215)] {
            let known = LinearPreview::known(channels, scale).expect("known");
            assert_eq!(known.factors.len(), channels);
        }
        assert_eq!(LinearPreview::known(16, 1.0), None);
    }
}
