//! Sharing a picture: how much it tells about itself is decided before it leaves.

use std::path::{Path, PathBuf};

use egui::{Context, Ui, vec2};
use mmface_engine::file::{self, Overwrite};
use mmface_engine::picture::{RgbImage, read};
use mmface_engine::provenance::{self, Level};
use mmface_engine::{Error, Result};

use super::{ResultsCommand, library};
use crate::grid;
use crate::studio::dialogs::{Ask, AskKind};
use crate::studio::dispatcher::Studio;
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
pub fn toggle(studio: &mut Studio) {
    if studio.results.export.take().is_some() {
        return;
    }
    let Some(entry) = super::current(studio) else {
        return;
    };
    let source = library(studio).path(&entry.file);
    let file = entry.file.clone();
    studio.results.export = Some(Export {
        file: entry.file,
        level: Level::Recipe,
        label: false,
        signed: false,
    });
    let look = "looking for a signature";
    studio.spawn(look, move || {
        // What cannot be read is said when it is exported.
        let signed = read::read_bytes(&source).is_ok_and(|bytes| provenance::is_signed(&bytes));
        move |studio: &mut Studio| {
            let open = studio.results.export.as_mut();
            if let Some(export) = open.filter(|export| export.file == file) {
                export.signed = signed;
            }
        }
    });
}

/// Asks where to, and writes the picture there.
pub fn save(studio: &mut Studio) {
    let Some(export) = studio.results.export.clone() else {
        return;
    };
    let name = Path::new(&export.file).file_name().unwrap_or_default();
    let ask = Ask {
        title: "Export the picture".into(),
        kind: AskKind::Save,
        filter: Some(("PNG".into(), vec!["png".into()])),
        name: name.to_string_lossy().into_owned(),
    };
    studio.ask(&ask, move |studio, path| write_to(studio, export, path));
}

fn write_to(studio: &mut Studio, export: Export, mut path: PathBuf) {
    if path.extension().is_none() {
        path.set_extension("png");
    }
    let source = library(studio).path(&export.file);
    studio.spawn("exporting the picture", move || {
            let written = write(&source, &export, &path);
            move |studio: &mut Studio| match written {
                Ok(true) => {
                    studio.results.export = None;
                    let name = path.display();
                    studio.tell(Toast::Success(format!("exported to {name}")));
                }
                Ok(false) => {
                    studio.results.export = Some(Export {
                        signed: true,
                        ..export
                    });
                    let text = "nothing is written yet: the picture is signed, read what becomes of that and save again";
                    studio.tell(Toast::Warning(text.into()));
                }
                Err(error) => studio.tell(Toast::Error(error.to_string())),
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
pub fn show_window(ctx: &Context, studio: &mut Studio) {
    let Some(mut export) = studio.results.export.take() else {
        return;
    };
    let mut open = true;
    egui::Window::new("Export")
        .open(&mut open)
        .default_size(vec2(380.0, 280.0))
        .default_pos(super::panel::window_place(ctx))
        .collapsible(false)
        .resizable(false)
        .show(ctx, |ui| contents(ui, studio, &mut export));
    studio.results.export = Some(export);
    if !open {
        studio.emit(ResultsCommand::Export);
    }
}

fn contents(ui: &mut Ui, studio: &mut Studio, export: &mut Export) {
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
        let warning = studio.context.theme.colours(ui).warning;
        ui.add(egui::Label::new(egui::RichText::new(SIGNED).color(warning)).wrap());
    }
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        if ui.button("Save as …").clicked() {
            studio.emit(ResultsCommand::SaveExport);
        }
        if ui.button("Cancel").clicked() {
            studio.emit(ResultsCommand::Export);
        }
    });
}
