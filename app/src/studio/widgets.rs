//! Small widgets that every panel uses, each with an accessible name.

use egui::{Response, RichText, Role, Ui, WidgetInfo};
use egui_material_icons::MaterialIcon;

use super::command::{self, SettingsCommand};
use super::context::Context;
use super::settings::Change;

/// A button that shows an icon and is called `name`.
pub fn icon_button(ui: &mut Ui, icon: MaterialIcon, name: &str) -> Response {
    let response = ui.button(icon.rich_text()).on_hover_text(name);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    response
}

/// An icon button that is on or off.
pub fn icon_toggle(ui: &mut Ui, on: bool, icon: MaterialIcon, name: &str) -> Response {
    let response = ui
        .add(egui::Button::selectable(on, icon.rich_text()))
        .on_hover_text(name);
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), on, name));
    response
}

/// A button of a named action: emits it when clicked; its tooltip carries the key.
pub fn action_button(ui: &mut Ui, cx: &Context, icon: MaterialIcon, id: &str) -> Response {
    let title = command::find(id).map_or(id, |action| action.title);
    let tip = match cx.keymap.hint(id) {
        Some(key) => format!("{title}  ({key})"),
        None => title.to_string(),
    };
    let response = ui.button(icon.rich_text()).on_hover_text(tip);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), title));
    if response.clicked() {
        cx.emit_action(id);
    }
    response
}

/// A switch of one setting.
pub fn setting(
    ui: &mut Ui,
    cx: &Context,
    mut on: bool,
    name: &str,
    change: impl FnOnce(bool) -> Change,
) -> Response {
    let response = ui.checkbox(&mut on, name);
    if response.changed() {
        cx.emit(SettingsCommand::Set(change(on)));
    }
    response
}

/// The heading of a part of a panel.
pub fn heading(ui: &mut Ui, text: &str) {
    ui.add_space(6.0);
    ui.label(RichText::new(text).strong());
    ui.add_space(2.0);
}

/// A name in front of a widget; the widget is called by it.
pub fn labelled<R>(
    ui: &mut Ui,
    name: &str,
    add: impl FnOnce(&mut Ui) -> Response,
    after: impl FnOnce(&mut Ui) -> R,
) -> Response {
    ui.horizontal(|ui| {
        let label = ui.label(name);
        let response = add(ui).labelled_by(label.id);
        after(ui);
        response
    })
    .inner
}

/// What an empty part says: what it is for and how to begin.
pub fn empty_state(ui: &mut Ui, icon: MaterialIcon, text: &str) {
    ui.vertical_centered(|ui| {
        ui.add_space(12.0);
        ui.label(icon.rich_text().size(28.0).weak());
        ui.add_space(4.0);
        ui.label(RichText::new(text).weak());
        ui.add_space(12.0);
    });
}
