//! Tensors by name: safetensors, GGUF, the authors' layout, model packages, load reports.

mod cache;
pub mod convert;
pub mod file;
pub mod finite;
pub mod gguf;
pub mod hash;
pub mod import;
pub mod layout;
pub mod manifest;
pub mod package;
pub mod pickle;
pub mod pt;
pub mod registry;
pub mod report;
pub mod safetensors;
pub mod upstream;
pub mod verify;

pub use file::TensorFile;
pub use import::{ImportOptions, Imported, import};
pub use layout::ElementType;
pub use manifest::{LatentConfig, LatentPreview, PackageFile, PackageManifest, Part, TextConfig};
pub use package::Package;
pub use pt::read_latent;
pub use registry::{ListedModel, Registry};
pub use report::LoadReport;
pub use safetensors::write_safetensors;
pub use verify::{PartState, verify};

#[cfg(test)]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
