//! What surrounds a run: its data, its folder, and who watches and steers it.

use std::path::{Path, PathBuf};

use candle_core::Device;
use mmface_engine::Result;
use mmface_engine::model::dit::Dit;
use mmface_engine::system::disk;
use mmface_run_protocol::{RunInputs, Weights};

use crate::control::Control;
use crate::data::prepared::PreparedData;
use crate::device;
use crate::ranks::ProcessGroup;
use crate::report::Sink;

/// Draws a fixed set of samples.
pub trait Sheets {
    /// Draws them with this transformer and writes a PNG; returns its path.
    ///
    /// # Errors
    /// When sampling fails or the picture cannot be written.
    fn draw(&mut self, dit: &Dit, step: u64, weights: Weights, out: &Path) -> Result<PathBuf>;
}

/// What surrounds a run.
pub struct RunContext<'a> {
    /// Prepared data.
    pub data: &'a PreparedData,
    /// Folder of the run.
    pub out: &'a Path,
    /// Who hears the events.
    pub sink: &'a mut dyn Sink,
    /// Who may ask for something.
    pub control: &'a mut dyn Control,
    /// Draws samples, where it can be done.
    pub sheets: Option<&'a mut dyn Sheets>,
    /// The processes that train together.
    pub group: ProcessGroup,
    /// The processor of this one.
    pub device: Device,
    /// Threads that make batches ahead.
    pub loaders: usize,
    /// Asks for the free bytes below a folder.
    pub free: &'a dyn Fn(&Path) -> Option<u64>,
    /// Asks for the memory of the device that each of so many processes on this machine can still get.
    pub memory: &'a dyn Fn(&Device, usize) -> Option<u64>,
    /// Trains although that seems too little.
    pub ignore_memory: bool,
    /// What is noted in the run's folder for whoever continues with it.
    pub inputs: Option<RunInputs>,
}

impl<'a> RunContext<'a> {
    /// A run of one process without samples.
    pub fn new(
        data: &'a PreparedData,
        out: &'a Path,
        sink: &'a mut dyn Sink,
        control: &'a mut dyn Control,
    ) -> Self {
        Self {
            data,
            out,
            sink,
            control,
            sheets: None,
            group: ProcessGroup::single(),
            device: Device::Cpu,
            loaders: 1,
            free: &disk::free,
            memory: &device::available,
            ignore_memory: false,
            inputs: None,
        }
    }
}
