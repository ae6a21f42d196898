//! MMFace Studio: the studio, the command line, and what both stand on. ARCHITECTURE.md holds the map.

pub mod project;
