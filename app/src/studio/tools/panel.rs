//! What is drawn of it.

use egui::Ui;

use super::State;
use super::{classes, gallery, import, options, strip};
use crate::studio::context::Context;

/// Draws the strip of tools.
pub fn show_strip(ui: &mut Ui, cx: &Context) {
    strip::show(ui, cx);
}

/// Draws the list of classes.
pub fn show_classes(ui: &mut Ui, state: &mut State, cx: &Context) {
    state.lit = None;
    classes::show(ui, state, cx);
}

/// Draws the bar of the tool's options, and the windows of templates and imports.
pub fn show_options(ui: &mut Ui, state: &mut State, cx: &Context) {
    options::show(ui, cx);
    let ctx = ui.ctx().clone();
    gallery::show(&ctx, state, cx);
    import::show(&ctx, state, cx);
}
