//! Our kernels for the CPU, each with a portable form for processors without AVX-512.
//!
//! From the ground up: [`features`] asks the processor once, [`operands`] reads tensors and
//! [`output`] hands out the parts of a result; [`pack`], [`tile`] (on [`simd`] or [`amx`]), [`finish`]
//! and [`gemm`] multiply matrices, [`weight`] keeps them packed. [`inference`] runs the fused
//! operations without gradients, [`train`] with them, [`conv`], [`norm`] and [`pixel_attention`] those
//! of the convolutional networks; [`optim`] holds the optimizer's passes over the parameters.
//!
//! Raw pointers stay inside of the innermost loops, behind functions that check the extent of their
//! operands: a safe function here is sound for every argument.

#[cfg(target_arch = "x86_64")]
pub(super) mod amx;
mod amx_permission;
pub(super) mod attention;
pub(super) mod buffer;
pub(super) mod conv;
pub(super) mod features;
pub(super) mod finish;
pub(super) mod gemm;
pub(super) mod inference;
pub(super) mod layer_norm;
pub(super) mod norm;
pub(super) mod operands;
pub(super) mod optim;
pub(super) mod output;
pub(super) mod pack;
pub(super) mod picture;
pub(super) mod pixel_attention;
pub(super) mod simd;
pub(super) mod tile;
pub(super) mod tokens;
pub(super) mod train;
pub(super) mod weight;
