//! The program with a window: a canvas, a prompt, and what comes of them.
//!
//! Modules depend one way. At the bottom stand the services ([`engine_link`], [`dialogs`],
//! [`folders`], [`tasks`]), the values of the [`settings`], the [`document`] that a person makes, and
//! the [`command`]s, [`announcement`]s and [`facts`] through which features speak; [`context`] binds
//! these together. On them stand the features, one folder each: `mod.rs` holds the state of a feature
//! and what it does with a message, `panel.rs` what is drawn of it. A feature sees its own state and
//! the context, no other feature. On top, the [`dispatcher`] routes messages, `layout` puts panels
//! where they belong, and [`app`] runs both.
//!
//! Nothing in here computes a tensor or waits for a disk: the engine has its own thread, and slow
//! work goes through [`tasks`].

pub mod announcement;
pub mod app;
pub mod canvas;
pub mod checkpoints;
pub mod class_colours;
pub mod command;
pub mod context;
pub mod dialogs;
pub mod dispatcher;
pub mod document;
pub mod engine_link;
pub mod facts;
pub mod folders;
pub mod generate;
pub mod keymap;
mod layout;
pub mod model_memory;
pub mod models;
mod open;
pub mod outbox;
pub mod palette;
pub mod persistence;
pub mod photo;
mod processor;
mod recent_list;
pub mod results;
pub mod services;
pub mod settings;
pub mod settings_window;
mod show_folder;
pub mod start_trace;
mod submit;
pub mod sweep;
pub mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod texture;
pub mod theme;
pub mod toast;
pub mod tools;
pub mod trainer;
pub mod widgets;

pub use app::StudioApp;
pub use command::{Command, Workspace};
pub use context::Context;
pub use dispatcher::Studio;
pub use open::open;
pub use services::{Options, Services};
