//! Clipping by the global norm, as torch's `clip_grad_norm_` does it (reference.md section 8).

use candle_core::{Device, Result};
use mmface_engine::kernels::squared_norm;

use super::Gradients;

/// Euclidean norm over all gradients together.
pub fn global_norm(gradients: &Gradients) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in gradients.values() {
        sum += match gradient.device() {
            Device::Cpu => squared_norm(gradient)?,
            _ => f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?),
        };
    }
    Ok(sum.sqrt())
}

/// Factor that brings gradients of this norm down to at most `largest`; `None` or 0 leaves them.
pub fn clip_factor(norm: f64, largest: Option<f64>) -> f64 {
    match largest {
        Some(largest) if largest > 0.0 => (largest / (norm + 1e-6)).min(1.0),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Tensor;

    use super::*;

    #[test]
    fn the_norm_is_over_all_tensors() {
        let gradients = Gradients::from([
            (
                "a".to_string(),
                Tensor::new(&[3f32, 0.0], &Device::Cpu).unwrap(),
            ),
            (
                "b".to_string(),
                Tensor::full(4f32, (1, 1), &Device::Cpu).unwrap(),
            ),
        ]);
        assert_eq!(global_norm(&gradients).unwrap(), 5.0);
        assert_eq!(clip_factor(5.0, None), 1.0);
        assert_eq!(clip_factor(5.0, Some(0.0)), 1.0, "0 switches it off");
        assert_eq!(clip_factor(0.1, Some(0.5)), 1.0);
        assert!((clip_factor(5.0, Some(0.5)) - 0.1).abs() < 1e-6);
    }
}
