//! The line beneath the canvas: what is under the pointer, and how the canvas is looked at.

use egui::{Align, Layout, RichText, Sense, Ui, vec2};
use egui_material_icons::icons;
use mmface_engine::labels::palette;

use super::State;
use super::{CanvasCommand, Look};
use crate::paint::Layer;
use crate::studio::class_colours as colours;
use crate::studio::context::Context;
use crate::studio::widgets::{action_button, icon_toggle};

/// Draws the line. Cells have fixed widths: nothing jumps while the pointer moves.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let side = cx.document.painter.drawing().side();
        let at = state.hover;
        let class = at.and_then(|at| cx.document.painter.class_at(at.x, at.y));
        let friendly = cx.settings.friendly_colours;
        let (dot, _) = ui.allocate_exact_size(vec2(11.0, 11.0), Sense::hover());
        if let Some(class) = class {
            let line = egui::Stroke::new(1.0, cx.theme.colours(ui).line);
            let fill = colours::colour(friendly, class);
            ui.painter()
                .rect(dot, 2.0, fill, line, egui::StrokeKind::Inside);
        }
        let name = class.and_then(|class| palette().classes.get(usize::from(class)));
        cell(ui, 122.0, name.map_or("", |class| &class.title));
        let place = at
            .filter(|_| class.is_some())
            .map(|at| format!("{:.0}, {:.0}", at.x.floor(), at.y.floor()));
        cell(ui, 68.0, &place.unwrap_or_default());
        let target = match cx.document.painter.settings.layer {
            Layer::Mask => cx.document.painter.settings.target.title(),
            Layer::Sketch => "Draws on the sketch".to_owned(),
        };
        let room = ui.available_width() - 250.0;
        if room > 80.0 {
            cell(ui, room.min(190.0), &target);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let mirrored = state.camera.mirrored;
            action_button(ui, cx, icons::ICON_FIT_SCREEN, "canvas.fit");
            action_button(ui, cx, icons::ICON_ADD, "canvas.zoom_in");
            let zoom = state.camera.zoom * ui.ctx().pixels_per_point() * 100.0;
            let turned = state.camera.angle.to_degrees();
            let tip = format!("{side} × {side} pixels, view turned by {turned:.0}°");
            let text = RichText::new(format!("{zoom:.0} %"));
            ui.add_sized([44.0, 20.0], egui::Label::new(text))
                .on_hover_text(tip);
            action_button(ui, cx, icons::ICON_REMOVE, "canvas.zoom_out");
            let name = "Mirror the view";
            if icon_toggle(ui, mirrored, icons::ICON_FLIP, name).clicked() {
                cx.emit(CanvasCommand::MirrorView);
            }
            ui.separator();
            let has_picture = state.has_picture();
            ui.add_enabled_ui(has_picture, |ui| looks(ui, state, cx));
        });
    });
}

fn looks(ui: &mut Ui, state: &mut State, cx: &Context) {
    for (look, icon) in [
        (Look::Split, icons::ICON_COMPARE),
        (Look::Picture, icons::ICON_IMAGE),
        (Look::Overlay, icons::ICON_LAYERS),
        (Look::Drawing, icons::ICON_DRAW),
    ] {
        let on = cx.document.look == look && state.has_picture();
        if icon_toggle(ui, on, icon, look.title())
            .on_disabled_hover_text("Generate a picture first")
            .clicked()
        {
            cx.emit(CanvasCommand::Look(look));
        }
    }
}

fn cell(ui: &mut Ui, width: f32, text: &str) {
    let size = vec2(width, 20.0);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_width(width);
        ui.set_max_width(width);
        if !text.is_empty() {
            ui.add(egui::Label::new(text).truncate().selectable(false));
        }
    });
}
