//! The strip of tools.

use egui::{Button, Role, Ui, WidgetInfo, vec2};
use egui_material_icons::{MaterialIcon, icons};

use super::ToolsCommand;
use crate::paint::Tool;
use crate::studio::command::Command;
use crate::studio::context::Context;

/// What a tool does, for its tooltip.
fn about(tool: Tool) -> &'static str {
    match tool {
        Tool::Brush => {
            "Paints the class at hand. Hard-edged: a mixture of two classes would be a third. Right button erases, Alt-drag changes the size."
        }
        Tool::Eraser => "Paints background, or paper on the sketch.",
        Tool::Fill => "Fills the region under the pointer; the stripes show what would change.",
        Tool::Lasso => "Fills a shape drawn by hand.",
        Tool::Polygon => {
            "Fills a shape of corners. Enter, a double click or its first corner closes it, Escape drops it."
        }
        Tool::Line => "A straight stroke; Shift keeps to steps of 15°.",
        Tool::Ellipse => "Fills an ellipse; Shift makes a circle, Alt grows it from its middle.",
        Tool::Eyedropper => "Takes the class under the pointer. Alt-click does so with any tool.",
        Tool::Transform => "Moves, scales and turns a region of one class; Enter puts it down.",
        Tool::Pencil => "Draws softly on the sketch.",
        Tool::SketchEraser => "Erases softly on the sketch.",
    }
}

const MASK: [(Tool, MaterialIcon, &str); 9] = [
    (Tool::Brush, icons::ICON_BRUSH, "tools.brush"),
    (Tool::Eraser, icons::ICON_INK_ERASER, "tools.eraser"),
    (Tool::Fill, icons::ICON_FORMAT_COLOR_FILL, "tools.fill"),
    (Tool::Lasso, icons::ICON_LASSO_SELECT, "tools.lasso"),
    (Tool::Polygon, icons::ICON_PENTAGON, "tools.polygon"),
    (Tool::Line, icons::ICON_DIAGONAL_LINE, "tools.line"),
    (Tool::Ellipse, icons::ICON_CIRCLE, "tools.ellipse"),
    (Tool::Eyedropper, icons::ICON_COLORIZE, "tools.eyedropper"),
    (Tool::Transform, icons::ICON_TRANSFORM, "tools.transform"),
];

const SKETCH: [(Tool, MaterialIcon, &str); 2] = [
    (Tool::Pencil, icons::ICON_EDIT, "tools.pencil"),
    (
        Tool::SketchEraser,
        icons::ICON_INK_HIGHLIGHTER,
        "tools.sketch_eraser",
    ),
];

/// Draws the strip.
pub(super) fn show(ui: &mut Ui, cx: &Context) {
    ui.add_space(4.0);
    ui.vertical_centered(|ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        for (tool, icon, id) in MASK {
            entry(ui, cx, tool, icon, id);
        }
        ui.separator();
        for (tool, icon, id) in SKETCH {
            entry(ui, cx, tool, icon, id);
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

fn entry(ui: &mut Ui, cx: &Context, tool: Tool, icon: MaterialIcon, id: &str) {
    let on = cx.document.painter.settings.acting_tool() == tool;
    if large(ui, cx, on, icon, id, about(tool)) {
        cx.emit(Command::from(ToolsCommand::Choose(tool)));
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
