//! The optimizer's passes over all parameters: one loop each, in place.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, bail};
use rayon::prelude::*;

use super::features::multiversion;
use super::operands::{floats, with_floats};

/// Elements that one job handles; fixed, so that sums do not depend on the number of threads.
const CHUNK: usize = 16 * 1024;

/// One update of AdamW (Loshchilov and Hutter), with PyTorch's order of operations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Number of this update of this parameter, from 1.
    pub step: u64,
    /// Factor on the gradient, from clipping its norm; 1 leaves it.
    pub gradient_scale: f64,
}

/// Updates a parameter (a variable's tensor on the CPU, f32) and its moments in one pass.
///
/// # Shapes
/// - parameter, gradient: equal; first, second: as many elements
///
/// # Errors
/// When the shapes or lengths differ, or parameter or gradient are not f32 on the CPU.
pub fn adamw_update(
    parameter: &Tensor,
    gradient: &Tensor,
    first: &mut [f32],
    second: &mut [f32],
    step: &AdamWStep,
) -> Result<()> {
    let len = parameter.elem_count();
    if gradient.shape() != parameter.shape() || first.len() != len || second.len() != len {
        bail!(
            "AdamW: parameter {:?}, gradient {:?}, moments {}",
            parameter.dims(),
            gradient.dims(),
            first.len()
        );
    }
    let power = |beta: f64| 1.0 - beta.powf(step.step as f64);
    let factors = Factors {
        decay: (1.0 - step.learning_rate * step.weight_decay) as f32,
        gradient: step.gradient_scale as f32,
        first: (1.0 - step.beta1) as f32,
        second_keep: step.beta2 as f32,
        second: (1.0 - step.beta2) as f32,
        root: power(step.beta2).sqrt() as f32,
        epsilon: step.epsilon as f32,
        size: (step.learning_rate / power(step.beta1)) as f32,
    };
    let update = Update {
        moments: RefCell::new((first, second)),
        factors,
    };
    parameter.inplace_op2(&gradient.contiguous()?, &update)
}

#[derive(Clone, Copy)]
struct Factors {
    decay: f32,
    gradient: f32,
    first: f32,
    second_keep: f32,
    second: f32,
    root: f32,
    epsilon: f32,
    size: f32,
}

struct Update<'a> {
    moments: RefCell<(&'a mut [f32], &'a mut [f32])>,
    factors: Factors,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, p: &mut CpuStorage, lp: &Layout, g: &CpuStorage, lg: &Layout) -> Result<()> {
        let gradient = floats(g, lg)?;
        let factors = self.factors;
        let (Some((from, to)), CpuStorage::F32(values)) = (lp.contiguous_offsets(), p) else {
            bail!("AdamW updates contiguous f32 parameters only");
        };
        let mut moments = self.moments.borrow_mut();
        let (first, second) = &mut *moments;
        let moments = first
            .par_chunks_mut(CHUNK)
            .zip(second.par_chunks_mut(CHUNK));
        values[from..to]
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(moments)
            .for_each(|((p, g), (m, v))| update(p, g, m, v, factors));
        Ok(())
    }
}

multiversion! {
    fn update(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], f: Factors) {
        for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            let g = g * f.gradient;
            *m += f.first * (g - *m);
            *v = f.second_keep * *v + f.second * g * g;
            *p = *p * f.decay - f.size * *m / (v.sqrt() / f.root + f.epsilon);
        }
    }
}

/// Sum of the squares of all elements (f32 on the CPU), for clipping by the global norm. The sum
/// is f64 over fixed chunks, so it does not depend on the number of threads.
///
/// # Shapes
/// - tensor: any
///
/// # Errors
/// When the tensor is not f32 on the CPU.
pub fn squared_norm(tensor: &Tensor) -> Result<f64> {
    with_floats(tensor, |values| {
        let sums: Vec<f64> = values
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut sum = 0.0;
                squares(chunk, &mut sum);
                sum
            })
            .collect();
        Ok(sums.iter().sum())
    })
}

multiversion! {
    fn squares(values: &[f32], sum: &mut f64) {
        let mut lanes = [0f64; 16];
        let (chunks, rest) = values.as_chunks::<16>();
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += f64::from(*value) * f64::from(*value);
            }
        }
        for (lane, value) in lanes.iter_mut().zip(rest) {
            *lane += f64::from(*value) * f64::from(*value);
        }
        *sum = lanes.iter().sum();
    }
}

/// Moves the averaged weights towards the parameter: `shadow −= (1 − decay)(shadow − parameter)`.
///
/// # Shapes
/// - parameter: any; shadow: as many elements, in row-major order
///
/// # Errors
/// When the lengths differ, or the parameter is not f32 on the CPU.
pub fn ema_update(shadow: &mut [f32], parameter: &Tensor, decay: f64) -> Result<()> {
    with_floats(parameter, |values| {
        if values.len() != shadow.len() {
            bail!(
                "moving average of {} values for a parameter of {}",
                shadow.len(),
                values.len()
            );
        }
        let step = (1.0 - decay) as f32;
        shadow
            .par_chunks_mut(CHUNK)
            .zip(values.par_chunks(CHUNK))
            .for_each(|(s, p)| approach(s, p, step));
        Ok(())
    })
}

multiversion! {
    fn approach(shadow: &mut [f32], parameter: &[f32], step: f32) {
        for (shadow, parameter) in shadow.iter_mut().zip(parameter) {
            *shadow -= step * (*shadow - parameter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn sequence(len: usize, seed: f32) -> Vec<f32> {
        (0..len).map(|i| ((i as f32 + seed) * 0.7).sin()).collect()
    }

    #[test]
    fn adamw_follows_its_formula() -> Result<()> {
        let len = CHUNK + 37;
        let step = AdamWStep {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.1,
            step: 1,
            gradient_scale: 0.5,
        };
        let start = sequence(len, 1.0);
        let parameter = Var::from_vec(start.clone(), len, &Device::Cpu)?;
        let (mut m, mut v) = (vec![0f32; len], vec![0f32; len]);
        let mut expected: Vec<[f64; 3]> = start.iter().map(|&p| [f64::from(p), 0.0, 0.0]).collect();
        for t in 1..=3u64 {
            let g = sequence(len, t as f32 * 10.0);
            let gradient = Tensor::from_slice(&g, len, &Device::Cpu)?;
            adamw_update(
                parameter.as_tensor(),
                &gradient,
                &mut m,
                &mut v,
                &AdamWStep { step: t, ..step },
            )?;
            for ([p, m, v], g) in expected.iter_mut().zip(&g) {
                let g = f64::from(*g) * 0.5;
                *m = 0.9 * *m + 0.1 * g;
                *v = 0.999 * *v + 0.001 * g * g;
                let (m_hat, v_hat) = (
                    *m / (1.0 - 0.9f64.powi(t as i32)),
                    *v / (1.0 - 0.999f64.powi(t as i32)),
                );
                *p = *p * (1.0 - 1e-4) - 1e-3 * m_hat / (v_hat.sqrt() + 1e-8);
            }
        }
        for (p, expected) in parameter.to_vec1::<f32>()?.iter().zip(&expected) {
            assert!(
                (f64::from(*p) - expected[0]).abs() < 1e-6,
                "{p} against {}",
                expected[0]
            );
        }
        Ok(())
    }

    #[test]
    fn norm_and_average_are_right() -> Result<()> {
        let values = sequence(2 * CHUNK + 5, 3.0);
        let tensor = Tensor::from_slice(&values, values.len(), &Device::Cpu)?;
        let expected: f64 = values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        assert!((squared_norm(&tensor)? / expected - 1.0).abs() < 1e-12);
        let mut shadow = vec![1f32; values.len()];
        ema_update(&mut shadow, &tensor, 0.75)?;
        for (shadow, value) in shadow.iter().zip(&values) {
            assert!((shadow - (0.75 + 0.25 * value)).abs() < 1e-6);
        }
        assert!(ema_update(&mut shadow[1..], &tensor, 0.5).is_err());
        Ok(())
    }
}
