//! Our kernels for the CPU, each with a portable twin for processors without AVX-512.
//!
//! [`features`] asks the processor once; [`pack`] and [`gemm`] multiply matrices; [`train`] holds
//! the operations with gradients, [`optim`] the optimizer's passes over the parameters.

pub mod buffer;
pub mod conv;
pub mod features;
pub mod gemm;
pub mod norm;
pub mod optim;
pub mod pack;
pub mod pixel_attention;
pub mod simd;
pub mod train;
