//! The File menu, the project's name, the question about unsaved work, and the list of lost work.

use std::path::Path;

use egui::{Button, Id, Key, Modal, RichText, Role, ScrollArea, Ui, WidgetInfo, vec2};

use super::{Next, PersistenceCommand, State, UnsavedAnswer, is_unsaved, name};
use crate::project::file::EXTENSION;
use crate::studio::command::ShellCommand;
use crate::studio::context::Context;
use crate::studio::recent_list;

/// Draws the File menu.
pub fn menu(ui: &mut Ui, state: &State, cx: &Context) {
    ui.menu_button("File", |ui| {
        ui.set_min_width(220.0);
        entry(ui, cx, "keeping.new", "New");
        entry(ui, cx, "keeping.open", "Open…");
        ui.menu_button("Open recent", |ui| {
            ui.set_min_width(240.0);
            if recent_list::show(ui, cx, 10, "") {
                ui.close();
            }
        });
        ui.separator();
        entry(ui, cx, "keeping.save", "Save");
        entry(ui, cx, "keeping.save_as", "Save as…");
        let mut copies = state.copies;
        let keeps = ui
            .checkbox(&mut copies, "Keep copies of results in the project")
            .on_hover_text(
                "The project then carries its pictures to another machine; the file grows",
            );
        if keeps.changed() {
            cx.emit(PersistenceCommand::Copies(copies));
        }
        ui.separator();
        entry(ui, cx, "keeping.lost", "Recover lost work…");
        ui.separator();
        let quit =
            Button::new("Quit").shortcut_text(cx.keymap.hint("shell.quit").unwrap_or_default());
        if ui.add(quit).clicked() {
            cx.emit(ShellCommand::Quit);
            ui.close();
        }
    });
}

fn entry(ui: &mut Ui, cx: &Context, id: &str, title: &str) {
    let key = cx.keymap.hint(id).unwrap_or_default();
    if ui.add(Button::new(title).shortcut_text(key)).clicked() {
        cx.emit_action(id);
        ui.close();
    }
}

/// Draws the project's name and whether it is saved.
pub fn title(ui: &mut Ui, state: &State, cx: &Context) {
    let unsaved = is_unsaved(state, cx);
    let name = name(state);
    let text = if unsaved {
        format!("{name} •")
    } else {
        name.clone()
    };
    let label = ui.label(RichText::new(text).weak());
    let word = if unsaved { "not saved" } else { "saved" };
    label.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("Project {name}, {word}")));
    let place = state.file.as_ref().map(|file| file.display().to_string());
    let tip = match (place, unsaved) {
        (Some(place), true) => format!("{place}\nhas changes that are not saved"),
        (Some(place), false) => place,
        (None, true) => "Not saved yet; a crash would not lose it".into(),
        (None, false) => "A new project".into(),
    };
    label.on_hover_text(tip);
}

/// Draws the question and the list of lost work when they are due, and takes dropped projects.
pub fn show_windows(ui: &mut Ui, state: &State, cx: &Context) {
    take_dropped(ui, cx);
    if state.question.is_some() {
        question(ui, state, cx);
    } else if state.offering {
        lost_work(ui, state, cx);
    }
}

fn take_dropped(ui: &Ui, cx: &Context) {
    let dropped = ui.input(|input| input.raw.dropped_files.clone());
    let is_project = |path: &&Path| path.extension().is_some_and(|ending| ending == EXTENSION);
    if let Some(path) = dropped.iter().map(|file| file.path()).find(is_project) {
        cx.emit(PersistenceCommand::OpenFile(path.to_owned()));
    }
}

fn question(ui: &Ui, state: &State, cx: &Context) {
    let name = name(state);
    let what = match &state.question {
        Some(Next::Quit) => "before the program ends",
        Some(Next::New) => "before a new project begins",
        Some(Next::Open(_)) => "before another project opens",
        _ => "before lost work is restored",
    };
    let modal = Modal::new(Id::unique("unsaved work")).show(ui.ctx(), |ui| {
        ui.set_width(380.0);
        ui.heading(format!("Save {name} first?"));
        ui.add_space(4.0);
        ui.label(format!(
            "It has changes that are in no file yet. Save them {what}?"
        ));
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            let save = ui.button("Save");
            // Enter saves: the answer that loses nothing.
            if ui.memory(|memory| memory.focused().is_none()) {
                save.request_focus();
            }
            if save.clicked() {
                cx.emit(PersistenceCommand::Answer(UnsavedAnswer::Save));
            }
            if ui.button("Don't save").clicked() {
                cx.emit(PersistenceCommand::Answer(UnsavedAnswer::Discard));
            }
            if ui.button("Cancel").clicked() {
                cx.emit(PersistenceCommand::Answer(UnsavedAnswer::Cancel));
            }
        });
    });
    if modal.should_close() {
        cx.emit(PersistenceCommand::Answer(UnsavedAnswer::Cancel));
    }
}

fn lost_work(ui: &Ui, state: &State, cx: &Context) {
    let mut command = None;
    let State { offers, .. } = state;
    Modal::new(Id::unique("lost work")).show(ui.ctx(), |ui| {
        ui.set_width(440.0);
        ui.heading("Work that was not saved");
        ui.add_space(4.0);
        ui.label("MMFace Studio ended unexpectedly. This is what was on the canvas:");
        ui.add_space(8.0);
        ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            for offer in offers {
                ui.horizontal(|ui| {
                    ui.add(
                        egui::Image::new(&offer.picture)
                            .fit_to_exact_size(vec2(72.0, 72.0))
                            .alt_text("Preview of the drawing"),
                    );
                    ui.vertical(|ui| {
                        ui.set_width(220.0);
                        ui.label(RichText::new(offer.title()).strong());
                        let prompt = &offer.left.prompt;
                        if !prompt.is_empty() {
                            ui.add(egui::Label::new(prompt).truncate());
                        }
                        ui.label(RichText::new(offer.age()).weak());
                    });
                    let named = |ui: &mut Ui, text: &str| {
                        let button = ui.button(text);
                        let name = format!("{text} {}, {}", offer.title(), offer.age());
                        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                        button.clicked()
                    };
                    let folder = offer.left.folder.clone();
                    if named(ui, "Restore") {
                        command = Some(PersistenceCommand::Restore(folder));
                    } else if named(ui, "Discard") {
                        command = Some(PersistenceCommand::DiscardLost(folder));
                    }
                });
                ui.add_space(4.0);
            }
        });
        ui.add_space(8.0);
        let later = ui
            .button("Decide later")
            .on_hover_text("File > Recover lost work shows this again");
        if later.clicked() || ui.input(|input| input.key_pressed(Key::Escape)) {
            command = Some(PersistenceCommand::HideLost);
        }
    });
    if let Some(command) = command {
        cx.emit(command);
    }
}
