//! The program with a window: a canvas, a prompt, and what comes of them.
//!
//! One feature is one folder: `mod.rs` holds its state, its commands and what they do, `panel.rs`
//! what is drawn of it. Features know the whole [`Studio`], the core knows the features only by
//! name. Nothing in here computes a tensor or waits for a disk: the engine has its own thread, and
//! slow work goes through [`tasks`].

pub mod actions;
pub mod app;
pub mod canvas;
pub mod command;
pub mod dialogs;
pub mod engine_link;
pub mod folders;
pub mod generate;
pub mod keeping;
pub mod keymap;
mod layout;
pub mod models;
mod open;
pub mod palette;
pub mod photo;
pub mod results;
pub mod settings;
pub mod start_trace;
pub mod state;
pub mod sweep;
pub mod tasks;
pub mod testing;
pub mod theme;
pub mod toast;
pub mod tools;
pub mod trainer;
pub mod widgets;

pub use app::StudioApp;
pub use command::Command;
pub use open::open;
pub use state::{Options, Services, Studio, Workspace};
