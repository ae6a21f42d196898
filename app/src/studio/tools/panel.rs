//! What is drawn of it.

use egui::Ui;

use crate::studio::state::Studio;

/// Draws the panel.
pub fn show_strip(_ui: &mut Ui, _studio: &mut Studio) {}

/// Draws the panel.
pub fn show_classes(_ui: &mut Ui, _studio: &mut Studio) {}

/// Draws the panel.
pub fn show_options(_ui: &mut Ui, _studio: &mut Studio) {}
