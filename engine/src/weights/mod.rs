//! Tensors by name: safetensors, GGUF, the authors' layout, model packages, load reports.

pub mod atomic;
pub mod convert;
pub mod file;
pub mod finite;
pub mod gguf;
pub mod layout;
pub mod pickle;
pub mod pt;
pub mod report;
pub mod safetensors;

pub use file::TensorFile;
pub use pt::read_latent;
pub use report::LoadReport;
pub use safetensors::write_safetensors;
