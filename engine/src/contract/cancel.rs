//! A flag that one side raises and the other asks about between units of work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// Shared cancellation flag. Clones raise and read the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop before its next unit. Cannot be taken back.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the work was asked to stop.
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// `Err(Error::Cancelled)` once the flag is raised: call it as `cancel.check()?` before every
    /// model evaluation and between the tensors of a file.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once the flag is raised.
    pub fn check(&self) -> Result<()> {
        if self.raised() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}
