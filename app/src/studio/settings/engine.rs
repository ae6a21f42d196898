//! How the engine computes: which processor, how many threads, which numbers, which previews.

use mmface_engine::contract::PreviewPolicy;
use mmface_engine::device::DeviceChoice;
use mmface_engine::kernels::Precision;
use serde::{Deserialize, Serialize};

use crate::studio::engine_link::Setup;

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Processor {
    /// The first usable card, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA card, by number.
    Cuda(usize),
}

impl Processor {
    /// For the engine.
    pub fn choice(self) -> DeviceChoice {
        match self {
            Self::Auto => DeviceChoice::Auto,
            Self::Cpu => DeviceChoice::Cpu,
            Self::Cuda(number) => DeviceChoice::Cuda(number),
        }
    }

    /// For people.
    pub fn title(self) -> String {
        match self {
            Self::Auto => "Automatic".into(),
            Self::Cpu => "CPU".into(),
            Self::Cuda(number) => format!("CUDA card {number}"),
        }
    }
}

/// Everything that the engine is started with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineSettings {
    /// What computes.
    pub processor: Processor,
    /// Threads of the CPU; 0 for all.
    pub threads: usize,
    /// `fast` or `exact`.
    pub precision: Precision,
    /// Previews while a picture is made.
    pub previews: PreviewPolicy,
}

impl EngineSettings {
    /// What the settings say.
    pub fn of(settings: &super::Settings) -> Self {
        Self {
            processor: settings.processor,
            threads: settings.threads,
            precision: settings.precision,
            previews: settings.previews,
        }
    }

    /// For the engine.
    pub fn setup(&self) -> Setup {
        Setup {
            options: mmface_engine::contract::PipelineOptions {
                device: self.processor.choice(),
                route: None,
                precision: self.precision,
                previews: self.previews,
                ..Default::default()
            },
            threads: (self.threads > 0).then_some(self.threads),
        }
    }
}

/// Threads that this machine runs at once.
pub fn most_threads() -> usize {
    mmface_engine::system::threads()
}
