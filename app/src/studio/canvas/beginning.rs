//! What an empty canvas says: how to begin, and what was worked on lately.

use egui::{Align2, Area, Frame, Id, Order, Pos2, Rect, RichText, Role, Ui, WidgetInfo, vec2};

use super::State;
use crate::paint::Drawing;
use crate::studio::context::Context;
use crate::studio::recent_list;

/// Projects that fit beside the ways to begin.
const RECENT: usize = 4;

/// Whether a drawing is empty, as of its revision: comparing all pixels in each frame would be
/// dear.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Empty {
    known: Option<(u64, bool)>,
    /// Where the card was drawn last.
    card: Option<Rect>,
}

impl Empty {
    /// Whether the card lies at a place on screen: the view is moved and zoomed there as anywhere.
    pub(super) fn covers(&self, at: Pos2) -> bool {
        self.card.is_some_and(|card| card.contains(at))
    }
}

/// Draws the card at the lower edge of the canvas, where a first stroke seldom begins; it goes with
/// that stroke.
pub(super) fn show(ui: &Ui, rect: Rect, state: &mut State, cx: &Context, elsewhere: bool) {
    state.empty.card = None;
    if !is_due(state, cx, elsewhere) {
        return;
    }
    let card = Area::new(Id::unique("canvas beginning"))
        .order(Order::Middle)
        .movable(false)
        .pivot(Align2::CENTER_BOTTOM)
        .fixed_pos(rect.center_bottom() - vec2(0.0, 8.0))
        .constrain_to(rect)
        .show(ui.ctx(), |ui| {
            Frame::popup(ui.style()).show(ui, |ui| contents(ui, cx));
        });
    state.empty.card = Some(card.response.rect);
}

fn is_due(state: &mut State, cx: &Context, elsewhere: bool) -> bool {
    let busy = state.has_picture()
        || cx.document.under.is_some()
        || state.in_gesture()
        || cx.document.painter.busy()
        || elsewhere;
    if busy {
        return false;
    }
    let revision = cx.document.painter.drawing_revision();
    match state.empty.known {
        Some((at, empty)) if at == revision => empty,
        _ => {
            let drawing = cx.document.painter.drawing();
            let empty = *drawing == Drawing::new(drawing.side());
            state.empty.known = Some((revision, empty));
            empty
        }
    }
}

fn contents(ui: &mut Ui, cx: &Context) {
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.label(RichText::new("Paint a face, or begin with").strong());
            for (title, spoken, id) in [
                ("A template…", "Begin with a template", "tools.templates"),
                ("A photo…", "Begin with a photo", "photo.open"),
                (
                    "A mask file…",
                    "Begin with a mask file",
                    "tools.import_mask",
                ),
            ] {
                let button = ui.button(title);
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, spoken));
                if button.clicked() {
                    cx.emit_action(id);
                }
            }
            ui.weak("Or drop a file here.");
        });
        ui.separator();
        ui.vertical(|ui| {
            ui.set_max_width(170.0);
            ui.label(RichText::new("Recent projects").strong());
            recent_list::show(ui, cx, RECENT, "Open ");
        });
    });
}
