//! The bar above the canvas: the layer, and what the tool at hand can be told.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{
    ComboBox, DragValue, PopupCloseBehavior, Response, Role, ScrollArea, Slider, Ui, WidgetInfo,
};
use egui_material_icons::icons;
use mmface_engine::labels::palette;

use super::ToolsCommand;
use crate::paint::{Layer, Radii, Target, ToolOption, ToolSettings};
use crate::studio::command::CanvasCommand;
use crate::studio::context::Context;
use crate::studio::settings::Change;
use crate::studio::widgets::{action_button, setting};

/// Draws the bar.
pub(super) fn show(ui: &mut Ui, cx: &Context) {
    ui.add_space(3.0);
    ScrollArea::horizontal()
        .scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysHidden)
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.set_min_height(24.0);
                layers(ui, cx);
                ui.separator();
                let mut settings = cx.document.painter.settings.clone();
                tool(ui, cx, &mut settings);
                if settings != cx.document.painter.settings {
                    cx.emit(ToolsCommand::Settings(Box::new(settings)));
                }
                ui.separator();
                if cx.document.painter.settings.layer == Layer::Mask {
                    target(ui, cx);
                }
                view(ui, cx);
                action_button(ui, cx, icons::ICON_FACE, "tools.templates");
                files(ui, cx);
            });
        });
    ui.add_space(3.0);
}

fn layers(ui: &mut Ui, cx: &Context) {
    ui.spacing_mut().item_spacing.x = 2.0;
    let key = cx.keymap.hint("tools.layer").unwrap_or_default();
    for (layer, title, about) in [
        (Layer::Mask, "Mask", "Class areas: what is where"),
        (Layer::Sketch, "Sketch", "Lines: may be soft"),
    ] {
        let on = cx.document.painter.settings.layer == layer;
        let response = ui
            .selectable_label(on, title)
            .on_hover_text(format!("{about}  ({key})"));
        if response.clicked() {
            cx.emit(ToolsCommand::Layer(layer));
        }
    }
    ui.spacing_mut().item_spacing.x = cx.theme.gap;
}

/// A slider with its name in front, and a tooltip.
fn slider(ui: &mut Ui, name: &str, tip: &str, width: f32, slider: Slider<'_>) -> Response {
    let label = ui.label(name);
    ui.spacing_mut().slider_width = width;
    let response = ui.add(slider).labelled_by(label.id).on_hover_text(tip);
    label.on_hover_text(tip);
    response
}

fn tool(ui: &mut Ui, cx: &Context, settings: &mut ToolSettings) {
    let hint = |id: &str| cx.keymap.hint(id).unwrap_or_default();
    let size_tip = format!(
        "Diameter in canvas pixels  ({} and {}, Alt-drag on the canvas)",
        hint("tools.smaller"),
        hint("tools.larger")
    );
    let acting = settings.acting_tool();
    if let Some(radius) = settings.radius() {
        let mut size = radius * 2.0;
        let range = 2.0 * Radii::MIN..=2.0 * Radii::MAX;
        let sizes = Slider::new(&mut size, range)
            .logarithmic(true)
            .fixed_decimals(0)
            .suffix(" px");
        if slider(ui, "Size", &size_tip, 84.0, sizes).changed() {
            settings.set_radius(size / 2.0);
        }
    }
    for option in acting.info().options {
        show_option(ui, cx, settings, option);
    }
}

fn show_option(ui: &mut Ui, cx: &Context, settings: &mut ToolSettings, option: &ToolOption) {
    match *option {
        ToolOption::Pixels {
            name,
            about,
            max,
            get,
            set,
        } => {
            let mut pixels = get(settings);
            let bar = Slider::new(&mut pixels, 0..=max).suffix(" px");
            if slider(ui, name, about, 60.0, bar).changed() {
                set(settings, pixels);
            }
        }
        ToolOption::Percent {
            name,
            about,
            get,
            set,
        } => {
            let mut share = get(settings);
            percent(ui, name, about, &mut share);
            set(settings, share);
        }
        ToolOption::Switch {
            name,
            about,
            get,
            set,
        } => {
            let mut on = get(settings);
            ui.checkbox(&mut on, name).on_hover_text(about);
            set(settings, on);
        }
        ToolOption::Choice {
            name,
            choices,
            get,
            set,
        } => {
            let mut chosen = get(settings);
            ComboBox::from_id_salt(name)
                .selected_text(choices.get(chosen).copied().unwrap_or_default())
                .show_ui(ui, |ui| {
                    for (i, choice) in choices.iter().enumerate() {
                        ui.selectable_value(&mut chosen, i, *choice);
                    }
                })
                .response
                .widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, name));
            set(settings, chosen);
        }
        ToolOption::Stroke => more(ui, cx, settings),
        ToolOption::Hint(text) => {
            ui.weak(text);
        }
    }
}

fn percent(ui: &mut Ui, name: &str, tip: &str, value: &mut f32) {
    let label = ui.label(name);
    let mut shown = *value * 100.0;
    let field = DragValue::new(&mut shown)
        .range(0.0..=100.0)
        .fixed_decimals(0)
        .suffix(" %");
    let response = ui.add(field).labelled_by(label.id).on_hover_text(tip);
    if response.changed() {
        *value = shown / 100.0;
    }
}

/// A menu of sliders: a click inside does not close it.
fn staying() -> MenuConfig {
    MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside)
}

/// Smoothing and pressure, which are set rarely.
fn more(ui: &mut Ui, cx: &Context, settings: &mut ToolSettings) {
    let on_mask = cx.document.painter.settings.layer == Layer::Mask;
    MenuButton::new("Stroke").config(staying()).ui(ui, |ui| {
        ui.set_min_width(250.0);
        let calm = Slider::new(&mut settings.stabiliser.smoothing, 0.0..=1.0).fixed_decimals(2);
        slider(
            ui,
            "Smoothing",
            "Calms a trembling hand; fast strokes stay quick",
            110.0,
            calm,
        );
        let string = Slider::new(&mut settings.stabiliser.string, 0.0..=120.0)
            .fixed_decimals(0)
            .suffix(" px");
        slider(
            ui,
            "Pulled string",
            "The pen follows at the end of a string of this length",
            110.0,
            string,
        );
        ui.separator();
        let pressure = cx.settings.pressure;
        setting(ui, cx, pressure, "Pen pressure counts", Change::Pressure);
        ui.add_enabled_ui(cx.settings.pressure, |ui| {
            ui.checkbox(&mut settings.pressure_width, "Pressure changes the width");
            if !on_mask {
                ui.checkbox(
                    &mut settings.pressure_opacity,
                    "Pressure changes the darkness",
                );
            }
        });
        if on_mask {
            ui.separator();
            ui.checkbox(&mut settings.contour_fill, "Fill closed strokes")
                .on_hover_text("A stroke that ends where it began fills what it encloses");
        }
    });
}

fn target(ui: &mut Ui, cx: &Context) {
    let settings = &cx.document.painter.settings;
    let key = cx.keymap.hint("tools.target").unwrap_or_default();
    let title = |class: u8| {
        let entry = palette().classes.get(usize::from(class));
        entry.map_or_else(String::new, |entry| entry.title.to_lowercase())
    };
    let text = |target: Target| match target {
        Target::Everything => "Over everything".to_owned(),
        Target::Background => "Over background".to_owned(),
        Target::Class(class) => format!("Over {}", title(class)),
    };
    let class = match settings.target {
        Target::Class(class) => class,
        _ => settings.class,
    };
    let now = settings.target;
    let response = ComboBox::from_id_salt("target")
        .width(112.0)
        .truncate()
        .selected_text(text(now))
        .show_ui(ui, |ui| {
            for target in [Target::Everything, Target::Background, Target::Class(class)] {
                if ui.selectable_label(now == target, text(target)).clicked() {
                    cx.emit(ToolsCommand::Target(target));
                }
            }
        })
        .response;
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Paint target"));
    response.on_hover_text(format!("What strokes may paint over  ({key})"));
}

fn view(ui: &mut Ui, cx: &Context) {
    let name = "Layers on screen";
    let (response, _) = MenuButton::new(icons::ICON_LAYERS.rich_text())
        .config(staying())
        .ui(ui, |ui| {
            ui.set_min_width(240.0);
            let mut opacities = cx.document.opacities;
            for (name, tip, value) in [
                (
                    "Mask",
                    "Opacity of the mask over a picture or photo",
                    &mut opacities.mask,
                ),
                (
                    "Other layer",
                    "Opacity of the layer that is not painted on",
                    &mut opacities.other,
                ),
                (
                    "Photo",
                    "Opacity of the photo under the drawing",
                    &mut opacities.onion,
                ),
            ] {
                let bar = Slider::new(value, 0.0..=1.0).fixed_decimals(2);
                slider(ui, name, tip, 110.0, bar);
            }
            ui.checkbox(
                &mut opacities.contours,
                "Lines between classes over pictures",
            );
            if opacities != cx.document.opacities {
                cx.emit(CanvasCommand::Opacities(opacities));
            }
            ui.separator();
            let settings = &cx.settings;
            for (on, name, change) in [
                (
                    settings.friendly_colours,
                    "Colours for colour-blind eyes",
                    Change::FriendlyColours as fn(bool) -> Change,
                ),
                (settings.hatch, "Stripes on classes", Change::Hatch),
            ] {
                setting(ui, cx, on, name, change);
            }
            setting(
                ui,
                cx,
                settings.class_names,
                "Names on classes",
                Change::ClassNames,
            )
            .on_hover_text("Where a region is large enough on screen: zoom in for more");
            if cx.facts.canvas.has_picture || cx.document.under.is_some() {
                ui.separator();
            }
            if cx.facts.canvas.has_picture
                && ui.button("Put the picture under the drawing").clicked()
            {
                cx.emit(CanvasCommand::PictureUnder);
            }
            if cx.document.under.is_some() && ui.button("Take away what lies under it").clicked() {
                cx.emit(CanvasCommand::ClearOnion);
            }
        });
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    response.on_hover_text(name);
}

/// Import, export and the canvas's size.
fn files(ui: &mut Ui, cx: &Context) {
    let name = "Import, export, canvas size";
    let (response, _) = MenuButton::new(icons::ICON_MORE_HORIZ.rich_text()).ui(ui, |ui| {
        for id in [
            "tools.import_mask",
            "tools.import_sketch",
            "tools.export_mask",
            "tools.export_sketch",
            "",
            "tools.side_512",
            "tools.side_1024",
            "",
            "tools.centre_mirror",
            "tools.free",
        ] {
            let Some(action) = crate::studio::command::find(id) else {
                ui.separator();
                continue;
            };
            let mut button = egui::Button::new(action.title);
            if let Some(key) = cx.keymap.hint(id) {
                button = button.shortcut_text(key);
            }
            if ui.add(button).clicked() {
                cx.emit_action(id);
                ui.close();
            }
        }
    });
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    response.on_hover_text(name);
}
