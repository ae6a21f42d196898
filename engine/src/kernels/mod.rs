//! The operations that the networks and the optimizer are made of, and the one value that says how
//! each of them runs.
//!
//! Every operation has a plain twin, composed of the tensor library's operations with gradients
//! ([`plain`] holds those of the transformer); our own kernels for the CPU lie in `cpu`, which nobody
//! outside this folder sees, and are picked there by the processor's features. A [`Route`], carried
//! by the weights or given to the operation, says which of the two runs: the twin is what a card
//! runs, what the CPU can run as well, and the oracle of the tests. Results do not depend on the
//! number of threads or on the batch.

pub mod attention;
pub mod branch;
pub mod conv;
mod cpu;
pub mod group_norm;
pub mod layer_norm;
pub mod linear;
pub mod pixel_attention;
pub mod plain;
mod types;
mod weight;

pub use attention::joint_attention;
pub use cpu::optim::{AdamWStep, adamw_update, ema_update, squared_norm};
pub use layer_norm::{layer_norm, layer_norm_modulate};
pub use linear::{linear, linear_activation, linear_gated, linear_gelu};
pub use types::{Activation, LAYER_NORM_EPS, RopeTable};
pub use weight::Weight;

pub use crate::precision::{Precision, Storage};
pub use crate::route::Route;

/// Prepares the process for fast tensor work; the first line of every `main`.
///
/// The tensor library allocates every result anew: without this, returning memory to the system
/// and faulting it in again takes a quarter of the time.
///
/// # Safety
/// No other thread runs: the allocator may not be told while another thread allocates.
pub unsafe fn setup() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both parameters exist in every glibc and take these values; the caller promises that
    // no other thread allocates.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

#[cfg(test)]
mod tests;
