//! Weight matrices in the form that their route multiplies.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use super::cpu::inference;
use super::cpu::operands::with_floats;
use super::cpu::weight::PackedWeight;
use crate::precision::{Precision, Storage};
use crate::route::Route;

/// A weight matrix of a linear layer, `[out, in]`. It says by which route it is multiplied. Clones
/// share it.
#[derive(Clone, Debug)]
pub struct Weight {
    form: Form,
    precision: Precision,
    route: Route,
}

#[derive(Clone, Debug)]
enum Form {
    /// A plain tensor.
    Dense(Tensor),
    /// Three variables that lie one below the other; they are joined anew in each use, so that each
    /// gets its gradient.
    Stacked([Tensor; 3]),
    /// Packed once for the fused kernels.
    Packed(Arc<PackedWeight>),
}

impl Weight {
    /// Keeps the tensor as it is: gradients flow to it when it is a variable.
    ///
    /// # Shapes
    /// - weight: `[out, in]`
    ///
    /// # Errors
    /// When the weight is not a matrix, or the route has no kernels for its device.
    pub fn trainable(weight: Tensor, precision: Precision, route: Route) -> Result<Self> {
        weight.dims2()?;
        route.check(weight.device())?;
        Ok(Self {
            form: Form::Dense(weight),
            precision,
            route,
        })
    }

    /// Three matrices that multiply one input, one below the other, through which gradients flow as
    /// in [`Weight::trainable`].
    ///
    /// # Shapes
    /// - parts: three of `[width, in]`, which together are `[3 · width, in]`
    ///
    /// # Errors
    /// When the shapes differ or are not those of matrices, or the route has no kernels for their
    /// device.
    pub fn trainable_stack(parts: [Tensor; 3], precision: Precision, route: Route) -> Result<Self> {
        let shape = parts[0].dims2()?;
        if parts.iter().any(|part| part.dims() != [shape.0, shape.1]) {
            candle_core::bail!(
                "matrices of different shapes {:?} cannot be stacked",
                parts.each_ref().map(Tensor::dims)
            );
        }
        route.check(parts[0].device())?;
        Ok(Self {
            form: Form::Stacked(parts),
            precision,
            route,
        })
    }

    /// A weight that is never trained: packed on the fused route, where storage and arithmetic are
    /// independent (weights kept in fewer bytes are expanded piece by piece while they are
    /// multiplied); the plain tensor on the composed one.
    ///
    /// # Shapes
    /// - weight: `[out, in]`
    ///
    /// # Errors
    /// As [`Weight::trainable`].
    pub fn frozen(
        weight: Tensor,
        storage: Storage,
        precision: Precision,
        route: Route,
    ) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        if route == Route::Composed {
            return Self::trainable(weight, precision, route);
        }
        route.check(weight.device())?;
        let weight = weight.detach().to_dtype(DType::F32)?;
        let packed = with_floats(&weight, |values| {
            Ok(PackedWeight::new(
                values, outputs, inputs, storage, precision,
            ))
        })?;
        Ok(Self {
            form: Form::Packed(Arc::new(packed)),
            precision,
            route,
        })
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        match &self.form {
            Form::Dense(weight) => weight.dims()[0],
            Form::Stacked(parts) => parts.iter().map(|part| part.dims()[0]).sum(),
            Form::Packed(weight) => weight.outputs(),
        }
    }

    /// Bytes that the weight takes.
    pub fn bytes(&self) -> usize {
        let dense = |weight: &Tensor| weight.elem_count() * weight.dtype().size_in_bytes();
        match &self.form {
            Form::Dense(weight) => dense(weight),
            Form::Stacked(parts) => parts.iter().map(dense).sum(),
            Form::Packed(weight) => weight.bytes(),
        }
    }

    /// Arithmetic of the products.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Which implementation multiplies.
    pub fn route(&self) -> Route {
        self.route
    }

    /// The matrix that was kept as it is.
    ///
    /// # Shapes
    /// - result: `[out, in]`
    pub(super) fn dense(&self) -> Option<&Tensor> {
        match &self.form {
            Form::Dense(weight) => Some(weight),
            Form::Stacked(_) | Form::Packed(_) => None,
        }
    }

    /// The matrices that lie one below the other.
    ///
    /// # Shapes
    /// - results: `[out / 3, in]` each
    pub(super) fn stacked(&self) -> Option<&[Tensor; 3]> {
        match &self.form {
            Form::Stacked(parts) => Some(parts),
            Form::Dense(_) | Form::Packed(_) => None,
        }
    }

    /// The packed matrix, when it can multiply this input without a gradient.
    ///
    /// # Shapes
    /// - x: `[.., in]`
    pub(super) fn packed_for(&self, x: &Tensor) -> Option<&PackedWeight> {
        match &self.form {
            Form::Packed(weight) if inference::readable(x) => Some(weight),
            _ => None,
        }
    }

    /// The matrix as one tensor. A packed one is unpacked for the rare input with a gradient.
    ///
    /// # Shapes
    /// - result: `[out, in]`
    pub(super) fn to_dense(&self) -> Result<Tensor> {
        match &self.form {
            Form::Dense(weight) => Ok(weight.clone()),
            Form::Stacked(parts) => Tensor::cat(parts, 0),
            Form::Packed(weight) => Tensor::from_vec(
                weight.unpack(),
                (weight.outputs(), weight.inputs()),
                // Packed weights lie in the host's memory.
                &Device::Cpu,
            ),
        }
    }
}
