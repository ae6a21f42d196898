//! Our kernels for the CPU, each with a portable twin for processors without AVX-512.
