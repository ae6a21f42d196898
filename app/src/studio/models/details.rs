//! One model in full: facts, parts, licence, card.

use egui::{Button, Grid, RichText, ScrollArea, Ui};
use egui_material_icons::icons;
use mmface_engine::weights::PartState;

use super::ModelsCommand;
use super::State;
use super::card::Block;
use super::list::Entry;
use crate::studio::context::Context;
use crate::studio::facts::ModelStatus;
use crate::studio::model_memory::Runs;
use crate::studio::widgets::{empty_state, heading};

/// Draws the model that is selected.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    let colours = cx.theme.colours(ui).clone();
    if let ModelStatus::Failed(why) = &cx.facts.model {
        ui.colored_label(colours.error, format!("No model is loaded: {why}"));
        if ui.button("Try again").clicked() {
            cx.emit(ModelsCommand::Reload);
        }
        ui.separator();
    }
    let Some(entry) = selected(state, cx) else {
        empty_state(
            ui,
            icons::ICON_INBOX,
            "A model turns a drawing and a prompt into a portrait.\nThe small demo model comes with the source; larger ones are brought in on the left.",
        );
        return;
    };
    let entry: &Entry = entry;
    let mut commands = Vec::new();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.heading(entry.title());
        let (colour, text) = match &entry.runs {
            Runs::Yes(text) => (colours.good, text),
            Runs::Tight(text) => (colours.warning, text),
            Runs::No(text) => (colours.error, text),
        };
        ui.add(egui::Label::new(RichText::new(text).color(colour)).wrap());
        ui.horizontal(|ui| {
            let loaded = cx
                .facts
                .model
                .ready()
                .is_some_and(|model| model.name == entry.listed.name);
            let usable = !matches!(entry.runs, Runs::No(_))
                && !matches!(cx.facts.model, ModelStatus::Loading { .. })
                && !loaded;
            let name = &entry.listed.name;
            let button = ui.add_enabled(usable, Button::new(if loaded { "In use" } else { "Use" }));
            let label = if loaded {
                format!("{name} is in use")
            } else {
                format!("Use {name}")
            };
            button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, usable, &label));
            if button
                .on_hover_text("Load it now, and at every start")
                .clicked()
            {
                commands.push(ModelsCommand::Use(entry.reference()));
            }
            let idle = state.work.is_none();
            let button = ui.add_enabled(idle, Button::new("Verify"));
            button.widget_info(|| {
                egui::WidgetInfo::labeled(egui::Role::Button, idle, format!("Verify {name}"))
            });
            if button
                .on_hover_text("Hash every file and look at every number")
                .clicked()
            {
                commands.push(ModelsCommand::Verify(entry.listed.path.clone()));
            }
        });
        if let Some(note) = cx
            .facts
            .model
            .ready()
            .filter(|model| model.name == entry.listed.name)
            .and_then(|model| model.note.as_ref())
        {
            ui.weak(note);
        }
        ui.add_space(6.0);
        Grid::new("model_facts")
            .num_columns(2)
            .spacing([16.0, 4.0])
            .show(ui, |ui| {
                for (name, value) in entry
                    .facts
                    .iter()
                    .chain([&("Licence", entry.licence.clone())])
                {
                    ui.weak(*name);
                    ui.add(egui::Label::new(value).wrap());
                    ui.end_row();
                }
            });
        heading(ui, "Parts");
        let checked = state.verified.get(&entry.listed.path);
        parts(ui, checked.unwrap_or(&entry.listed.parts), &colours);
        if !entry.card.is_empty() {
            ui.add_space(6.0);
            ui.separator();
            card(ui, &entry.card);
        }
    });
    for command in commands {
        cx.emit(command);
    }
}

fn parts(ui: &mut Ui, parts: &[PartState], colours: &crate::studio::theme::Colours) {
    Grid::new("model_parts")
        .num_columns(5)
        .striped(true)
        .spacing([14.0, 4.0])
        .show(ui, |ui| {
            for title in ["Part", "Size", "File", "Shapes", "Hash"] {
                ui.strong(title);
            }
            ui.end_row();
            for part in parts {
                ui.label(part.part.title());
                ui.label(mmface_engine::format::bytes(part.bytes));
                let file = match &part.path {
                    Some(path) => path
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                    None if part.needed => "missing".into(),
                    None => "none".into(),
                };
                let response = ui.label(file);
                if let Some(path) = &part.path {
                    response.on_hover_text(path.display().to_string());
                }
                match (&part.problem, &part.path) {
                    (Some(problem), _) => {
                        ui.add(
                            egui::Label::new(RichText::new(problem).color(colours.error)).wrap(),
                        );
                        ui.label("");
                    }
                    (None, Some(_)) => {
                        ui.label("fit");
                        if part.hash_checked {
                            ui.colored_label(colours.good, "as in the package");
                        } else {
                            ui.weak("not checked yet");
                        }
                    }
                    (None, None) => {
                        ui.label("");
                        ui.label("");
                    }
                }
                ui.end_row();
            }
        });
}

fn card(ui: &mut Ui, blocks: &[Block]) {
    for (number, block) in blocks.iter().enumerate() {
        match block {
            Block::Heading(text) => heading(ui, text),
            Block::Text(text) => {
                ui.add(egui::Label::new(text).wrap());
            }
            Block::Item(text) => {
                ui.horizontal_top(|ui| {
                    ui.label("•");
                    ui.add(egui::Label::new(text).wrap());
                });
            }
            Block::Code(text) => {
                ui.monospace(text);
            }
            Block::Table(rows) => {
                ScrollArea::horizontal()
                    .id_salt(("card", number))
                    .show(ui, |ui| {
                        Grid::new(("card_table", number))
                            .striped(true)
                            .spacing([14.0, 3.0])
                            .show(ui, |ui| {
                                for (row, cells) in rows.iter().enumerate() {
                                    for cell in cells {
                                        let text = RichText::new(cell).small();
                                        ui.label(if row == 0 { text.strong() } else { text });
                                    }
                                    ui.end_row();
                                }
                            });
                    });
            }
        }
    }
}

/// The entry whose details are shown: the chosen one, else the loaded one, else the first.
pub(super) fn selected<'a>(state: &'a State, cx: &Context) -> Option<&'a Entry> {
    let entries = &state.listing.as_ref()?.entries;
    let chosen = state.selected.as_deref();
    let loaded = cx.facts.model.ready().map(|model| model.name.as_str());
    entries
        .iter()
        .find(|entry| {
            chosen.is_some_and(|name| entry.reference() == name || entry.listed.name == name)
        })
        .or_else(|| {
            entries
                .iter()
                .find(|entry| Some(entry.listed.name.as_str()) == loaded)
        })
        .or_else(|| entries.first())
}
