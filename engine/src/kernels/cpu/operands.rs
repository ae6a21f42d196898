//! Reading what the tensor library hands to an operation.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The elements of a contiguous operand.
///
/// # Errors
/// When it is strided or not f32.
pub(crate) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => bail!("a fused operation got a strided operand"),
    }
}

/// Calls `read` with the elements of a tensor on the CPU.
///
/// # Shapes
/// - tensor: any; `read` gets its elements in row-major order
///
/// # Errors
/// When it is on another device or not f32, and what `read` returns.
pub(crate) fn with_floats<R>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => read(floats(storage, layout)?),
        _ => bail!("a CPU operation got a tensor of another device"),
    }
}

/// Where chunk `index` of width `width` lies in each modulation vector.
///
/// # Errors
/// When the vector has no such chunk.
pub(crate) fn chunk_range(
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
