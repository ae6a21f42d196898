//! Sharing a picture: how much it tells about itself is decided before it leaves.

use std::path::{Path, PathBuf};

use egui::{Ui, vec2};
use mmface_engine::file::{self, Overwrite};
use mmface_engine::picture::{RgbImage, read};
use mmface_engine::provenance::{self, Level};
use mmface_engine::{Error, Result};

use super::State;
use super::window_place::window_place;
use super::{ResultsCommand, library};
use crate::grid;
use crate::studio::context::Context;
use crate::studio::dialogs::{Ask, AskKind};
use crate::studio::toast::Toast;

/// What a visible label says.
const LABEL: &str = "AI generated";

/// The export dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// The picture in the library.
    pub file: String,
    /// How much it tells.
    pub level: Level,
    /// A visible label in the corner.
    pub label: bool,
    /// The picture carries a C2PA signature, and the dialog says what becomes of it.
    pub signed: bool,
}

/// What the dialog says of a signed picture.
const SIGNED: &str = "This picture is signed (C2PA). A signature holds for the very file: it would not be valid for the new one, which goes without it. The picture in the library keeps it.";

/// Opens the dialog for the current picture, or closes it.
pub fn toggle(state: &mut State, cx: &mut Context) {
    if state.export.take().is_some() {
        return;
    }
    let Some(entry) = super::current(state, cx) else {
        return;
    };
    let source = library(state, cx).path(&entry.file);
    let file = entry.file.clone();
    state.export = Some(Export {
        file: entry.file,
        level: Level::Recipe,
        label: false,
        signed: false,
    });
    let look = "looking for a signature";
    cx.spawn(&state.inbox, look, move || {
        // What cannot be read is said when it is exported.
        let signed = read::read_bytes(&source).is_ok_and(|bytes| provenance::is_signed(&bytes));
        move |state: &mut State, _: &mut Context| {
            let open = state.export.as_mut();
            if let Some(export) = open.filter(|export| export.file == file) {
                export.signed = signed;
            }
        }
    });
}

/// Asks where to, and writes the picture there.
pub fn save(state: &mut State, cx: &mut Context) {
    let Some(export) = state.export.clone() else {
        return;
    };
    let name = Path::new(&export.file).file_name().unwrap_or_default();
    let ask = Ask {
        title: "Export the picture".into(),
        kind: AskKind::Save,
        filter: Some(("PNG".into(), vec!["png".into()])),
        name: name.to_string_lossy().into_owned(),
    };
    cx.ask(&state.inbox, &ask, move |state, cx, path| {
        write_to(state, cx, export, path)
    });
}

fn write_to(state: &mut State, cx: &mut Context, export: Export, mut path: PathBuf) {
    if path.extension().is_none() {
        path.set_extension("png");
    }
    let source = library(state, cx).path(&export.file);
    cx.spawn(&state.inbox, "exporting the picture", move || {
            let written = write(&source, &export, &path);
            move |state: &mut State, cx: &mut Context| match written {
                Ok(true) => {
                    state.export = None;
                    let name = path.display();
                    cx.tell(Toast::Success(format!("exported to {name}")));
                }
                Ok(false) => {
                    state.export = Some(Export {
                        signed: true,
                        ..export
                    });
                    let text = "nothing is written yet: the picture is signed, read what becomes of that and save again";
                    cx.tell(Toast::Warning(text.into()));
                }
                Err(error) => cx.tell(Toast::Error(error.to_string())),
            }
        });
}

/// Writes the picture; false when it is signed and nobody was told what becomes of that.
fn write(source: &Path, export: &Export, path: &Path) -> Result<bool> {
    let bytes = read::read_bytes(source)?;
    if provenance::is_signed(&bytes) && !export.signed {
        return Ok(false);
    }
    let copy = encode(&bytes, source, export)?;
    file::write(path, &copy, Overwrite::Replace)?;
    Ok(true)
}

/// The picture as it leaves.
fn encode(bytes: &[u8], source: &Path, export: &Export) -> Result<Vec<u8>> {
    if !export.label {
        return provenance::relabel(bytes, export.level, source);
    }
    let mut picture: RgbImage = read::decode(bytes, source)?.to_rgb();
    grid::stamp(&mut picture, LABEL);
    let recipe = provenance::read_bytes(bytes, source)?.recipe;
    let recipe = recipe.ok_or_else(|| {
        Error::content(
            source,
            "the picture has no recipe",
            "export it without the label",
        )
    })?;
    provenance::encode_as(&picture, &recipe, export.level)
}

/// Draws the dialog.
pub fn show_window(ctx: &egui::Context, state: &mut State, cx: &Context) {
    let Some(export) = &mut state.export else {
        return;
    };
    let mut open = true;
    egui::Window::new("Export")
        .open(&mut open)
        .default_size(vec2(380.0, 280.0))
        .default_pos(window_place(ctx))
        .collapsible(false)
        .resizable(false)
        .show(ctx, |ui| contents(ui, cx, export));
    if !open {
        cx.emit(ResultsCommand::Export);
    }
}

fn contents(ui: &mut Ui, cx: &Context, export: &mut Export) {
    ui.label("How much the picture tells about itself:");
    for (level, title, about) in [
        (
            Level::Recipe,
            "Full recipe",
            "Prompt, seed, settings and drawing: whoever has the file can draw it again",
        ),
        (
            Level::Mark,
            "AI mark and program",
            "That a trained algorithm made it, and which program; no prompt, no drawing",
        ),
        (
            Level::Minimum,
            "AI mark only",
            "Nothing but the machine-readable mark that the law asks for",
        ),
    ] {
        ui.radio_value(&mut export.level, level, title);
        ui.indent(title, |ui| ui.weak(about));
    }
    ui.add_space(4.0);
    ui.checkbox(
        &mut export.label,
        format!("Write “{LABEL}” into the corner"),
    );
    ui.weak("Most chats and social sites remove every mark from a file; a visible label stays.");
    if export.signed {
        let warning = cx.theme.colours(ui).warning;
        ui.add(egui::Label::new(egui::RichText::new(SIGNED).color(warning)).wrap());
    }
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        if ui.button("Save as …").clicked() {
            cx.emit(ResultsCommand::SaveExport);
        }
        if ui.button("Cancel").clicked() {
            cx.emit(ResultsCommand::Export);
        }
    });
}
