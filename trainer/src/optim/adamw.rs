//! AdamW (Loshchilov and Hutter 2019) as torch computes it, in one pass over each tensor.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var, bail};
use mmface_engine::kernels::{AdamWStep, adamw_update};

use super::adamw8bit::{self, Quantised};
use super::slices::{edit, read};
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
            let step = AdamWStep {
                learning_rate: rate,
                beta1: self.config.beta1,
                beta2: self.config.beta2,
                epsilon: self.config.epsilon,
                weight_decay: self.config.weight_decay,
                step: slot.updates,
                gradient_scale: factor,
            };
            slot.moment.update(parameter, gradient, &step)?;
        }
        Ok(())
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

    fn update(&mut self, parameter: &Var, gradient: &Tensor, step: &AdamWStep) -> Result<()> {
        if gradient.shape() != parameter.shape() {
            bail!(
                "gradient {:?} does not fit parameter {:?}",
                gradient.shape(),
                parameter.shape()
            );
        }
        match self {
            Self::Values { first, second } => {
                adamw_update(parameter.as_tensor(), gradient, first, second, step)
            }
            Self::Quantised(state) => read(gradient, |gradient| {
                edit(parameter, |values| {
                    state.update(values, gradient, step);
                    Ok(())
                })
            })?,
            Self::Tensors { first, second } => {
                let correction = |beta: f64| 1.0 - beta.powf(step.step as f64);
                let gradient = (gradient * step.gradient_scale)?;
                *first = ((&*first * step.beta1)? + (&gradient * (1.0 - step.beta1))?)?;
                *second = ((&*second * step.beta2)? + (gradient.sqr()? * (1.0 - step.beta2))?)?;
                let root = ((second.sqrt()? / correction(step.beta2).sqrt())? + step.epsilon)?;
                let change = ((&*first * (step.learning_rate / correction(step.beta1)))? / root)?;
                let kept =
                    (parameter.as_tensor() * (1.0 - step.learning_rate * step.weight_decay))?;
                parameter.set(&(kept - change)?)
            }
        }
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
