//! The settings window.

use egui::{ComboBox, Slider, Ui, Window};
use mmface_engine::kernels::Precision;
use mmface_engine::pipeline::PreviewPolicy;

use super::{CANVAS_SIDES, Look, SCALES, SettingsCommand};
use crate::studio::state::Studio;
use crate::studio::widgets::heading;

/// Draws the window when it is open.
pub fn show(ui: &mut Ui, studio: &mut Studio) {
    let mut open = studio.settings_window.open;
    if !open {
        return;
    }
    Window::new("Settings").open(&mut open).collapsible(false).resizable(false).default_width(360.0).pivot(egui::Align2::CENTER_CENTER).default_pos(ui.ctx().content_rect().center()).show(ui.ctx(), |ui| {
        heading(ui, "Look");
        ui.horizontal(|ui| {
            for (look, title) in [(Look::System, "As the desktop"), (Look::Dark, "Dark"), (Look::Light, "Light")] {
                if ui.selectable_label(studio.settings.look == look, title).clicked() {
                    studio.emit(SettingsCommand::Look(look));
                }
            }
        });
        let mut scale = studio.settings.scale;
        let slider = Slider::new(&mut scale, SCALES).step_by(0.1).custom_formatter(|v, _| format!("{:.0} %", v * 100.0)).text("Scale");
        let response = ui.add(slider).on_hover_text("On top of the desktop's own scale");
        // While dragging, the slider must not grow under the pointer.
        if response.drag_stopped() || response.changed() && !response.dragged() {
            studio.emit(SettingsCommand::Scale(scale));
        } else if response.dragged() {
            studio.settings.scale = scale;
        }
        ui.checkbox(&mut studio.settings.friendly_colours, "Class colours for colour-blind eyes")
            .on_hover_text("Only on screen; the model always gets its own colours");

        heading(ui, "Canvas");
        ui.horizontal(|ui| {
            ui.label("New drawings");
            for side in CANVAS_SIDES {
                ui.selectable_value(&mut studio.settings.canvas_side, side, format!("{side} × {side}"));
            }
        });
        ui.checkbox(&mut studio.settings.pressure, "Pen pressure")
            .on_hover_text("Where the system passes it on: width of the brush, width and depth of the pencil");

        heading(ui, "Engine");
        ComboBox::from_label("Previews").selected_text(preview_name(studio.settings.previews)).show_ui(ui, |ui| {
            for policy in [PreviewPolicy::Auto, PreviewPolicy::Linear, PreviewPolicy::Tiny, PreviewPolicy::Vae, PreviewPolicy::Off] {
                ui.selectable_value(&mut studio.settings.previews, policy, preview_name(policy));
            }
        });
        ui.horizontal(|ui| {
            ui.label("Numbers");
            ui.selectable_value(&mut studio.settings.precision, Precision::Fast, "Fast").on_hover_text("bf16 products: twice as fast, pictures differ by less than a grey level");
            ui.selectable_value(&mut studio.settings.precision, Precision::Exact, "Exact").on_hover_text("f32, as the reference");
        });
        ui.weak("Engine settings count from the next start on.");

        heading(ui, "Keys");
        ui.checkbox(&mut studio.settings.keys_by_position, "Letters follow their place on the keyboard");
        ui.horizontal(|ui| {
            if ui.button("All actions and keys…").clicked() {
                studio.emit_action("palette.show");
            }
            if ui.button("Reset all keys").clicked() {
                studio.emit(SettingsCommand::ResetKeys);
            }
        });
    });
    studio.settings_window.open &= open;
}

fn preview_name(policy: PreviewPolicy) -> &'static str {
    match policy {
        PreviewPolicy::Off => "Off",
        PreviewPolicy::Auto => "Automatic",
        PreviewPolicy::Linear => "Coarse",
        PreviewPolicy::Tiny => "Small decoder",
        PreviewPolicy::Vae => "Full decoder",
    }
}
