//! What a training run and whoever watches it say to each other.
//!
//! The studio (`mmface`) starts, follows and steers runs of `mmface-trainer` without linking it.
//! Everything that both programs must spell alike is spelled here and nowhere else: the events of
//! a run and the commands it takes, the names of the files in its folder, its lock, the layout of
//! its checkpoints, what the plan and the list of presets say, and the flags of the trainer's
//! command line.
//!
//! Everything here is plain data and names of files: nothing computes or trains.

pub mod arguments;
pub mod checkpoint_layout;
pub mod command;
pub mod event;
pub mod frozen_parts;
pub mod inputs;
pub mod lock;
pub mod mailbox;
pub mod plan;
pub mod run_folder;

pub use command::TrainCommand;
pub use event::{DataTable, HeldOutReport, Preparing, Started, Step, TrainEvent, Weights};
pub use inputs::RunInputs;
pub use lock::Holder;
