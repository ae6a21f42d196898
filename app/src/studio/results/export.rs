//! Sharing a picture: how much it tells about itself is decided before it leaves.

use std::path::{Path, PathBuf};

use egui::{Context, Ui, vec2};
use mmface_engine::picture::write::write_atomic;
use mmface_engine::picture::{RgbImage, read};
use mmface_engine::provenance::{self, Level};
use mmface_engine::{Error, Result};

use super::{ResultsCommand, library};
use crate::cli::grid;
use crate::studio::dialogs::{Ask, AskKind};
use crate::studio::state::Studio;
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
}

/// Opens the dialog for the current picture, or closes it.
pub fn toggle(studio: &mut Studio) {
    if studio.results.export.take().is_some() {
        return;
    }
    if let Some(entry) = super::current(studio) {
        studio.results.export = Some(Export {
            file: entry.file,
            level: Level::Recipe,
            label: false,
        });
    }
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
    studio
        .services
        .tasks
        .spawn("exporting the picture", move || {
            let written = encode(&source, &export).and_then(|bytes| write_atomic(&path, &bytes));
            move |studio: &mut Studio| match written {
                Ok(()) => {
                    studio.results.export = None;
                    let name = path.display();
                    studio.tell(Toast::Success(format!("exported to {name}")));
                }
                Err(error) => studio.tell(Toast::Error(error.to_string())),
            }
        });
}

/// The picture as it leaves.
///
/// # Errors
/// When the file cannot be read.
pub fn encode(source: &Path, export: &Export) -> Result<Vec<u8>> {
    let bytes = read::read_bytes(source)?;
    if !export.label {
        return provenance::relabel(&bytes, export.level, source);
    }
    let mut picture: RgbImage = read::decode(&bytes, source)?.to_rgb();
    grid::stamp(&mut picture, LABEL);
    let recipe = provenance::read_bytes(&bytes, source)?.recipe;
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
