//! Averaged weights, as diffusers' `EMAModel` computes them (docs/reference.md section 5).

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, Var};
use mmface_engine::kernels::{Route, ema_update};

use super::Parameters;
use super::slices::edit;

/// A moving average of all parameters. The first call copies them.
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    route: Route,
    /// Calls so far.
    pub calls: u64,
    /// The averages under the parameters' names.
    pub shadow: BTreeMap<String, Var>,
}

impl Ema {
    /// An average that starts as a copy of the parameters, and moves by this route.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn new(decay: f64, parameters: &Parameters, route: Route) -> Result<Self> {
        let shadow = parameters
            .iter()
            .map(|(name, parameter)| {
                Ok((
                    name.clone(),
                    Var::from_tensor(&parameter.as_detached_tensor().copy()?)?,
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            decay,
            route,
            calls: 0,
            shadow,
        })
    }

    /// An average that continues after so many calls.
    pub fn restore(decay: f64, calls: u64, shadow: Parameters, route: Route) -> Self {
        Self {
            decay,
            route,
            calls,
            shadow,
        }
    }

    /// Share of the average that call `call`, counted from 1, keeps.
    pub fn decay_of(decay: f64, call: u64) -> f64 {
        if call <= 1 {
            0.0
        } else {
            (call as f64 / (call as f64 + 9.0)).min(decay)
        }
    }

    /// Moves the average towards the parameters: `shadow −= (1 − decay)·(shadow − parameter)`.
    ///
    /// # Shapes
    /// - parameters: those that the average was made of
    ///
    /// # Errors
    /// When a shape differs.
    pub fn update(&mut self, parameters: &Parameters) -> Result<()> {
        self.calls += 1;
        let decay = Self::decay_of(self.decay, self.calls);
        for (name, shadow) in &self.shadow {
            let Some(parameter) = parameters.get(name) else {
                continue;
            };
            match self.route {
                Route::Fused => edit(shadow, |shadow| ema_update(shadow, parameter, decay))?,
                Route::Composed => {
                    let old = shadow.as_tensor();
                    let change = ((old - parameter.as_tensor())? * (1.0 - decay))?;
                    shadow.set(&(old - change)?)?;
                }
            }
        }
        Ok(())
    }

    /// The averages as plain tensors, sharing memory with this object.
    ///
    /// # Shapes
    /// - results: those of the parameters
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.shadow
            .iter()
            .map(|(name, shadow)| (name.clone(), shadow.as_detached_tensor()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_first_call_copies_and_the_decay_grows() {
        for route in [Route::Fused, Route::Composed] {
            let parameters =
                Parameters::from([("p".to_string(), Var::new(&[1f32], &Device::Cpu).unwrap())]);
            let mut ema = Ema::new(0.9999, &parameters, route).unwrap();
            parameters["p"]
                .set(&Tensor::new(&[3f32], &Device::Cpu).unwrap())
                .unwrap();
            assert_eq!(ema.shadow["p"].to_vec1::<f32>().unwrap(), [1.0]);
            ema.update(&parameters).unwrap();
            assert_eq!(ema.shadow["p"].to_vec1::<f32>().unwrap(), [3.0]);
        }
        assert_eq!(Ema::decay_of(0.9999, 1), 0.0);
        assert_eq!(Ema::decay_of(0.9999, 2), 2.0 / 11.0);
        assert_eq!(Ema::decay_of(0.9999, 1_000_000), 0.9999);
    }
}
