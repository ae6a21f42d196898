//! The settings window.

use egui::{ScrollArea, Slider, Ui, Window};

use super::{CANVAS_SIDES, Look, SCALES, SettingsCommand, engine, storage};
use crate::studio::state::Studio;
use crate::studio::widgets::heading;

/// Draws the window when it is open.
pub fn show(ui: &mut Ui, studio: &mut Studio) {
    let mut open = studio.settings_window.open;
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
                look(ui, studio);
                canvas(ui, studio);
                heading(ui, "Engine");
                engine::show(ui, studio);
                heading(ui, "Disk");
                storage::show(ui, studio);
                keys(ui, studio);
            });
        });
    studio.settings_window.open &= open;
}

fn look(ui: &mut Ui, studio: &mut Studio) {
    heading(ui, "Look");
    ui.horizontal(|ui| {
        for (look, title) in [
            (Look::System, "As the desktop"),
            (Look::Dark, "Dark"),
            (Look::Light, "Light"),
        ] {
            if ui
                .selectable_label(studio.settings.look == look, title)
                .clicked()
            {
                studio.emit(SettingsCommand::Look(look));
            }
        }
    });
    let mut scale = studio.settings.scale;
    let slider = Slider::new(&mut scale, SCALES)
        .step_by(0.1)
        .custom_formatter(|v, _| format!("{:.0} %", v * 100.0))
        .text("Scale");
    let response = ui
        .add(slider)
        .on_hover_text("On top of the desktop's own scale");
    // While dragging, the slider must not grow under the pointer.
    if response.drag_stopped() || response.changed() && !response.dragged() {
        studio.emit(SettingsCommand::Scale(scale));
    } else if response.dragged() {
        studio.settings.scale = scale;
    }
    ui.checkbox(
        &mut studio.settings.friendly_colours,
        "Class colours for colour-blind eyes",
    )
    .on_hover_text("Only on screen; the model always gets its own colours");
}

fn canvas(ui: &mut Ui, studio: &mut Studio) {
    heading(ui, "Canvas");
    ui.horizontal(|ui| {
        ui.label("New drawings");
        for side in CANVAS_SIDES {
            let text = format!("{side} × {side}");
            ui.selectable_value(&mut studio.settings.canvas_side, side, text);
        }
    });
    ui.checkbox(&mut studio.settings.pressure, "Pen pressure")
        .on_hover_text(
            "Where the system passes it on: width of the brush, width and depth of the pencil",
        );
}

fn keys(ui: &mut Ui, studio: &mut Studio) {
    heading(ui, "Keys");
    ui.checkbox(
        &mut studio.settings.keys_by_position,
        "Letters follow their place on the keyboard",
    )
    .on_hover_text(
        "Off: a key is the letter that the layout writes. On: it is where that letter is on a US keyboard",
    );
    let doubled = studio.keymap.doubled();
    for (key, titles) in &doubled {
        let text = format!("{key} is the key of: {}", titles.join(", "));
        let warning = studio.theme.colours(ui).warning;
        ui.add(egui::Label::new(egui::RichText::new(text).color(warning)).wrap());
    }
    ui.horizontal(|ui| {
        if ui.button("All actions and keys…").clicked() {
            studio.emit_action("palette.show");
        }
        if ui.button("Reset all keys").clicked() {
            studio.emit(SettingsCommand::ResetKeys);
        }
    });
}
