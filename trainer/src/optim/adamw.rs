//! AdamW (Loshchilov and Hutter 2019) as torch computes it, by either route and with f32 or 8-bit
//! moments.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use candle_core::{Result, Tensor, Var, bail};
use mmface_engine::kernels::{AdamWStep, Route, adamw_update};

use super::adamw8bit::{BLOCK, Quantised, SMALLEST};
use super::composed::{Codes, Floats, Maps};
use super::slices::{edit, read};
use super::{Gradients, Parameters};
use crate::config::{Moments, OptimizerConfig};

/// The two running averages of one tensor's gradient, where and how the optimizer's route keeps them.
#[derive(Clone, Debug)]
pub enum Moment {
    /// f32 values in the host's memory, for the fused route.
    Values {
        /// Average of the gradient.
        first: Vec<f32>,
        /// Average of its square.
        second: Vec<f32>,
    },
    /// 8-bit codes in the host's memory, for the fused route.
    Quantised(Quantised),
    /// f32 tensors, for the composed route.
    Tensors(Floats),
    /// 8-bit codes in tensors, for the composed route.
    QuantisedTensors(Codes),
}

/// Moments as a checkpoint holds them, whichever route made them.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredMoment<'a> {
    /// f32 values.
    Values {
        /// Average of the gradient.
        first: Cow<'a, [f32]>,
        /// Average of its square.
        second: Cow<'a, [f32]>,
    },
    /// 8-bit codes with a scale for each block of 256.
    Codes(Cow<'a, Quantised>),
}

/// Whether moments of a tensor with so many values are kept as 8-bit codes.
pub fn is_quantised(moments: Moments, count: usize) -> bool {
    match moments {
        Moments::F32 => false,
        Moments::Bits8 => count >= SMALLEST,
    }
}

/// Bytes of both moments of a tensor with so many values.
pub fn moment_bytes(moments: Moments, count: usize) -> usize {
    if is_quantised(moments, count) {
        2 * count + 8 * count.div_ceil(BLOCK)
    } else {
        8 * count
    }
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
    route: Route,
    /// Made at the first 8-bit update of the composed route.
    maps: Option<Maps>,
    /// State by parameter name.
    pub slots: BTreeMap<String, Slot>,
}

impl AdamW {
    /// An optimizer without state, whose updates run by this route.
    pub fn new(config: OptimizerConfig, route: Route) -> Self {
        Self {
            config,
            route,
            maps: None,
            slots: BTreeMap::new(),
        }
    }

    /// Updates every parameter that has a gradient. Gradients are multiplied by `factor` first.
    ///
    /// # Shapes
    /// - gradients: those of their parameters
    ///
    /// # Errors
    /// When a gradient belongs to no parameter or has another shape.
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
            let slot = match self.slots.entry(name.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Slot {
                    updates: 0,
                    moment: Moment::zeros(parameter, self.config.moments, self.route)?,
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
            slot.moment
                .update(parameter, gradient, &step, &mut self.maps)?;
        }
        Ok(())
    }
}

impl Moment {
    /// Moments before the first update.
    ///
    /// # Shapes
    /// - parameter: any; the moments are of its shape
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn zeros(parameter: &Var, moments: Moments, route: Route) -> Result<Self> {
        let count = parameter.elem_count();
        Ok(match (route, is_quantised(moments, count)) {
            (Route::Fused, true) => Self::Quantised(Quantised::zeros(count)),
            (Route::Fused, false) => Self::Values {
                first: vec![0.0; count],
                second: vec![0.0; count],
            },
            (Route::Composed, true) => Self::QuantisedTensors(Codes::from_host(
                &Quantised::zeros(count),
                parameter.device(),
            )?),
            (Route::Composed, false) => Self::Tensors(Floats::zeros(parameter)?),
        })
    }

    /// The moments as a checkpoint holds them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn stored(&self) -> Result<StoredMoment<'_>> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        Ok(match self {
            Self::Values { first, second } => StoredMoment::Values {
                first: first.into(),
                second: second.into(),
            },
            Self::Quantised(codes) => StoredMoment::Codes(Cow::Borrowed(codes)),
            Self::Tensors(Floats { first, second }) => StoredMoment::Values {
                first: values(first)?.into(),
                second: values(second)?.into(),
            },
            Self::QuantisedTensors(codes) => StoredMoment::Codes(Cow::Owned(codes.to_host()?)),
        })
    }

    /// Moments of a parameter from a checkpoint, for updates by this route.
    ///
    /// # Shapes
    /// - parameter: any; the moments are of its shape
    ///
    /// # Errors
    /// When there are not as many as the parameter has values.
    pub fn restore(stored: StoredMoment, parameter: &Var, route: Route) -> Result<Self> {
        let count = parameter.elem_count();
        let (has, blocks) = match &stored {
            StoredMoment::Values { first, second } => ([first.len(), second.len()], None),
            StoredMoment::Codes(codes) => (
                [codes.first.len(), codes.second.len()],
                Some([codes.first_scale.len(), codes.second_scale.len()]),
            ),
        };
        if has != [count; 2] || blocks.is_some_and(|blocks| blocks != [count.div_ceil(BLOCK); 2]) {
            bail!("moments of {has:?} values for a parameter of {count}");
        }
        let tensor = |values: Cow<[f32]>| {
            Tensor::from_vec(values.into_owned(), parameter.shape(), parameter.device())
        };
        Ok(match (stored, route) {
            (StoredMoment::Values { first, second }, Route::Fused) => Self::Values {
                first: first.into_owned(),
                second: second.into_owned(),
            },
            (StoredMoment::Values { first, second }, Route::Composed) => Self::Tensors(Floats {
                first: tensor(first)?,
                second: tensor(second)?,
            }),
            (StoredMoment::Codes(codes), Route::Fused) => Self::Quantised(codes.into_owned()),
            (StoredMoment::Codes(codes), Route::Composed) => {
                Self::QuantisedTensors(Codes::from_host(&codes, parameter.device())?)
            }
        })
    }

    fn update(
        &mut self,
        parameter: &Var,
        gradient: &Tensor,
        step: &AdamWStep,
        maps: &mut Option<Maps>,
    ) -> Result<()> {
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
            Self::Tensors(moments) => moments.update(parameter, gradient, step),
            Self::QuantisedTensors(codes) => {
                let maps = match maps {
                    Some(maps) => maps,
                    None => maps.insert(Maps::on(parameter.device())?),
                };
                codes.update(parameter, gradient, step, maps)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;

    const ROUTES: [Route; 2] = [Route::Fused, Route::Composed];

    fn one(value: f32) -> Parameters {
        Parameters::from([("p".to_string(), Var::new(&[value], &Device::Cpu).unwrap())])
    }

    #[test]
    fn the_first_step_moves_by_the_rate() {
        for route in ROUTES {
            let parameters = one(1.0);
            let config = OptimizerConfig {
                weight_decay: 0.0,
                ..OptimizerConfig::default()
            };
            let mut optimizer = AdamW::new(config, route);
            let gradients = Gradients::from([(
                "p".to_string(),
                Tensor::new(&[123f32], &Device::Cpu).unwrap(),
            )]);
            optimizer
                .update(&parameters, &gradients, 0.01, 1.0)
                .unwrap();
            let value = parameters["p"].to_vec1::<f32>().unwrap()[0];
            assert!((value - 0.99).abs() < 1e-6, "{route:?}: {value}");
        }
    }

    #[test]
    fn without_a_gradient_nothing_decays() {
        for route in ROUTES {
            let parameters = one(1.0);
            let mut optimizer = AdamW::new(OptimizerConfig::default(), route);
            optimizer
                .update(&parameters, &Gradients::new(), 0.1, 1.0)
                .unwrap();
            assert_eq!(parameters["p"].to_vec1::<f32>().unwrap(), [1.0]);
            assert!(optimizer.slots.is_empty());
        }
    }

    #[test]
    fn an_update_of_a_shared_clone_is_seen() {
        for route in ROUTES {
            let parameters = one(2.0);
            let clone = parameters["p"].as_tensor().clone();
            let gradients =
                Gradients::from([("p".to_string(), Tensor::new(&[1f32], &Device::Cpu).unwrap())]);
            AdamW::new(OptimizerConfig::default(), route)
                .update(&parameters, &gradients, 0.5, 1.0)
                .unwrap();
            assert!(clone.to_vec1::<f32>().unwrap()[0] < 1.6, "{route:?}");
        }
    }

    #[test]
    fn stored_moments_go_on_by_either_route() {
        let shape = (64, SMALLEST / 64);
        let parameter = Var::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
        let gradient = Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
        let step = AdamWStep {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            step: 1,
            gradient_scale: 1.0,
        };
        for moments in [Moments::F32, Moments::Bits8] {
            for from in ROUTES {
                let mut moment = Moment::zeros(&parameter, moments, from).unwrap();
                moment
                    .update(&parameter, &gradient, &step, &mut None)
                    .unwrap();
                let stored = moment.stored().unwrap();
                for to in ROUTES {
                    let restored = Moment::restore(stored.clone(), &parameter, to).unwrap();
                    assert_eq!(
                        restored.stored().unwrap(),
                        stored,
                        "{moments:?} {from:?} {to:?}"
                    );
                }
                let other = Var::new(&[1f32], &Device::Cpu).unwrap();
                assert!(Moment::restore(stored, &other, Route::Fused).is_err());
            }
        }
    }
}
