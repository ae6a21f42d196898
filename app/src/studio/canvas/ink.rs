//! Colours of lines and names that lie over the drawing.

use egui::Color32;

/// Seen on dark grounds.
pub(super) const LIGHT: Color32 = Color32::from_rgb(250, 250, 250);
/// Seen on light grounds.
pub(super) const DARK: Color32 = Color32::from_rgba_premultiplied(0, 0, 0, 190);
