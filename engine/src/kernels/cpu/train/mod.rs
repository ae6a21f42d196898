//! Fused operations with their own gradients, as candle custom operations on f32.
//!
//! A backward pass returns a gradient for every tracked argument (candle panics on a missing one)
//! and none for the others.

mod attention;
pub(crate) mod fused;
mod gate;
mod gelu;
mod layer_norm;
mod linear;

pub(crate) use attention::joint_attention;
pub(crate) use gate::gate_residual;
pub(crate) use gelu::gelu;
pub(crate) use layer_norm::layer_norm_modulate;
pub(crate) use linear::linear;

use candle_core::{CpuStorage, Result, Shape, Tensor};

/// Elements that one job of an elementwise loop handles.
const CHUNK: usize = 16 * 1024;

/// A gradient shaped like its argument; none for one that leads to no variable.
fn gradient(values: Vec<f32>, argument: &Tensor) -> Result<Option<Tensor>> {
    if !argument.track_op() {
        return Ok(None);
    }
    Ok(Some(Tensor::from_vec(
        values,
        argument.shape(),
        argument.device(),
    )?))
}

/// The result of a forward pass.
fn output(values: Vec<f32>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(values), shape.into()))
}

#[cfg(test)]
mod tests;
