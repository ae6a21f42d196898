//! The strip of tools, in the order of their list.

use egui::{Button, Role, Ui, WidgetInfo, vec2};
use egui_material_icons::{MaterialIcon, icons};

use super::ToolsCommand;
use crate::paint::{Layer, Tool};
use crate::studio::context::Context;

/// Draws the strip.
pub(super) fn show(ui: &mut Ui, cx: &Context) {
    ui.add_space(4.0);
    ui.vertical_centered(|ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        let of_sketch = |tool: &Tool| !tool.works_on(Layer::Mask);
        for tool in Tool::ALL.into_iter().filter(|tool| !of_sketch(tool)) {
            entry(ui, cx, tool);
        }
        ui.separator();
        for tool in Tool::ALL.into_iter().filter(of_sketch) {
            entry(ui, cx, tool);
        }
        ui.separator();
        let on = cx.document.painter.settings.mirror.on;
        let about = "Strokes are drawn on both sides, with left and right classes exchanged. Drag the square to move the axis, the circle to tilt it.";
        if large(ui, cx, on, icons::ICON_ALIGN_HORIZONTAL_CENTER, "tools.mirror", about) {
            cx.emit(ToolsCommand::ToggleMirror);
        }
        if large(ui, cx, false, icons::ICON_FLIP, "tools.flip", "Mirrors mask and sketch; left and right classes change places.") {
            cx.emit(ToolsCommand::Flip);
        }
        if large(ui, cx, false, icons::ICON_DELETE, "tools.clear", "Empties the layer that is painted on. Undo brings it back.") {
            cx.emit(ToolsCommand::Clear);
        }
    });
}

fn entry(ui: &mut Ui, cx: &Context, tool: Tool) {
    let on = cx.document.painter.settings.acting_tool() == tool;
    let info = tool.info();
    if large(
        ui,
        cx,
        on,
        MaterialIcon::new(info.icon),
        info.id,
        info.about,
    ) {
        cx.emit(ToolsCommand::Choose(tool));
    }
}

/// A button of the strip; whether it was clicked.
fn large(ui: &mut Ui, cx: &Context, on: bool, icon: MaterialIcon, id: &str, about: &str) -> bool {
    let title = crate::studio::command::find(id).map_or(id, |action| action.title);
    let key = cx.keymap.hint(id);
    let text = icon.rich_text().size(18.0);
    let response = ui.add(Button::selectable(on, text).min_size(vec2(32.0, 28.0)));
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), on, title));
    let response = response.on_hover_ui(|ui| {
        ui.set_max_width(260.0);
        ui.horizontal(|ui| {
            ui.strong(title);
            if let Some(key) = &key {
                ui.weak(key);
            }
        });
        ui.label(about);
    });
    response.clicked()
}
