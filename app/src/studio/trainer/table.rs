//! The table of checkpoints.

use std::time::SystemTime;

use egui::{Grid, RichText, Role, ScrollArea, Ui, WidgetInfo};
use egui_material_icons::icons;

use super::State;
use super::helper::Kind;
use super::{TrainerCommand as Do, format, helper};
use crate::project::clock;
use crate::studio::checkpoints;
use crate::studio::context::Context;
use crate::studio::widgets::icon_button;

/// Draws the table.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context, height: f32) {
    ui.horizontal(|ui| {
        ui.strong("Checkpoints");
        let exporting = state
            .helpers
            .iter()
            .find(|helper| matches!(helper.kind, Kind::Export(_)));
        if let Some(helper) = exporting {
            ui.weak(helper.title());
        }
    });
    let view = &state.view;
    if view.checkpoints.list.is_empty() {
        ui.add_space(8.0);
        ui.weak("None yet. The configuration says how often one is written.");
        return;
    }
    let best = view.checkpoints.best();
    let good = cx.theme.colours(ui).good;
    let busy = helper::is_busy(state, |kind| matches!(kind, Kind::Export(_)));
    let loaded = cx.facts.model.ready().map(|model| model.name.clone());
    let now = SystemTime::now();
    let mut command = None;
    ScrollArea::vertical()
        .id_salt("trainer_checkpoints")
        .max_height((height - 30.0).max(60.0))
        .auto_shrink([false, true])
        .show(ui, |ui| {
            Grid::new("trainer_checkpoints")
                .num_columns(6)
                .striped(true)
                .spacing([14.0, 4.0])
                .show(ui, |ui| {
                    for title in ["Update", "Held out", "Size", "Written", "", ""] {
                        ui.weak(title);
                    }
                    ui.end_row();
                    for one in view.checkpoints.list.iter().rev() {
                        ui.label(format::grouped(one.step));
                        let loss = view.checkpoints.losses.get(&one.step);
                        let text = loss.map_or("–".into(), |loss| format::short(*loss));
                        let is_best = best == Some(one.step);
                        if is_best {
                            ui.label(RichText::new(format!("{text} best")).color(good))
                                .on_hover_text("The lowest held-out loss; the trainer keeps it");
                        } else {
                            ui.label(text);
                        }
                        ui.label(format::bytes(one.bytes));
                        ui.label(clock::ago(one.written, now));
                        let name = checkpoints::package_name(&view.out, one.step);
                        if loaded.as_deref() == Some(&name) {
                            ui.weak("in use");
                        } else {
                            let button = ui.add_enabled(!busy, egui::Button::new("Use in studio"));
                            button.widget_info(|| {
                                let name = format!("Use in studio: update {}", one.step);
                                WidgetInfo::labeled(Role::Button, !busy, name)
                            });
                            let tip = "Makes a model of it and loads it; training goes on";
                            if button.on_hover_text(tip).clicked() {
                                command = Some(Do::Use(one.step));
                            }
                        }
                        let name = format!("Open folder of update {}", one.step);
                        if icon_button(ui, icons::ICON_FOLDER_OPEN, &name).clicked() {
                            command = Some(Do::ShowFolder(one.path.clone()));
                        }
                        ui.end_row();
                    }
                });
        });
    if let Some(command) = command {
        cx.emit(command);
    }
}
