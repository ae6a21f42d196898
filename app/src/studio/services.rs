//! What works behind the studio: the engine, dialogs, slow work, folders. Tests replace each.

use std::path::{Path, PathBuf};

use mmface_engine::weights::Registry;

use super::dialogs::{Desktop, Dialogs};
use super::engine_link::{EngineLink, StartEngine};
use super::folders::Folders;
use super::tasks::Tasks;

/// Says how many bytes of a disk are free; `None` where the system does not say.
pub type FreeSpace = fn(&Path) -> Option<u64>;
/// Says how many bytes of memory are free; `None` where the system does not say.
pub type FreeMemory = fn() -> Option<u64>;

/// What the studio is started with; tests replace each service.
pub struct Options {
    /// The project to open.
    pub project: Option<PathBuf>,
    /// Where things are kept.
    pub folders: Folders,
    /// Asks for files.
    pub dialogs: Box<dyn Dialogs>,
    /// Starts the engine; `None` starts the real one with the settings' options.
    pub engine: Option<StartEngine>,
}

impl Options {
    /// What a person gets.
    pub fn standard(project: Option<PathBuf>) -> Self {
        Self {
            project,
            folders: Folders::standard(),
            dialogs: Box::new(Desktop),
            engine: None,
        }
    }
}

/// What works behind the studio.
pub struct Services {
    /// The engine; `None` with the reason when its thread could not start.
    pub engine: Result<EngineLink, String>,
    /// Starts another engine.
    pub start_engine: StartEngine,
    /// Asks for files.
    pub dialogs: Box<dyn Dialogs>,
    /// Slow work beside the GUI thread.
    pub tasks: Tasks,
    /// Where things are kept.
    pub folders: Folders,
    /// The folders that are searched for models by default; tests put their own here.
    pub registry: Registry,
    /// Asks for the free bytes of a disk; tests put their own here.
    pub free_space: FreeSpace,
    /// Asks for the free bytes of memory; tests put their own here.
    pub free_memory: FreeMemory,
}
