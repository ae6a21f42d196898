//! A preview on its way from a running job to whoever looks at it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::picture::RgbImage;

/// The picture so far. Only the newest preview of an engine keeps its pixels: a reader that is
/// behind finds older ones empty, so undelivered previews never pile up.
#[derive(Clone)]
pub struct Preview {
    ticket: u64,
    slot: Arc<PreviewSlot>,
}

impl Preview {
    /// The pixels, unless a newer preview has replaced them or they were taken before.
    pub fn take(&self) -> Option<RgbImage> {
        let mut slot = self.slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.0 == self.ticket {
            slot.1.take()
        } else {
            None
        }
    }
}

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Preview({})", self.ticket)
    }
}

/// Holds the newest preview of an engine.
#[derive(Default)]
pub(crate) struct PreviewSlot(Mutex<(u64, Option<RgbImage>)>);

impl PreviewSlot {
    /// Replaces whatever lies in the slot.
    pub(crate) fn put(self: &Arc<Self>, image: RgbImage) -> Preview {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.0 += 1;
        slot.1 = Some(image);
        Preview {
            ticket: slot.0,
            slot: Arc::clone(self),
        }
    }
}
