//! What is drawn of it.

use egui::Ui;

use crate::studio::state::Studio;

/// Draws the panel.
pub fn show(_ui: &mut Ui, _studio: &mut Studio) {}
