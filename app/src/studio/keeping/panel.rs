//! What is drawn of it.

use egui::Ui;

use crate::studio::state::Studio;

/// Draws the panel.
pub fn menu(_ui: &mut Ui, _studio: &mut Studio) {}

/// Draws the panel.
pub fn title(_ui: &mut Ui, _studio: &mut Studio) {}

/// Draws the panel.
pub fn show_windows(_ui: &mut Ui, _studio: &mut Studio) {}
