//! Clipping by the global norm, as torch's `clip_grad_norm_` does it (docs/reference.md section 8).

use candle_core::{D, Result, Tensor};
use mmface_engine::kernels::{Route, squared_norm};

use super::Gradients;

/// Euclidean norm over all gradients together; not finite when any of their values is not.
///
/// # Shapes
/// - gradients: any
///
/// # Errors
/// When the device fails.
pub fn global_norm(gradients: &Gradients, route: Route) -> Result<f64> {
    let sum = match route {
        Route::Fused => {
            let mut sum = 0.0;
            for gradient in gradients.values() {
                sum += squared_norm(gradient)?;
            }
            sum
        }
        Route::Composed => composed_squared_norm(gradients)?,
    };
    Ok(sum.sqrt())
}

/// Sums on the gradients' device, read by the host once.
fn composed_squared_norm(gradients: &Gradients) -> Result<f64> {
    if gradients.is_empty() {
        return Ok(0.0);
    }
    let sums: Vec<Tensor> = gradients
        .values()
        // Rows first, so that no f32 sum is long.
        .map(|gradient| gradient.sqr()?.sum(D::Minus1)?.sum_all())
        .collect::<Result<_>>()?;
    let sums = Tensor::stack(&sums, 0)?.to_vec1::<f32>()?;
    Ok(sums.into_iter().map(f64::from).sum())
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
    use candle_core::Device;

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
        for route in [Route::Fused, Route::Composed] {
            assert_eq!(global_norm(&gradients, route).unwrap(), 5.0);
            assert_eq!(global_norm(&Gradients::new(), route).unwrap(), 0.0);
            for wrong in [f32::NAN, f32::INFINITY] {
                let mut gradients = gradients.clone();
                let wrong = Tensor::new(&[1f32, wrong], &Device::Cpu).unwrap();
                gradients.insert("c".to_string(), wrong);
                assert!(!global_norm(&gradients, route).unwrap().is_finite());
            }
        }
        assert_eq!(clip_factor(5.0, None), 1.0);
        assert_eq!(clip_factor(5.0, Some(0.0)), 1.0, "0 switches it off");
        assert_eq!(clip_factor(0.1, Some(0.5)), 1.0);
        assert!((clip_factor(5.0, Some(0.5)) - 0.1).abs() < 1e-6);
    }
}
