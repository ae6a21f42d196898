//! Where the small windows of a result open.

use egui::{Context, Pos2, vec2};

/// Over the left edge of the canvas, clear of tools and classes.
pub(super) fn window_place(ctx: &Context) -> Pos2 {
    let screen = ctx.content_rect();
    screen.min + vec2((screen.width() * 0.2).min(248.0), 84.0)
}
