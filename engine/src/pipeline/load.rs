//! From a model package to the parts of a pipeline.

use super::parts::Parts;
use super::types::{ModelSummary, PipelineOptions};
use crate::device::OpenDevice;
use crate::worker::{Cancel, ModelRef};
use crate::{Error, Result};

/// Loads a package on a device, telling `progress` what is read and asking `cancel` between tensors.
pub fn load(
    _model: &ModelRef,
    _device: &OpenDevice,
    _options: &PipelineOptions,
    _progress: &mut dyn FnMut(f32, &str),
    _cancel: &Cancel,
) -> Result<(Parts, ModelSummary)> {
    Err(Error::NoModel("models cannot be loaded yet".into()))
}
