//! The projects that were opened lately, as a list to choose from.

use std::path::Path;

use egui::{RichText, Role, Ui, WidgetInfo};

use super::command::PersistenceCommand;
use super::context::Context;

/// A project's name for people.
pub(super) fn display_name(file: &Path) -> String {
    file.file_stem()
        .unwrap_or(file.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Draws the projects that were opened lately, `most` of them: for the menu and for an empty canvas.
/// `verb` goes before their names for those who hear them. True when one was chosen.
pub(super) fn show(ui: &mut Ui, cx: &Context, most: usize, verb: &str) -> bool {
    if cx.facts.recent.files.is_empty() {
        ui.label(RichText::new("No project has been saved yet").weak());
        return false;
    }
    let mut command = None;
    for file in cx.facts.recent.files.iter().take(most) {
        let name = display_name(&file.path);
        let folder = file
            .path
            .parent()
            .unwrap_or(Path::new(""))
            .display()
            .to_string();
        if file.missing {
            ui.horizontal(|ui| {
                ui.label(RichText::new(format!("{name} (not there)")).weak())
                    .on_hover_text(&folder);
                if ui.small_button("Forget").clicked() {
                    command = Some(PersistenceCommand::ForgetRecent(file.path.clone()));
                }
            });
        } else {
            let button = ui.button(&name).on_hover_text(&folder);
            let spoken = format!("{verb}{name}");
            button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
            if button.clicked() {
                command = Some(PersistenceCommand::OpenFile(file.path.clone()));
            }
        }
    }
    let chosen = matches!(command, Some(PersistenceCommand::OpenFile(_)));
    if let Some(command) = command {
        cx.emit(command);
    }
    chosen
}
