//! What outlives the window: project files, the journal of a session, recent files, the library of
//! finished pictures and the queue of waiting ones. No window in here, and nothing that computes.
//!
//! All of it is slow in the sense of the studio: it touches the disk, so it runs beside the GUI
//! thread. Files appear whole or not at all; every failure is one line for a person.

pub mod clock;
pub mod data;
pub mod disk;
pub mod file;
pub mod journal;
pub mod library;
pub mod queue;
pub mod recent;
pub mod session;
pub mod sweep_note;
pub mod trail;
pub mod writer;

pub use data::{ProjectData, ResultRef};
pub use file::Document;
pub use journal::{Frame, Journal, Recovered};
pub use library::{Library, Listing};
pub use queue::{Queue, QueueFile, QueueKeeper, Waiting};
pub use recent::Recent;
pub use session::{Claim, Left, Session};
pub use sweep_note::{SweepIndex, SweepNote};
pub use writer::Report;
