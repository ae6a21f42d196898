//! A linear layer over the kernels, loaded by its checkpoint name.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::load_options::LoadOptions;
use crate::kernels::{self, Weight};

/// `x · weightᵀ + bias`.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

impl Linear {
    /// Loads `weight` `[outputs, inputs]` and, when asked for, `bias` `[outputs]`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(
        vb: &VarBuilder,
        inputs: usize,
        outputs: usize,
        bias: bool,
        options: LoadOptions,
    ) -> Result<Self> {
        let weight = vb.get((outputs, inputs), "weight")?;
        let bias = if bias {
            Some(vb.get(outputs, "bias")?)
        } else {
            None
        };
        Self::new(weight, bias, options)
    }

    /// Makes the layer from tensors.
    ///
    /// # Shapes
    /// - weight: `[outputs, inputs]`, bias: `[outputs]`
    ///
    /// # Errors
    /// When the weight is not a matrix, or the route has no kernels for its device.
    pub fn new(weight: Tensor, bias: Option<Tensor>, options: LoadOptions) -> Result<Self> {
        let LoadOptions {
            route,
            storage,
            precision,
            trainable,
        } = options;
        let weight = if trainable {
            Weight::trainable(weight, precision, route)?
        } else {
            Weight::frozen(weight, storage, precision, route)?
        };
        Ok(Self { weight, bias })
    }

    /// Applies the layer.
    ///
    /// # Shapes
    /// - x: `[.., inputs]`, result: `[.., outputs]`
    ///
    /// # Errors
    /// When the width does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernels::linear(x, &self.weight, self.bias.as_ref())
    }

    /// The weight matrix, for fused kernels.
    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    /// The bias, for fused kernels.
    ///
    /// # Shapes
    /// - result: `[out]`
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}
