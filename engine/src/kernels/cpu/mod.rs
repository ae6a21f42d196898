//! Our kernels for the CPU, each with a portable twin for processors without AVX-512.
//!
//! [`features`] asks the processor once. [`pack`], [`tile`], [`finish`] and [`gemm`] multiply
//! matrices; [`weight`] keeps them packed. [`inference`] runs the fused operations without
//! gradients, [`train`] with them; [`optim`] holds the optimizer's passes over the parameters.

#[cfg(target_arch = "x86_64")]
pub mod amx;
pub mod attention;
pub mod buffer;
pub mod conv;
pub mod features;
pub mod finish;
pub mod gemm;
pub mod inference;
pub mod layer_norm;
pub mod norm;
pub mod operands;
pub mod optim;
pub mod output;
pub mod pack;
pub mod picture;
pub mod pixel_attention;
pub mod simd;
pub mod tile;
pub mod tokens;
pub mod train;
pub mod weight;
