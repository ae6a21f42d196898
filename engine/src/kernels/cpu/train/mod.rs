//! Fused operations with their own gradients, as candle custom operations on f32.
//!
//! A backward pass returns a gradient for every tracked argument (candle panics on a missing one)
//! and none for the others.

mod attention;
pub mod fused;
mod gate;
mod gelu;
pub(super) mod layer_norm;
mod linear;

pub use attention::joint_attention;
pub use gate::gate_residual;
pub use gelu::gelu;
pub use layer_norm::layer_norm_modulate;
pub use linear::linear;

use candle_core::{CpuStorage, Layout, Result, Shape, Storage, Tensor, bail};

/// Elements that one job of an elementwise loop handles.
const CHUNK: usize = 16 * 1024;

/// The elements of a contiguous operand.
pub(super) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => bail!("a fused operation got a strided operand"),
    }
}

/// Calls `read` with the elements of a tensor on the CPU.
pub(in crate::kernels) fn with_floats<R>(
    tensor: &Tensor,
    read: impl FnOnce(&[f32]) -> Result<R>,
) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(floats(storage, layout)?),
        _ => bail!("a CPU operation got a tensor of another device"),
    }
}

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

/// Sum over `0..len` of `value(i)` in sixteen lanes, which is one vector register.
#[inline(always)]
pub(super) fn lane_sum(len: usize, value: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; 16];
    let whole = len / 16 * 16;
    for i in (0..whole).step_by(16) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += value(i + lane);
        }
    }
    for i in whole..len {
        lanes[i - whole] += value(i);
    }
    lanes.iter().sum()
}

/// Where chunk `index` of width `width` lies in each modulation vector; errors when it does not.
pub(super) fn chunk_range(
    modulation: usize,
    index: usize,
    width: usize,
) -> Result<std::ops::Range<usize>> {
    let range = index * width..(index + 1) * width;
    if range.end > modulation {
        bail!("modulation vector of {modulation} values has no chunk {index} of {width}");
    }
    Ok(range)
}

#[cfg(test)]
mod tests;
