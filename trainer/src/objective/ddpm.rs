//! Denoising diffusion: the model predicts the noise of Stable Diffusion's scaled-linear process,
//! each time weighted by Min-SNR (docs/reference.md sections 5 and 8; Hang et al. 2023).

use candle_core::Tensor;
use mmface_engine::Result;
use mmface_engine::sampling::NoiseSchedule;

use super::Target;

/// Times of the process.
pub const TIMES: usize = 1000;

/// The time at a part of the process, 0..=1.
pub fn time_at(part: f32) -> f32 {
    (part * TIMES as f32).floor().min(TIMES as f32 - 1.0)
}

/// `√ᾱ·data + √(1−ᾱ)·noise`; the model predicts the noise. With `gamma`, a sample's error counts
/// `min(SNR, γ) / (SNR + 1e-8)`.
///
/// # Shapes
/// - data, noise: `[batch, channels, side, side]`, time: `[batch]`, whole numbers `0..1000` as f32
///
/// # Errors
/// When shapes do not fit.
pub fn target(data: &Tensor, noise: &Tensor, time: &Tensor, gamma: Option<f64>) -> Result<Target> {
    let schedule = NoiseSchedule::default();
    let times: Vec<usize> = time
        .to_vec1::<f32>()?
        .iter()
        .map(|&time| (time.max(0.0) as usize).min(TIMES - 1))
        .collect();
    let noisy = schedule.add_noise(data, noise, &times)?;
    let weight = match gamma {
        None => None,
        Some(gamma) => {
            let weights: Vec<f32> = times
                .iter()
                .map(|&time| schedule.min_snr_weight(time, gamma) as f32)
                .collect();
            Some(Tensor::new(weights, data.device())?)
        }
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
