//! The settings window.

use egui::{ScrollArea, Slider, Ui, Window};

use super::{State, engine, storage};
use crate::studio::command::SettingsCommand;
use crate::studio::context::Context;
use crate::studio::settings::{CANVAS_SIDES, Change, Look, SCALES};
use crate::studio::widgets::{heading, setting};

/// Draws the window when it is open.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    let mut open = state.open;
    if !open {
        return;
    }
    let room = ui.ctx().content_rect().height() - 120.0;
    Window::new("Settings")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .default_size([380.0, room])
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(ui.ctx().content_rect().center())
        .show(ui.ctx(), |ui| {
            ScrollArea::vertical().max_height(room).show(ui, |ui| {
                look(ui, state, cx);
                canvas(ui, cx);
                heading(ui, "Engine");
                engine::show(ui, state, cx);
                heading(ui, "Disk");
                storage::show(ui, &state.storage, cx);
                keys(ui, cx);
            });
        });
    state.open &= open;
}

fn look(ui: &mut Ui, state: &mut State, cx: &Context) {
    heading(ui, "Look");
    ui.horizontal(|ui| {
        for (look, title) in [
            (Look::System, "As the desktop"),
            (Look::Dark, "Dark"),
            (Look::Light, "Light"),
        ] {
            if ui
                .selectable_label(cx.settings.look == look, title)
                .clicked()
            {
                cx.emit(SettingsCommand::Look(look));
            }
        }
    });
    let mut scale = state.scale.unwrap_or(cx.settings.scale);
    let slider = Slider::new(&mut scale, SCALES)
        .step_by(0.1)
        .custom_formatter(|v, _| format!("{:.0} %", v * 100.0))
        .text("Scale");
    let response = ui
        .add(slider)
        .on_hover_text("On top of the desktop's own scale");
    // While dragging, the slider must not grow under the pointer.
    if response.drag_stopped() || response.changed() && !response.dragged() {
        state.scale = None;
        cx.emit(SettingsCommand::Scale(scale));
    } else if response.dragged() {
        state.scale = Some(scale);
    }
    setting(
        ui,
        cx,
        cx.settings.friendly_colours,
        "Class colours for colour-blind eyes",
        Change::FriendlyColours,
    )
    .on_hover_text("Only on screen; the model always gets its own colours");
}

fn canvas(ui: &mut Ui, cx: &Context) {
    heading(ui, "Canvas");
    ui.horizontal(|ui| {
        ui.label("New drawings");
        for side in CANVAS_SIDES {
            let text = format!("{side} × {side}");
            let chosen = cx.settings.canvas_side == side;
            if ui.selectable_label(chosen, text).clicked() {
                cx.emit(SettingsCommand::Set(Change::CanvasSide(side)));
            }
        }
    });
    let pressure = cx.settings.pressure;
    setting(ui, cx, pressure, "Pen pressure", Change::Pressure).on_hover_text(
        "Where the system passes it on: width of the brush, width and depth of the pencil",
    );
}

fn keys(ui: &mut Ui, cx: &Context) {
    heading(ui, "Keys");
    setting(
        ui,
        cx,
        cx.settings.keys_by_position,
        "Letters follow their place on the keyboard",
        Change::KeysByPosition,
    )
    .on_hover_text(
        "Off: a key is the letter that the layout writes. On: it is where that letter is on a US keyboard",
    );
    let doubled = cx.keymap.doubled();
    for (key, titles) in &doubled {
        let text = format!("{key} is the key of: {}", titles.join(", "));
        let warning = cx.theme.colours(ui).warning;
        ui.add(egui::Label::new(egui::RichText::new(text).color(warning)).wrap());
    }
    ui.horizontal(|ui| {
        if ui.button("All actions and keys…").clicked() {
            cx.emit_action("palette.show");
        }
        if ui.button("Reset all keys").clicked() {
            cx.emit(SettingsCommand::ResetKeys);
        }
    });
}
