//! Where the panels are.

use egui::{CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};
use egui_material_icons::icons;

use super::command::{ShellCommand, Workspace};
use super::dispatcher::Studio;
use super::widgets::{action_button, icon_toggle};
use super::{
    canvas, generate, models, palette, persistence, photo, results, settings_window, sweep, tools,
    trainer,
};

/// Draws the whole window.
pub(super) fn show(ui: &mut Ui, studio: &mut Studio) {
    let bar = Frame::side_top_panel(ui.style()).inner_margin(Margin::symmetric(8, 5));
    Panel::top("bar")
        .frame(bar)
        .show(ui, |ui| top_bar(ui, studio));
    match studio.context.workspace {
        Workspace::Studio => show_studio(ui, studio),
        Workspace::Trainer => {
            trainer::panel::show(ui, &mut studio.trainer, &studio.context);
        }
        Workspace::Models => {
            CentralPanel::default_margins().show(ui, |ui| {
                models::panel::show(ui, &mut studio.models, &studio.context)
            });
        }
    }
    let cx = &studio.context;
    palette::panel::show(ui, &mut studio.palette, cx);
    settings_window::panel::show(ui, &mut studio.settings_window, cx);
    photo::panel::show_window(ui, &mut studio.photo, cx);
    results::panel::show_windows(ui, &mut studio.results, &studio.context);
    models::about::show_windows(ui, &mut studio.models, &studio.context);
    // Unsaved work is asked about first.
    if studio.persistence.question.is_none() {
        trainer::panel::show_windows(ui, &mut studio.trainer, &studio.context);
    }
    persistence::panel::show_windows(ui, &studio.persistence, &studio.context);
}

fn top_bar(ui: &mut Ui, studio: &mut Studio) {
    ui.horizontal(|ui| {
        persistence::panel::menu(ui, &studio.persistence, &studio.context);
        ui.separator();
        for (workspace, title) in [
            (Workspace::Studio, "Studio"),
            (Workspace::Trainer, "Trainer"),
            (Workspace::Models, "Models"),
        ] {
            if ui
                .selectable_label(studio.context.workspace == workspace, title)
                .clicked()
            {
                studio.emit(ShellCommand::Show(workspace));
            }
        }
        ui.separator();
        action_button(ui, &studio.context, icons::ICON_UNDO, "tools.undo");
        action_button(ui, &studio.context, icons::ICON_REDO, "tools.redo");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            action_button(ui, &studio.context, icons::ICON_SETTINGS, "settings.show");
            action_button(ui, &studio.context, icons::ICON_SEARCH, "palette.show");
            for (on, icon, name, command) in [
                (
                    studio.context.settings.show_right,
                    icons::ICON_RIGHT_PANEL_OPEN,
                    "Prompt and settings",
                    ShellCommand::ToggleRight,
                ),
                (
                    studio.context.settings.show_filmstrip,
                    icons::ICON_BOTTOM_PANEL_OPEN,
                    "Filmstrip",
                    ShellCommand::ToggleFilmstrip,
                ),
                (
                    studio.context.settings.show_left,
                    icons::ICON_LEFT_PANEL_OPEN,
                    "Tools and classes",
                    ShellCommand::ToggleLeft,
                ),
            ] {
                if icon_toggle(ui, on, icon, name).clicked() {
                    studio.emit(command);
                }
            }
            ui.separator();
            models::panel::show_status(ui, &studio.context);
            trainer::panel::show_status(ui, &mut studio.trainer, &studio.context);
            ui.centered_and_justified(|ui| {
                persistence::panel::title(ui, &studio.persistence, &studio.context)
            });
        });
    });
}

fn show_studio(ui: &mut Ui, studio: &mut Studio) {
    if studio.context.settings.show_left {
        Panel::left("tools")
            .exact_size(46.0)
            .resizable(false)
            .show(ui, |ui| {
                ScrollArea::vertical()
                    .scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysHidden)
                    .show(ui, |ui| tools::panel::show_strip(ui, &studio.context));
            });
        Panel::left("classes")
            .default_size(178.0)
            .size_range(150.0..=260.0)
            .show(ui, |ui| {
                tools::panel::show_classes(ui, &mut studio.tools, &studio.context);
            });
    }
    if studio.context.settings.show_right {
        Panel::right("generate")
            .default_size(292.0)
            .size_range(250.0..=440.0)
            .show(ui, |ui| {
                let elsewhere = studio.palette.open || studio.settings_window.open;
                // The button stays in sight whatever is unfolded above it.
                Panel::bottom("generate_button")
                    .show_separator_line(false)
                    .show(ui, |ui| {
                        generate::panel::show_button(
                            ui,
                            &mut studio.generate,
                            &studio.context,
                            elsewhere,
                        )
                    });
                ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                    generate::panel::show_prompt(ui, &mut studio.generate, &studio.context);
                    sweep::panel::show(ui, &mut studio.sweep, &studio.context);
                    generate::panel::show_values(ui, &mut studio.generate, &studio.context);
                    photo::panel::show(ui, &studio.photo, &studio.context);
                    generate::panel::show_queue(ui, &mut studio.generate, &studio.context);
                });
            });
    }
    if studio.context.settings.show_filmstrip {
        Panel::bottom("filmstrip")
            .default_size(124.0)
            .size_range(96.0..=260.0)
            .resizable(true)
            .show(ui, |ui| {
                results::panel::show(ui, &mut studio.results, &studio.context)
            });
    }
    Panel::top("options").show(ui, |ui| {
        tools::panel::show_options(ui, &mut studio.tools, &studio.context)
    });
    let beside = canvas::panel::Beside {
        lit: studio
            .tools
            .lit
            .filter(|_| studio.context.settings.show_left),
        elsewhere: studio.tools.gallery.open
            || studio.tools.import.is_some()
            || studio.photo.photo.is_some(),
    };
    CentralPanel::no_frame().show(ui, |ui| {
        canvas::panel::show(ui, &mut studio.canvas, &mut studio.context, beside)
    });
}
