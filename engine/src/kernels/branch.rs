//! The branches of a transformer block, whole: where a backward pass will come by, the fused route
//! runs each as one operation, which leaves the gradients of its weights in [`LeafGradients`]; the
//! composed route, and whoever only infers, runs one operation after the other.

use candle_core::{Result, Tensor};

pub use super::cpu::train::fused::LeafGradients;
use super::cpu::train::fused::{self, Layers};
use super::layer_norm::layer_norm_modulate;
use super::linear::{linear, linear_gated, linear_gelu};
use super::weight::Weight;
use crate::route::Route;

/// The chunks of a modulation vector that steer LayerNorm, counted in widths of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormChunks {
    /// Chunk with the shift.
    pub shift: usize,
    /// Chunk with the scale.
    pub scale: usize,
}

/// The two layers of an MLP.
///
/// # Shapes
/// - up: `[inner, width]` and `[inner]`, down: `[width, inner]` and `[width]`
#[derive(Clone, Copy, Debug)]
pub struct MlpLayers<'a> {
    /// Weight and bias of the first layer.
    pub up: (&'a Weight, &'a Tensor),
    /// Weight and bias of the second one.
    pub down: (&'a Weight, &'a Tensor),
}

/// `(LN(x) · (1 + scale) + shift) · weightᵀ`: from the tokens of a stream to its q, k and v, whose
/// matrices lie one below the other.
///
/// # Shapes
/// - x: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
/// - weight: `[3 · width, width]`, result: `[batch, tokens, 3 · width]`
///
/// # Errors
/// When shapes do not fit.
pub fn qkv(
    x: &Tensor,
    modulation: &Tensor,
    norm: NormChunks,
    weight: &Weight,
    leaves: &LeafGradients,
) -> Result<Tensor> {
    let (precision, route) = (weight.precision(), weight.route());
    if let Some(parts) = weight.stacked()
        && is_one_operation(route, &[x, modulation])
    {
        let chunks = [norm.shift, norm.scale];
        return fused::project(x, modulation, chunks, parts, precision, leaves);
    }
    let normalised = layer_norm_modulate(x, modulation, norm.shift, norm.scale, precision, route)?;
    linear(&normalised, weight, None)
}

/// `residual + gate · (own · weightᵀ)`, the end of a stream's attention branch: of what both streams
/// attended to, the tokens from `first` on are its own, as many as `residual` has.
///
/// # Shapes
/// - attended: `[batch, all tokens, width]`, modulation: `[batch, chunks · width]`
/// - residual and result: `[batch, tokens, width]`, weight: `[width, width]`
///
/// # Errors
/// When shapes do not fit.
pub fn attention_output(
    attended: &Tensor,
    first: usize,
    residual: &Tensor,
    modulation: &Tensor,
    gate: usize,
    weight: &Weight,
    leaves: &LeafGradients,
) -> Result<Tensor> {
    if let Some(dense) = weight.dense()
        && is_one_operation(weight.route(), &[attended, residual, modulation])
    {
        let precision = weight.precision();
        return fused::attended(
            attended, first, residual, modulation, gate, dense, precision, leaves,
        );
    }
    let own = attended.narrow(1, first, residual.dim(1)?)?;
    linear_gated(&own, weight, None, residual, modulation, gate)
}

/// `x + gate · (gelu((LN(x) · (1 + scale) + shift) · upᵀ + b) · downᵀ + c)`, a stream's MLP branch.
///
/// # Shapes
/// - x and result: `[batch, tokens, width]`, modulation: `[batch, chunks · width]`
///
/// # Errors
/// When shapes do not fit.
pub fn mlp(
    x: &Tensor,
    modulation: &Tensor,
    norm: NormChunks,
    gate: usize,
    layers: MlpLayers,
    leaves: &LeafGradients,
) -> Result<Tensor> {
    let ((up, up_bias), (down, down_bias)) = (layers.up, layers.down);
    let (precision, route) = (up.precision(), up.route());
    if let (Some(dense_up), Some(dense_down)) = (up.dense(), down.dense())
        && is_one_operation(route, &[x, modulation])
    {
        let layers = Layers {
            rise: (dense_up.clone(), up_bias.clone()),
            fall: (dense_down.clone(), down_bias.clone()),
        };
        let chunks = [norm.shift, norm.scale, gate];
        return fused::mlp(x, modulation, chunks, layers, precision, leaves);
    }
    let normalised = layer_norm_modulate(x, modulation, norm.shift, norm.scale, precision, route)?;
    let hidden = linear_gelu(&normalised, up, up_bias)?;
    linear_gated(&hidden, down, Some(down_bias), x, modulation, gate)
}

/// Whether a branch runs as one operation. One of its operands must lead to a variable: the weights
/// are no operands of it, so without that the backward pass would not come by and their gradients
/// would be lost.
fn is_one_operation(route: Route, operands: &[&Tensor]) -> bool {
    route == Route::Fused && operands.iter().any(|operand| operand.track_op())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use candle_core::{Device, Var};

    use super::*;
    use crate::kernels::Precision;

    const NORM: NormChunks = NormChunks { shift: 0, scale: 1 };

    fn variable(shape: &[usize]) -> Var {
        Var::from_tensor(&Tensor::randn(0f32, 0.5, shape, &Device::Cpu).unwrap()).unwrap()
    }

    fn weight(variable: &Var, route: Route) -> Weight {
        Weight::trainable(variable.as_tensor().clone(), Precision::Exact, route).unwrap()
    }

    fn difference(a: &Tensor, b: &Tensor) -> f32 {
        let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap();
        let error = largest(&(a - b).unwrap()).to_scalar::<f32>().unwrap();
        error / largest(b).to_scalar::<f32>().unwrap()
    }

    /// Result, gradients of the operands, and those of the weights, which the fused route leaves and
    /// the composed one gives to the backward pass.
    fn run(
        route: Route,
        operands: &[&Var],
        weights: &[&Var],
        branch: impl Fn(&LeafGradients) -> Result<Tensor>,
    ) -> Vec<Tensor> {
        let leaves = LeafGradients::default();
        let y = branch(&leaves).unwrap();
        let store = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        let mut all = vec![y.detach()];
        all.extend(
            operands
                .iter()
                .map(|operand| store.get(operand).unwrap().clone()),
        );
        for weight in weights {
            let (left, stored) = (leaves.take(weight), store.get(weight).cloned());
            assert_eq!(left.is_some(), route == Route::Fused);
            assert_eq!(stored.is_some(), route == Route::Composed);
            all.extend(left.or(stored));
        }
        all
    }

    fn agree(
        name: &str,
        operands: &[&Var],
        weights: &[&Var],
        branch: impl Fn(Route, &LeafGradients) -> Result<Tensor>,
    ) {
        let by = |route| run(route, operands, weights, |leaves| branch(route, leaves));
        for (index, (a, b)) in by(Route::Fused).iter().zip(by(Route::Composed)).enumerate() {
            let error = difference(a, &b);
            assert!(error < 1e-5, "{name}: tensor {index} is off by {error}");
        }
    }

    #[test]
    fn both_routes_give_the_same_values_and_gradients() {
        let (batch, tokens, width) = (2, 5, 24);
        let (x, m) = (
            variable(&[batch, tokens, width]),
            variable(&[batch, 3 * width]),
        );
        let square = || variable(&[width, width]);
        let parts = [square(), square(), square()];
        agree("qkv", &[&x, &m], &parts.each_ref(), |route, leaves| {
            let parts = parts.each_ref().map(|part| part.as_tensor().clone());
            let stack = Weight::trainable_stack(parts, Precision::Exact, route)?;
            qkv(&x, &m, NORM, &stack, leaves)
        });
        let (all, out) = (variable(&[batch, tokens + 3, width]), square());
        agree("output", &[&all, &x, &m], &[&out], |route, leaves| {
            attention_output(&all, 2, &x, &m, 2, &weight(&out, route), leaves)
        });
        let (up, down) = (variable(&[3 * width, width]), variable(&[width, 3 * width]));
        let (up_bias, down_bias) = (variable(&[3 * width]), variable(&[width]));
        let weights = [&up, &up_bias, &down, &down_bias];
        agree("mlp", &[&x, &m], &weights, |route, leaves| {
            let layers = MlpLayers {
                up: (&weight(&up, route), &up_bias),
                down: (&weight(&down, route), &down_bias),
            };
            mlp(&x, &m, NORM, 2, layers, leaves)
        });
    }

    #[test]
    fn weights_keep_their_gradient_where_no_operand_has_one() {
        let (x, m) = (variable(&[1, 3, 8]).detach(), variable(&[1, 24]).detach());
        let parts = [variable(&[8, 8]), variable(&[8, 8]), variable(&[8, 8])];
        let tensors = parts.each_ref().map(|part| part.as_tensor().clone());
        let stack = Weight::trainable_stack(tensors, Precision::Exact, Route::Fused).unwrap();
        let leaves = LeafGradients::default();
        let y = qkv(&x, &m, NORM, &stack, &leaves).unwrap();
        let store = y.sum_all().unwrap().backward().unwrap();
        assert!(parts.iter().all(|part| store.get(part).is_some()));
    }
}
