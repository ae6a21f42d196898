//! MMFace Studio: the studio, the command line, and what both stand on.
//!
//! `paint` and `project` know no window; `studio` draws them. `cli` and `studio` know nothing of
//! each other. ARCHITECTURE.md holds the map.

pub mod assets;
pub mod cli;
pub mod failure;
pub mod grid;
pub mod paint;
pub mod project;
pub mod studio;
