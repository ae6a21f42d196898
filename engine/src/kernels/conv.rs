//! Convolutions of the frozen networks (autoencoders, face parser), with what stands around them
//! fused in: normalisation before, residual and activation after, nearest upsampling on the way in.
//!
//! These networks are never trained here, so the fused route keeps only packed weights and tracks no
//! gradient.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

use super::cpu::conv::PackedConv;
use super::group_norm::plain_group_norm;
pub use super::types::{ConvShape, Fused, Padding};
use crate::route::Route;

/// A frozen convolution.
#[derive(Clone, Debug)]
pub struct Conv {
    shape: ConvShape,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// For the composed route: weight `[outputs, inputs, kernel, kernel]`, bias `[outputs]`.
    Dense(Tensor, Option<Tensor>),
    /// For the fused route.
    Packed(Arc<PackedConv>),
}

impl Conv {
    /// Reads `weight` and, when asked, `bias`.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the route has no kernels for its device.
    pub fn load(vb: VarBuilder, shape: ConvShape, bias: bool, route: Route) -> Result<Self> {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            ..
        } = shape;
        let weight = vb.get((outputs, inputs, kernel, kernel), "weight")?;
        let bias = if bias {
            Some(vb.get(outputs, "bias")?)
        } else {
            None
        };
        Self::new(weight, bias, shape, route)
    }

    /// Reads a linear layer `[outputs, inputs]` with bias as a 1×1 convolution.
    ///
    /// # Errors
    /// As [`Conv::load`].
    pub fn load_linear(
        vb: VarBuilder,
        inputs: usize,
        outputs: usize,
        route: Route,
    ) -> Result<Self> {
        let weight = vb
            .get((outputs, inputs), "weight")?
            .reshape((outputs, inputs, 1, 1))?;
        Self::new(
            weight,
            Some(vb.get(outputs, "bias")?),
            ConvShape::pointwise(inputs, outputs),
            route,
        )
    }

    /// A convolution from its tensors; on the fused route they are packed.
    ///
    /// # Shapes
    /// - weight: `[outputs, inputs, kernel, kernel]`, bias: `[outputs]`
    ///
    /// # Errors
    /// When a tensor has another shape, or the route has no kernels for its device.
    pub fn new(
        weight: Tensor,
        bias: Option<Tensor>,
        shape: ConvShape,
        route: Route,
    ) -> Result<Self> {
        let expected = [shape.outputs, shape.inputs, shape.kernel, shape.kernel];
        if weight.dims() != expected {
            candle_core::bail!(
                "convolution weight is {:?}, expected {expected:?}",
                weight.dims()
            );
        }
        if let Some(bias) = &bias
            && bias.dims() != [shape.outputs]
        {
            candle_core::bail!(
                "convolution bias is {:?}, expected [{}]",
                bias.dims(),
                shape.outputs
            );
        }
        route.check(weight.device())?;
        let form = match route {
            Route::Composed => Form::Dense(weight, bias),
            Route::Fused => {
                let values = |t: &Tensor| t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
                let bias = bias.as_ref().map(values).transpose()?;
                let packed = PackedConv::new(&values(&weight)?, bias.as_deref(), shape)?;
                Form::Packed(Arc::new(packed))
            }
        };
        Ok(Self { shape, form })
    }

    /// Channels, window, stride and padding.
    pub fn shape(&self) -> ConvShape {
        self.shape
    }
}

/// Convolution with what [`Fused`] puts around it.
///
/// # Shapes
/// - x: `[batch, inputs, height, width]`
/// - result and residual: `[batch, outputs, height', width']` by [`ConvShape::output_side`]
///
/// # Errors
/// When shapes do not fit.
pub fn conv2d(x: &Tensor, conv: &Conv, fused: Fused) -> Result<Tensor> {
    match &conv.form {
        Form::Dense(weight, bias) => plain_conv2d(x, (weight, bias.as_ref()), conv.shape, fused),
        Form::Packed(packed) => packed.run(x, fused),
    }
}

/// The same as a composition of candle operations; see [`conv2d`].
fn plain_conv2d(
    x: &Tensor,
    (weight, bias): (&Tensor, Option<&Tensor>),
    shape: ConvShape,
    fused: Fused,
) -> Result<Tensor> {
    let mut h = match fused.norm_silu {
        Some(norm) => plain_group_norm(x, norm, true)?,
        None => x.clone(),
    };
    if fused.upsample {
        let (_, _, height, width) = h.dims4()?;
        h = h.upsample_nearest2d(2 * height, 2 * width)?;
    }
    let Padding { before, after } = shape.padding;
    let symmetric = before.min(after);
    if before != after {
        h = h
            .pad_with_zeros(2, before - symmetric, after - symmetric)?
            .pad_with_zeros(3, before - symmetric, after - symmetric)?;
    }
    let mut y = h
        .contiguous()?
        .conv2d(weight, symmetric, shape.stride, 1, 1)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(&bias.reshape((1, shape.outputs, 1, 1))?)?;
    }
    if let Some(residual) = fused.residual {
        y = (y + residual)?;
    }
    if fused.relu { y.relu() } else { Ok(y) }
}

/// Nearest upsampling of `x` by two, with the channels of `skip` behind its own.
///
/// # Shapes
/// - x: `[batch, a, height, width]`, skip: `[batch, b, 2·height, 2·width]`
/// - result: `[batch, a + b, 2·height, 2·width]`
///
/// # Errors
/// When shapes do not fit.
pub fn upsample_concat(x: &Tensor, skip: &Tensor, route: Route) -> Result<Tensor> {
    if route == Route::Fused {
        return super::cpu::conv::upsample_concat(x, skip);
    }
    let (_, _, height, width) = x.dims4()?;
    Tensor::cat(&[&x.upsample_nearest2d(2 * height, 2 * width)?, skip], 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn padding_after_looks_right_and_down() {
        // One picture whose value is its column: with zeros after, the first window starts at column 0.
        let x = Tensor::arange(0f32, 4., &Device::Cpu)
            .unwrap()
            .broadcast_as((1, 1, 4, 4))
            .unwrap();
        let mut window = vec![0f32; 9];
        window[0] = 1.; // the window's top left corner
        let weight = Tensor::from_vec(window, (1, 1, 3, 3), &Device::Cpu).unwrap();
        let shape = ConvShape::halving(1, 1, Padding::after(1));
        for route in [Route::Fused, Route::Composed] {
            let conv = Conv::new(weight.clone(), None, shape, route).unwrap();
            let y = conv2d(&x.contiguous().unwrap(), &conv, Fused::default()).unwrap();
            assert_eq!(y.dims(), [1, 1, 2, 2]);
            assert_eq!(
                y.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
                [0., 2., 0., 2.]
            );
        }
    }

    #[test]
    fn the_wrong_shape_is_named() {
        let weight = Tensor::zeros((2, 3, 3, 3), DType::F32, &Device::Cpu).unwrap();
        let error = Conv::new(weight, None, ConvShape::same3(4, 2), Route::Fused)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("[2, 3, 3, 3]") && error.contains("[2, 4, 3, 3]"),
            "{error}"
        );
    }
}
