//! What is drawn of it.

use egui::Ui;

use super::{classes, gallery, import, options, strip};
use crate::studio::dispatcher::Studio;

/// Draws the strip of tools.
pub fn show_strip(ui: &mut Ui, studio: &mut Studio) {
    strip::show(ui, studio);
}

/// Draws the list of classes.
pub fn show_classes(ui: &mut Ui, studio: &mut Studio) {
    studio.tools.lit = None;
    classes::show(ui, studio);
}

/// Draws the bar of the tool's options, and the windows of templates and imports.
pub fn show_options(ui: &mut Ui, studio: &mut Studio) {
    options::show(ui, studio);
    let ctx = ui.ctx().clone();
    gallery::show(&ctx, studio);
    import::show(&ctx, studio);
}
