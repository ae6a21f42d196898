//! Weights by themselves: compared with the transformer by name and shape, and read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Var};
use mmface_engine::model::dit::DitConfig;
use mmface_engine::weights::TensorFile;
use mmface_engine::{Error, Result};
use mmface_run_protocol::checkpoint_layout::{EMA_FILE, RAW_FILE};

use crate::config::Config;
use crate::optim::Parameters;

/// Weights for a new run: the average of a checkpoint folder, else its raw weights, or a file.
///
/// # Errors
/// When the folder holds no weights, and as [`read_weights`].
pub fn read_initial(from: &Path, config: &Config, device: &Device) -> Result<Parameters> {
    read_weights(&initial_file(from)?, &config.model.dit(), device)
}

/// Compares names and shapes of the weights that [`read_initial`] would read, by their header alone.
///
/// # Errors
/// When there are none, or they do not fit.
pub fn check_initial(from: &Path, dit: &DitConfig) -> Result<()> {
    let path = initial_file(from)?;
    let file = TensorFile::open(&path)?;
    let shapes = file.tensors().iter();
    let shapes = shapes.map(|(name, entry)| (name.as_str(), entry.shape.as_slice()));
    compare_shapes(&path, dit, &shapes.collect())
}

/// The file of a folder's averaged, else raw, weights; or the file itself.
fn initial_file(from: &Path) -> Result<PathBuf> {
    if !from.is_dir() {
        return Ok(from.to_path_buf());
    }
    [EMA_FILE, RAW_FILE]
        .map(|name| from.join(name))
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| {
            Error::content(
                from,
                format!("neither {EMA_FILE} nor {RAW_FILE} here"),
                "name a checkpoint folder or a safetensors file",
            )
        })
}

/// Names what is missing, unknown or of another shape than the transformer's tensors.
fn compare_shapes(path: &Path, dit: &DitConfig, shapes: &BTreeMap<&str, &[usize]>) -> Result<()> {
    let expected: BTreeMap<String, Vec<usize>> = dit.tensors().into_iter().collect();
    let mut wrong = Vec::new();
    for (name, shape) in &expected {
        match shapes.get(name.as_str()) {
            None => wrong.push(format!("{name} is missing")),
            Some(found) if found != shape => {
                wrong.push(format!("{name} is {found:?} instead of {shape:?}"));
            }
            Some(_) => {}
        }
    }
    let unknown: Vec<&&str> = shapes
        .keys()
        .filter(|name| !expected.contains_key(**name))
        .collect();
    if !unknown.is_empty() {
        wrong.push(format!("unknown {unknown:?}"));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::Weights(format!(
        "{}: {}",
        path.display(),
        wrong[..wrong.len().min(5)].join("; ")
    )))
}

/// Reads a weight file and compares names and shapes with the transformer's.
///
/// # Errors
/// When the file cannot be read, and with up to five tensors that are missing, unknown or of
/// another shape.
pub fn read_weights(path: &Path, dit: &DitConfig, device: &Device) -> Result<Parameters> {
    let bytes = candle_core::safetensors::load(path, &Device::Cpu)
        .map_err(|error| Error::content(path, error.to_string(), "name another checkpoint"))?;
    let shapes = bytes
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor.dims()));
    compare_shapes(path, dit, &shapes.collect())?;
    bytes
        .iter()
        .map(|(name, tensor)| {
            let tensor = tensor.to_dtype(DType::F32)?.to_device(device)?;
            Ok((name.clone(), Var::from_tensor(&tensor)?))
        })
        .collect()
}
