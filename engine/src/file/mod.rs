//! The only writer of files: a file that a person may own appears whole or not at all.
//!
//! A new file gets the rights that the person's umask gives every new file. A file that is
//! replaced keeps its mode, and its owner where the system lets us. A symbolic link stays one:
//! what it points at is written. Devices, pipes and open descriptors (`/dev/stdout`) are written
//! into. A parent folder that does not exist is refused, except by [`store`], for files of the
//! program itself.
//!
//! The lowest layer of the engine: it knows only the error type. `tests/tests/one_writer.rs` holds
//! that nothing else writes.

mod append;
mod folder;
mod lock;
mod rename;
mod target;
mod write;

pub use append::Append;
pub use folder::{FolderInProgress, create_folder, sync_folder};
pub use lock::{Lock, Locked};
pub use rename::{move_new, set_aside};
pub use target::{Overwrite, parent_folder};
pub use write::{Draft, Writer, check, first_free, store, write, write_with};

#[cfg(test)]
mod tests;
