//! Access in place to the numbers of a tensor in the host's memory, for the fused route's updates.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, Var, bail};

/// Runs the function on the values of a tensor on the CPU.
///
/// # Shapes
/// - tensor: any; `work` gets its elements in row-major order
///
/// # Errors
/// When the tensor is on another device, or not f32.
pub(super) fn read<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        bail!("expected a tensor on the CPU")
    };
    let (start, end) = offsets(layout)?;
    Ok(work(&storage.as_slice::<f32>()?[start..end]))
}

fn offsets(layout: &Layout) -> Result<(usize, usize)> {
    match layout.contiguous_offsets() {
        Some(offsets) => Ok(offsets),
        None => bail!("expected a contiguous tensor"),
    }
}

struct Edit<F>(RefCell<F>);

impl<F: FnMut(&mut [f32]) -> Result<()>> InplaceOp1 for Edit<F> {
    fn name(&self) -> &'static str {
        "edit in place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (start, end) = offsets(layout)?;
        let CpuStorage::F32(values) = storage else {
            bail!("expected f32 parameters")
        };
        (self.0.borrow_mut())(&mut values[start..end])
    }
}

/// Runs the function on the values of a variable on the CPU, in place.
///
/// # Shapes
/// - variable: any; `work` gets its elements in row-major order
///
/// # Errors
/// When the variable is on another device, not f32, or not contiguous, and what `work` returns.
pub(super) fn edit(variable: &Var, work: impl FnMut(&mut [f32]) -> Result<()>) -> Result<()> {
    variable.inplace_op1(&Edit(RefCell::new(work)))
}
