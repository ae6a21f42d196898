//! AdamW (Loshchilov and Hutter 2019) as torch computes it, in one pass over each tensor.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var, bail};
use rayon::prelude::*;

use super::adamw8bit::{self, Quantised};
use super::slices::{CHUNK, edit, read};
use super::{Gradients, Parameters};
use crate::config::{Moments, OptimizerConfig};

/// The two running averages of one tensor's gradient.
#[derive(Clone, Debug)]
pub enum Moment {
    /// f32 values in memory, for tensors on the CPU.
    Values {
        /// Average of the gradient.
        first: Vec<f32>,
        /// Average of its square.
        second: Vec<f32>,
    },
    /// 8-bit codes with a scale for each block of 256.
    Quantised(Quantised),
    /// Tensors on another device.
    Tensors {
        /// Average of the gradient.
        first: Tensor,
        /// Average of its square.
        second: Tensor,
    },
}

/// State of one tensor.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Updates that this tensor has had; a tensor without a gradient does not count on.
    pub updates: u64,
    /// Its moments.
    pub moment: Moment,
}

/// The optimizer: state by parameter name. Slots appear at a tensor's first gradient.
#[derive(Debug)]
pub struct AdamW {
    config: OptimizerConfig,
    /// State by parameter name.
    pub slots: BTreeMap<String, Slot>,
}

/// Numbers of one update that are the same for all values of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Learning rate over the first moment's bias correction.
    pub rate: f32,
    /// One over the root of the second moment's bias correction.
    pub root: f32,
    /// Added to the corrected root.
    pub epsilon: f32,
    /// Factor of the decoupled weight decay.
    pub keep: f32,
    /// Factor on the gradient, from clipping.
    pub gradient: f32,
}

impl Factors {
    /// Updates one value: returns the new parameter and both new moments.
    #[inline(always)]
    pub fn apply(&self, parameter: f32, first: f32, second: f32, gradient: f32) -> (f32, f32, f32) {
        let gradient = gradient * self.gradient;
        let first = self.beta1 * first + (1.0 - self.beta1) * gradient;
        let second = self.beta2 * second + (1.0 - self.beta2) * gradient * gradient;
        let step = self.rate * first / (second.sqrt() * self.root + self.epsilon);
        (parameter * self.keep - step, first, second)
    }
}

impl AdamW {
    /// An optimizer without state.
    pub fn new(config: OptimizerConfig) -> Self {
        Self {
            config,
            slots: BTreeMap::new(),
        }
    }

    /// Updates every parameter that has a gradient. Gradients are multiplied by `factor` first.
    pub fn update(
        &mut self,
        parameters: &Parameters,
        gradients: &Gradients,
        rate: f64,
        factor: f64,
    ) -> Result<()> {
        for (name, gradient) in gradients {
            let Some(parameter) = parameters.get(name) else {
                bail!("gradient of unknown parameter {name}")
            };
            let moments = self.config.moments;
            let slot = match self.slots.entry(name.clone()) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => entry.insert(Slot {
                    updates: 0,
                    moment: Moment::zeros(parameter, moments)?,
                }),
            };
            slot.updates += 1;
            let factors = factors(&self.config, slot.updates, rate, factor);
            slot.moment.update(parameter, gradient, &factors)?;
        }
        Ok(())
    }
}

fn factors(config: &OptimizerConfig, updates: u64, rate: f64, factor: f64) -> Factors {
    let updates = updates.min(i32::MAX as u64) as i32;
    Factors {
        beta1: config.beta1 as f32,
        beta2: config.beta2 as f32,
        rate: (rate / (1.0 - config.beta1.powi(updates))) as f32,
        root: (1.0 / (1.0 - config.beta2.powi(updates)).sqrt()) as f32,
        epsilon: config.epsilon as f32,
        keep: (1.0 - rate * config.weight_decay) as f32,
        gradient: factor as f32,
    }
}

impl Moment {
    /// Moments before the first update.
    pub fn zeros(parameter: &Var, moments: Moments) -> Result<Self> {
        let count = parameter.elem_count();
        Ok(match (parameter.device(), moments) {
            (Device::Cpu, Moments::Bits8) if count >= adamw8bit::SMALLEST => {
                Self::Quantised(Quantised::zeros(count))
            }
            (Device::Cpu, _) => Self::Values {
                first: vec![0.0; count],
                second: vec![0.0; count],
            },
            _ => Self::Tensors {
                first: parameter.zeros_like()?,
                second: parameter.zeros_like()?,
            },
        })
    }

    fn update(&mut self, parameter: &Var, gradient: &Tensor, factors: &Factors) -> Result<()> {
        if gradient.shape() != parameter.shape() {
            bail!(
                "gradient {:?} does not fit parameter {:?}",
                gradient.shape(),
                parameter.shape()
            );
        }
        match self {
            Self::Values { first, second } => read(gradient, |gradient| {
                edit(parameter, |values| {
                    values
                        .par_chunks_mut(CHUNK)
                        .zip(first.par_chunks_mut(CHUNK))
                        .zip(second.par_chunks_mut(CHUNK))
                        .zip(gradient.par_chunks(CHUNK))
                        .for_each(|(((values, first), second), gradient)| {
                            update_slice(values, first, second, gradient, factors)
                        });
                })
            })?,
            Self::Quantised(state) => read(gradient, |gradient| {
                edit(parameter, |values| state.update(values, gradient, factors))
            })?,
            Self::Tensors { first, second } => {
                let gradient = (gradient * f64::from(factors.gradient))?;
                *first = ((&*first * f64::from(factors.beta1))?
                    + (&gradient * f64::from(1.0 - factors.beta1))?)?;
                *second = ((&*second * f64::from(factors.beta2))?
                    + (gradient.sqr()? * f64::from(1.0 - factors.beta2))?)?;
                let root =
                    ((second.sqrt()? * f64::from(factors.root))? + f64::from(factors.epsilon))?;
                let step = ((&*first * f64::from(factors.rate))? / root)?;
                parameter.set(&((parameter.as_tensor() * f64::from(factors.keep))? - step)?)
            }
        }
    }
}

fn update_slice(
    values: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    gradient: &[f32],
    factors: &Factors,
) {
    for (((value, first), second), &gradient) in
        values.iter_mut().zip(first).zip(second).zip(gradient)
    {
        (*value, *first, *second) = factors.apply(*value, *first, *second, gradient);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn one(value: f32) -> Parameters {
        Parameters::from([("p".to_string(), Var::new(&[value], &Device::Cpu).unwrap())])
    }

    #[test]
    fn the_first_step_moves_by_the_rate() {
        let parameters = one(1.0);
        let mut optimizer = AdamW::new(OptimizerConfig {
            weight_decay: 0.0,
            ..OptimizerConfig::default()
        });
        let gradients = Gradients::from([(
            "p".to_string(),
            Tensor::new(&[123f32], &Device::Cpu).unwrap(),
        )]);
        optimizer
            .update(&parameters, &gradients, 0.01, 1.0)
            .unwrap();
        let value = parameters["p"].to_vec1::<f32>().unwrap()[0];
        assert!((value - 0.99).abs() < 1e-6, "{value}");
    }

    #[test]
    fn without_a_gradient_nothing_decays() {
        let parameters = one(1.0);
        let mut optimizer = AdamW::new(OptimizerConfig::default());
        optimizer
            .update(&parameters, &Gradients::new(), 0.1, 1.0)
            .unwrap();
        assert_eq!(parameters["p"].to_vec1::<f32>().unwrap(), [1.0]);
        assert!(optimizer.slots.is_empty());
    }

    #[test]
    fn an_update_of_a_shared_clone_is_seen() {
        let parameters = one(2.0);
        let clone = parameters["p"].as_tensor().clone();
        let gradients =
            Gradients::from([("p".to_string(), Tensor::new(&[1f32], &Device::Cpu).unwrap())]);
        AdamW::new(OptimizerConfig::default())
            .update(&parameters, &gradients, 0.5, 1.0)
            .unwrap();
        assert!(clone.to_vec1::<f32>().unwrap()[0] < 1.6);
    }
}
