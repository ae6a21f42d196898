//! The models' workspace, and the loaded model in the top bar.

use egui::{Button, Panel, ProgressBar, RichText, ScrollArea, TextEdit, Ui};
use egui_material_icons::icons;
use mmface_engine::job::{Named as _, Objective};
use mmface_engine::weights::registry::Origin;

use super::State;
use super::list::{Entry, Scanned};
use super::{ModelsCommand, details};
use crate::studio::command::ShellCommand;
use crate::studio::command::Workspace;
use crate::studio::context::Context;
use crate::studio::facts::ModelStatus;
use crate::studio::model_memory::Runs;
use crate::studio::widgets::{empty_state, heading, icon_button};

/// How often work in progress is drawn.
pub(super) const GLANCE: std::time::Duration = std::time::Duration::from_millis(100);

/// Draws the workspace.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    take_dropped(ui, cx);
    Panel::left("model_list")
        .default_size(330.0)
        .size_range(260.0..=460.0)
        .show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                list(ui, state, cx);
                bring_in(ui, state, cx);
                folders(ui, state, cx);
            });
        });
    egui::CentralPanel::default_margins().show(ui, |ui| {
        work(ui, state, cx);
        details::show(ui, state, cx);
    });
}

/// Packages and folders that are dropped on this workspace are brought in.
fn take_dropped(ui: &Ui, cx: &Context) {
    let dropped: Vec<std::path::PathBuf> = ui.input(|input| {
        let files = input.raw.dropped_files.iter();
        files.map(|file| file.path().to_path_buf()).collect()
    });
    for path in dropped {
        if path
            .extension()
            .is_some_and(|ending| ending == mmface_engine::weights::package::EXTENSION)
        {
            cx.emit(ModelsCommand::Install(path));
        } else if path.is_dir() {
            cx.emit(ModelsCommand::PrepareImport(path));
        }
    }
}

fn list(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.horizontal(|ui| {
        heading(ui, "Models");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if icon_button(ui, icons::ICON_REFRESH, "Search for models again").clicked() {
                cx.emit(ModelsCommand::Refresh);
            }
            if ui.button("About").clicked() {
                cx.emit(ModelsCommand::About);
            }
        });
    });
    let Some(listing) = &state.listing else {
        ui.weak("Reading the folders…");
        return;
    };
    if listing.entries.is_empty() {
        empty_state(
            ui,
            icons::ICON_INBOX,
            "No model was found in the folders below. Import one, or add a folder.",
        );
        return;
    }
    let selected = details::selected(state, cx).map(Entry::reference);
    let mut wanted = None;
    for entry in &listing.entries {
        let reference = entry.reference();
        let loaded = cx
            .facts
            .model
            .ready()
            .is_some_and(|model| model.name == entry.listed.name);
        let state = match &entry.runs {
            _ if loaded => "in use",
            Runs::Yes(_) => "runs here",
            Runs::Tight(_) => "memory is short",
            Runs::No(_) => "does not run",
        };
        let text = format!(
            "{}\n{}, {state}",
            entry.title(),
            mmface_engine::format::bytes(entry.listed.bytes)
        );
        let chosen = selected.as_ref() == Some(&reference);
        let button =
            Button::selectable(chosen, text).min_size(egui::vec2(ui.available_width(), 0.0));
        if ui.add(button).clicked() {
            wanted = Some(reference);
        }
    }
    if let Some(reference) = wanted {
        cx.emit(ModelsCommand::Select(reference));
    }
}

fn bring_in(ui: &mut Ui, state: &mut State, cx: &Context) {
    heading(ui, "Bring in a model");
    if state.import.is_none() {
        ui.horizontal_wrapped(|ui| {
            for (text, tip, command) in [
                (
                    "From the authors' files…",
                    "A folder with the authors' safetensors; the files stay where they are",
                    ModelsCommand::AskImport,
                ),
                (
                    "From a package…",
                    "A .mmface file; it is copied and checked",
                    ModelsCommand::AskPackage,
                ),
            ] {
                if ui.button(text).on_hover_text(tip).clicked() {
                    cx.emit(command);
                }
            }
        });
        return;
    }
    let busy = state.work.is_some();
    let Some(form) = &mut state.import else {
        return;
    };
    let mut command = None;
    for (name, value, hint) in [
        ("Folder or file", &mut form.source, ""),
        ("Name", &mut form.name, "as the folder"),
        ("Autoencoder", &mut form.vae, "VAE in the folder"),
        ("Text tower", &mut form.text, "text_encoder in the folder"),
        ("Tokenizer", &mut form.tokenizer, "tokenizer in the folder"),
    ] {
        let label = ui.label(name);
        ui.add(
            TextEdit::singleline(value)
                .hint_text(hint)
                .desired_width(f32::INFINITY),
        )
        .labelled_by(label.id);
    }
    ui.horizontal_wrapped(|ui| {
        ui.label("Trained for");
        for (side, title) in [(0, "512 px, as usual"), (256, "256 px"), (1024, "1024 px")] {
            ui.selectable_value(&mut form.resolution, side, title);
        }
    });
    ui.horizontal_wrapped(|ui| {
        ui.label("Predicts");
        ui.selectable_value(&mut form.objective, None, "what the weights say");
        for &objective in Objective::ALL {
            ui.selectable_value(&mut form.objective, Some(objective), objective.title());
        }
    });
    ui.checkbox(&mut form.copy, "Copy the files")
        .on_hover_text("Else the package refers to them where they are");
    ui.checkbox(&mut form.quantise, "Store the transformer in 8 bits")
        .on_hover_text("A quarter of the size; pictures differ slightly");
    ui.horizontal(|ui| {
        let ready = !busy && !form.source.trim().is_empty();
        if ui.add_enabled(ready, Button::new("Import")).clicked() {
            command = Some(ModelsCommand::StartImport);
        }
        if ui.button("Choose a folder…").clicked() {
            command = Some(ModelsCommand::AskImport);
        }
        if ui.button("Never mind").clicked() {
            command = Some(ModelsCommand::DropImport);
        }
    });
    if let Some(command) = command {
        cx.emit(command);
    }
}

fn folders(ui: &mut Ui, state: &mut State, cx: &Context) {
    heading(ui, "Searched folders");
    let mut commands = Vec::new();
    let scanned = state.listing.iter().flat_map(|listing| &listing.scanned);
    for Scanned {
        root,
        exists,
        models,
        importable,
    } in scanned
    {
        let path = root.path.display().to_string();
        ui.horizontal(|ui| {
            if root.origin == Origin::Chosen
                && icon_button(ui, icons::ICON_CLOSE, &format!("Search {path} no more")).clicked()
            {
                commands.push(ModelsCommand::RemoveFolder(root.path.clone()));
            }
            ui.add(egui::Label::new(&path).truncate())
                .on_hover_text(&path);
        });
        let found = match (exists, models) {
            (false, _) => "not there".to_string(),
            (true, 1) => "1 model".to_string(),
            (true, count) => format!("{count} models"),
        };
        ui.weak(format!("{}: {found}", why(root.origin)));
        for folder in importable {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            if ui
                .button(format!("Import {name}…"))
                .on_hover_text("Weights in the authors' layout")
                .clicked()
            {
                commands.push(ModelsCommand::PrepareImport(folder.clone()));
            }
        }
    }
    if ui.button("Add a folder…").clicked() {
        commands.push(ModelsCommand::AskFolder);
    }
    ui.add_space(4.0);
    ui.weak("Models are never fetched from a network: bring them with the buttons above.");
    for command in commands {
        cx.emit(command);
    }
}

fn why(origin: Origin) -> &'static str {
    match origin {
        Origin::Home => "MMFACE_HOME",
        Origin::User => "your own models",
        Origin::Program => "beside the program",
        Origin::Source => "comes with the source",
        Origin::Chosen => "added by you",
    }
}

fn work(ui: &mut Ui, state: &mut State, cx: &Context) {
    let Some((name, progress)) = &state.work else {
        return;
    };
    let mut stop = false;
    ui.horizontal(|ui| {
        ui.label(name);
        let bar = match progress.fraction() {
            Some(fraction) => ProgressBar::new(fraction).text(progress.what()),
            None => ProgressBar::new(0.0).text("looking at the files"),
        };
        ui.add(bar.desired_width((ui.available_width() - 80.0).max(80.0)));
        stop = ui.button("Stop").clicked();
    });
    ui.ctx().request_repaint_after(GLANCE);
    if stop {
        cx.emit(ModelsCommand::StopWork);
    }
}

/// Draws the loaded model, or how far it is, or why there is none.
pub fn show_status(ui: &mut Ui, cx: &Context) {
    let error = cx.theme.colours(ui).error;
    let (text, tip) = match &cx.facts.model {
        ModelStatus::Nothing => return,
        ModelStatus::Loading { fraction, what } => {
            let text = RichText::new(format!("loading {what}")).small();
            ui.add(ProgressBar::new(*fraction).desired_width(150.0).text(text));
            return;
        }
        ModelStatus::Failed(why) => (RichText::new("No model").color(error), why.clone()),
        ModelStatus::Ready(model) => {
            let note = model.note.as_deref().unwrap_or("Show the models");
            let tip = format!(
                "{}\n{note}\nLoaded in {:.1} s",
                model.licence, model.seconds
            );
            let text = format!("{} · {}", model.title, model.device);
            (RichText::new(text), tip)
        }
    };
    let button = Button::new(text).frame(false).truncate();
    if ui.add(button).on_hover_text(tip).clicked() {
        cx.emit(ShellCommand::Show(Workspace::Models));
    }
}
