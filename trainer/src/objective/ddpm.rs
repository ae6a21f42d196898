//! Denoising diffusion: the model predicts the noise of Stable Diffusion's scaled-linear process,
//! each time weighted by Min-SNR (reference.md sections 5 and 8; Hang et al. 2023).

use candle_core::{Result, Tensor};

use super::{Target, per_sample};

/// Times of the process.
pub const TIMES: usize = 1000;

/// Cumulative products of `1 − β`, in f32 as the reference computes them.
pub fn alphas_cumprod() -> Vec<f32> {
    let (first, last) = (0.00085f64.sqrt() as f32, 0.012f64.sqrt() as f32);
    let step = (last - first) / (TIMES - 1) as f32;
    let mut product = 1.0f32;
    (0..TIMES)
        .map(|time| {
            // torch's linspace counts from the nearer end.
            let root = if time < TIMES / 2 {
                first + step * time as f32
            } else {
                last - step * (TIMES - 1 - time) as f32
            };
            product *= 1.0 - root * root;
            product
        })
        .collect()
}

/// `√ᾱ·data + √(1−ᾱ)·noise`; the model predicts the noise. With `gamma`, a sample's error counts
/// `min(SNR, γ) / (SNR + 1e-8)`.
///
/// # Shapes
/// - data, noise: `[batch, channels, side, side]`, time: `[batch]`, whole numbers `0..1000` as f32
pub fn target(data: &Tensor, noise: &Tensor, time: &Tensor, gamma: Option<f64>) -> Result<Target> {
    let products = alphas_cumprod();
    let alphas: Vec<f32> = time
        .to_vec1::<f32>()?
        .iter()
        .map(|&time| products[(time.max(0.0) as usize).min(TIMES - 1)])
        .collect();
    let device = data.device();
    let column = |f: &dyn Fn(f32) -> f32| {
        Tensor::new(
            alphas.iter().map(|&alpha| f(alpha)).collect::<Vec<f32>>(),
            device,
        )
    };
    let signal = column(&|alpha| alpha.sqrt())?;
    let spread = column(&|alpha| (1.0 - alpha).sqrt())?;
    let noisy = (data.broadcast_mul(&per_sample(&signal)?)?
        + noise.broadcast_mul(&per_sample(&spread)?)?)?;
    let weight = match gamma {
        None => None,
        Some(gamma) => Some(column(&|alpha| {
            let snr = (alpha.sqrt() / (1.0 - alpha).sqrt()).powi(2);
            snr.min(gamma as f32) / (snr + 1e-8)
        })?),
    };
    Ok(Target {
        noisy,
        target: noise.clone(),
        weight,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;

    #[test]
    fn weights_are_one_for_noisy_times_and_fall_for_clean_ones() {
        let shape = (2, 1, 1, 1);
        let (data, noise) = (
            Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap(),
            Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap(),
        );
        let time = Tensor::new(&[0f32, 999.0], &Device::Cpu).unwrap();
        let target = target(&data, &noise, &time, Some(5.0)).unwrap();
        let weight = target.weight.unwrap().to_vec1::<f32>().unwrap();
        assert!(
            weight[0] < 0.01 && (weight[1] - 1.0).abs() < 1e-4,
            "{weight:?}"
        );
        let noisy = target
            .noisy
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        assert!(noisy[0] > 0.999 && noisy[1] < 0.1, "{noisy:?}");
    }
}
