//! Rectified flow: a straight path from noise at time 0 to data at time 1
//! (docs/reference.md section 5; paper section 3.4).

use candle_core::{Result, Tensor};

use super::{Target, per_sample};
use crate::config::TimeSampling;

/// `z = (1 − t)·noise + t·data`; the model predicts the velocity `data − noise`.
///
/// # Shapes
/// - data, noise: `[batch, channels, side, side]`, time: `[batch]` in `[0, 1)`
///
/// # Errors
/// When shapes do not fit.
pub fn target(data: &Tensor, noise: &Tensor, time: &Tensor) -> Result<Target> {
    let time = per_sample(time)?;
    let noisy = (noise.broadcast_mul(&(1.0 - &time)?)? + data.broadcast_mul(&time)?)?;
    Ok(Target {
        noisy,
        target: (data - noise)?,
        weight: None,
    })
}

/// The time of a training sample, from two uniform numbers in 0..1: uniform itself, or the sigmoid
/// of a normal number (Box and Muller's).
pub fn draw_time(sampling: TimeSampling, [first, second]: [f32; 2]) -> f32 {
    match sampling {
        TimeSampling::Uniform => first,
        TimeSampling::LogitNormal { mean, deviation } => {
            let radius = (-2.0 * (1.0 - f64::from(first)).ln()).sqrt();
            let normal = (radius * (std::f64::consts::TAU * f64::from(second)).cos()) as f32;
            1.0 / (1.0 + (-(mean + deviation * normal)).exp())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_path_starts_at_noise_and_ends_at_data() {
        let data = Tensor::full(3f32, (2, 1, 1, 1), &Device::Cpu).unwrap();
        let noise = Tensor::full(-1f32, (2, 1, 1, 1), &Device::Cpu).unwrap();
        let time = Tensor::new(&[0f32, 0.75], &Device::Cpu).unwrap();
        let target = target(&data, &noise, &time).unwrap();
        assert_eq!(
            target
                .noisy
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap(),
            [-1.0, 2.0]
        );
        assert_eq!(
            target
                .target
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap(),
            [4.0, 4.0]
        );
        assert_eq!(
            target
                .loss(&target.target)
                .unwrap()
                .to_scalar::<f32>()
                .unwrap(),
            0.0
        );
        assert_eq!(
            target
                .loss(&target.noisy)
                .unwrap()
                .to_scalar::<f32>()
                .unwrap(),
            (25.0 + 4.0) / 2.0
        );
    }
}
