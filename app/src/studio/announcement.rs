//! What has happened that may matter to several features. A feature announces it and does not know
//! who cares; the dispatcher tells every feature.

use std::sync::Arc;

use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::Recipe;

use super::document::{Owner, WorkId};
use crate::project::library::Entry;

/// A picture that is on disk.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its place in the library.
    pub entry: Entry,
    /// The picture.
    pub picture: Arc<RgbImage>,
    /// What is written in it; draws it again.
    pub recipe: Arc<Recipe>,
    /// The latent that was decoded, `[channels, size / 8, size / 8]` row-major.
    pub latent: Arc<Vec<f32>>,
    /// Who asked for it.
    pub owner: Owner,
    /// The work that it is part of.
    pub work: WorkId,
}

/// Something that has happened.
#[derive(Clone, Debug)]
pub enum Announcement {
    /// A picture was drawn and is on disk.
    PictureSaved(Arc<Finished>),
    /// A work failed; `why` is one line.
    WorkFailed {
        /// The work.
        work: WorkId,
        /// Who asked for it.
        owner: Owner,
        /// What happened and what to do.
        why: String,
    },
    /// A person took a work back.
    WorkCancelled {
        /// The work.
        work: WorkId,
        /// Who asked for it.
        owner: Owner,
    },
    /// Pictures are to be drawn, but the device is used by training: whoever trains asks the person
    /// or makes room, and says [`DeviceFree`](Self::DeviceFree) when there is.
    DeviceWanted,
    /// Pictures may be drawn from now on.
    DeviceFree,
    /// A model is ready, or another one.
    ModelReady,
    /// Another engine is there: it knows no model and no job yet.
    EngineReplaced,
}
