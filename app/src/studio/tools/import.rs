//! A mask from a file, looked at before it is taken.
//!
//! A wrong guess about another program's numbers gives a plausible wrong face without any error: the
//! doctor says what it found, and mends it by a click.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{
    Align2, ColorImage, ComboBox, Grid, Image, RichText, ScrollArea, Sense, TextureHandle,
    TextureOptions, Ui, Window, vec2,
};
use mmface_engine::Result;
use mmface_engine::condition::import::PartFiles;
use mmface_engine::condition::{ImportReport, MaskScheme, mask_from};
use mmface_engine::labels::LabelImage;
use mmface_engine::picture::{self, Pixels, Raster, RgbImage};

use super::State;
use super::{ToolsCommand, files};
use crate::paint::Layer;
use crate::paint::doctor::{self, ClassRow, Finding};
use crate::studio::class_colours as colours;
use crate::studio::context::Context;
use crate::studio::dialogs::AskKind;
use crate::studio::document::Look;
use crate::studio::toast::Toast;

/// A mask that has been read and waits for a yes.
pub struct Import {
    path: PathBuf,
    raster: Arc<Raster>,
    report: ImportReport,
    /// As it was read, and as it has been mended.
    read: Arc<LabelImage>,
    mask: Arc<LabelImage>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    rows: Vec<ClassRow>,
    before: Option<TextureHandle>,
    after: Option<TextureHandle>,
}

impl Import {
    fn new(path: PathBuf, raster: Arc<Raster>, mask: LabelImage, report: ImportReport) -> Self {
        let mask = Arc::new(mask);
        Self {
            findings: doctor::examine(&mask, Some(&report)),
            rows: doctor::table(&mask, &mask),
            path,
            raster,
            report,
            read: Arc::clone(&mask),
            mask,
            before: None,
            after: None,
        }
    }

    /// The mask as it would be taken.
    pub fn mask(&self) -> &LabelImage {
        &self.mask
    }
}

/// Side of the pictures in the window, points.
const SHOWN: usize = 220;

/// Asks for a mask and reads it.
pub(super) fn ask_for_mask(state: &mut State, cx: &mut Context) {
    let ask = files::ask("Import a mask", AskKind::Open, "");
    cx.ask(&state.inbox, &ask, open);
}

/// Reads a mask beside the GUI thread; the window with what was found opens when it is read. Also
/// for files that were dropped on the window.
pub fn open(state: &mut State, cx: &mut Context, path: PathBuf) {
    cx.spawn(&state.inbox, "reading the mask", move || {
        let result = read_whole(&path);
        let result =
            result.map(|(raster, mask, report)| Import::new(path, Arc::new(raster), mask, report));
        move |state: &mut State, cx: &mut Context| match result {
            Ok(import) => state.import = Some(import),
            Err(error) => cx.tell(Toast::Error(error.to_string())),
        }
    });
}

/// What a file shows, and what it was read as. One of the masks of a picture's classes
/// (`00000_hair.png`) stands for all that lie beside it.
fn read_whole(path: &Path) -> Result<(Raster, LabelImage, ImportReport)> {
    let parts = match PartFiles::at(path)? {
        None => PartFiles::beside(path)?,
        parts => parts,
    };
    if let Some(parts) = parts {
        let (mask, report) = parts.read()?;
        let pixels = Pixels::Gray {
            values: mask.labels.iter().map(|&label| u16::from(label)).collect(),
            max: 255,
            alpha: None,
        };
        return Ok((Raster::new(mask.width, mask.height, pixels), mask, report));
    }
    let raster = picture::read::read(path)?;
    let (mask, report) = mask_from(&raster, None, path)?;
    Ok((raster, mask, report))
}

/// Reads the waiting mask again, as numbers or colours of another kind.
pub(super) fn read_as(state: &mut State, cx: &mut Context, scheme: MaskScheme) {
    let Some(import) = &state.import else {
        return;
    };
    let (raster, path) = (Arc::clone(&import.raster), import.path.clone());
    cx.spawn(&state.inbox, "reading the mask", move || {
        let result = mask_from(&raster, Some(scheme), &path)
            .map(|(mask, report)| Import::new(path, raster, mask, report));
        move |state: &mut State, cx: &mut Context| match result {
            Ok(import) if state.import.is_some() => state.import = Some(import),
            Ok(_) => {}
            Err(error) => cx.tell(Toast::Error(error.to_string())),
        }
    });
}

/// Mends a finding, in the other of two ways if wished.
pub(super) fn mend(state: &mut State, cx: &mut Context, finding: usize, other: bool) {
    let Some(import) = &state.import else {
        return;
    };
    let Some(finding) = import.findings.get(finding) else {
        return;
    };
    let fix = if other {
        &finding.alternative
    } else {
        &finding.fix
    };
    if let Some(fix) = fix.clone() {
        mend_with(state, cx, move |mask| fix.apply(mask));
    }
}

/// Mends all findings.
pub(super) fn mend_all(state: &mut State, cx: &mut Context) {
    mend_with(state, cx, |mask| doctor::fix_all(mask).0);
}

fn mend_with(
    state: &mut State,
    cx: &mut Context,
    fix: impl FnOnce(&LabelImage) -> LabelImage + Send + 'static,
) {
    let Some(import) = &state.import else {
        return;
    };
    let (read, mask) = (Arc::clone(&import.read), Arc::clone(&import.mask));
    cx.spawn(&state.inbox, "mending the mask", move || {
        let mended = fix(&mask);
        let findings = doctor::examine(&mended, None);
        let rows = doctor::table(&read, &mended);
        move |state: &mut State, _: &mut Context| {
            if let Some(import) = &mut state.import {
                import.mask = Arc::new(mended);
                import.findings = findings;
                import.rows = rows;
                import.after = None;
            }
        }
    });
}

/// Puts the waiting mask on the canvas as one step of undo, or drops it.
pub(super) fn end(state: &mut State, cx: &mut Context, take: bool) {
    let Some(import) = state.import.take() else {
        return;
    };
    if take {
        cx.document
            .painter
            .edit("Import", |drawing| drawing.set_mask(&import.mask));
        cx.emit(ToolsCommand::Layer(Layer::Mask));
        cx.document.look = Look::Drawing;
    }
}

/// Draws the window of the mask that waits.
pub(super) fn show(ctx: &egui::Context, state: &mut State, cx: &Context) {
    if state.import.is_none() {
        return;
    }
    let friendly = cx.settings.friendly_colours;
    let mut open = true;
    Window::new("Import a mask")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
        .fixed_size(vec2(2.0 * SHOWN as f32 + 280.0, 460.0))
        .show(ctx, |ui| {
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(2.0 * SHOWN as f32 + 8.0);
                    pictures(ui, state, cx, friendly);
                    findings(ui, state, cx);
                });
                ui.separator();
                ui.vertical(|ui| table(ui, state, friendly));
            });
            ui.separator();
            buttons(ui, state, cx);
        });
    if !open || ctx.input(|i| i.key_pressed(egui::Key::Escape)) {
        cx.emit(ToolsCommand::EndImport(false));
    }
}

fn pictures(ui: &mut Ui, state: &mut State, cx: &Context, friendly: bool) {
    let Some(import) = &mut state.import else {
        return;
    };
    let ctx = ui.ctx().clone();
    let before = import.before.get_or_insert_with(|| {
        let image = small(&import.raster.to_rgb());
        ctx.load_texture("import before", image, TextureOptions::LINEAR)
    });
    let after = import.after.get_or_insert_with(|| {
        let (width, height) = fitting(import.mask.width, import.mask.height);
        let mask = import.mask.resized(width, height);
        let pixels = mask.labels.iter().map(|&c| colours::colour(friendly, c));
        let image = ColorImage::new([width, height], pixels.collect());
        ctx.load_texture("import after", image, TextureOptions::LINEAR)
    });
    ui.horizontal(|ui| {
        for (texture, name) in [(&*before, "The file"), (&*after, "As a mask")] {
            ui.vertical(|ui| {
                ui.label(name);
                let size = vec2(SHOWN as f32, SHOWN as f32);
                ui.add(Image::new(texture).fit_to_exact_size(size).alt_text(name));
            });
        }
    });
    let scheme = import.report.scheme;
    let mut chosen = scheme;
    ui.horizontal(|ui| {
        let label = ui.label("Read as");
        ComboBox::from_id_salt("scheme")
            .width(330.0)
            .selected_text(scheme.title())
            .show_ui(ui, |ui| {
                for scheme in MaskScheme::ALL {
                    ui.selectable_value(&mut chosen, scheme, scheme.title());
                }
            })
            .response
            .labelled_by(label.id);
    });
    if !import.report.certain {
        let text = "Another reading is nearly as plausible: compare the pictures.";
        ui.label(RichText::new(text).color(ui.visuals().warn_fg_color));
    }
    if chosen != scheme {
        cx.emit(ToolsCommand::ReadAs(chosen));
    }
}

fn findings(ui: &mut Ui, state: &mut State, cx: &Context) {
    let Some(import) = &state.import else {
        return;
    };
    let mut wanted = Vec::new();
    ScrollArea::vertical()
        .auto_shrink(false)
        // A bar that comes and goes changes the width, and that the bar.
        .scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysVisible)
        .max_height(116.0)
        .show(ui, |ui| {
            if import.findings.is_empty() {
                ui.weak("Nothing is wrong with it, as far as can be told.");
            }
            for (i, finding) in import.findings.iter().enumerate() {
                ui.label(&finding.detail);
                ui.horizontal(|ui| {
                    for (fix, other) in [(&finding.fix, false), (&finding.alternative, true)] {
                        if let Some(fix) = fix
                            && ui.button(fix.title()).clicked()
                        {
                            wanted.push(ToolsCommand::MendImport(i, other));
                        }
                    }
                });
            }
        });
    for command in wanted {
        cx.emit(command);
    }
}

fn table(ui: &mut Ui, state: &State, friendly: bool) {
    let Some(import) = &state.import else {
        return;
    };
    let total = import.mask.labels.len().max(1) as f64;
    let share = |count: usize| format!("{:.1} %", count as f64 * 100.0 / total);
    let mended = !Arc::ptr_eq(&import.read, &import.mask);
    ScrollArea::vertical()
        .auto_shrink(false)
        // A bar that comes and goes changes the width, and that the bar.
        .scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysVisible)
        .max_height(380.0)
        .show(ui, |ui| {
            Grid::new("classes found").num_columns(4).show(ui, |ui| {
                ui.label("");
                ui.label("Class");
                ui.label("Read");
                ui.label(if mended { "Mended" } else { "" });
                ui.end_row();
                for row in &import.rows {
                    let (rect, _) = ui.allocate_exact_size(vec2(13.0, 13.0), Sense::hover());
                    let colour = colours::colour(friendly, row.class);
                    ui.painter().rect_filled(rect, 3.0, colour);
                    ui.label(&row.title);
                    ui.label(share(row.before));
                    ui.label(if mended {
                        share(row.after)
                    } else {
                        String::new()
                    });
                    ui.end_row();
                }
            });
        });
}

fn buttons(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.horizontal(|ui| {
        let theme = cx.theme.colours(ui);
        let text = RichText::new("Use this mask").color(theme.on_accent);
        let button = egui::Button::new(text).fill(theme.accent);
        if ui.add(button).clicked() {
            cx.emit(ToolsCommand::EndImport(true));
        }
        if ui.button("Cancel").clicked() {
            cx.emit(ToolsCommand::EndImport(false));
        }
        let import = state.import.as_ref();
        let ill = import.is_some_and(|import| import.findings.iter().any(|f| f.fix.is_some()));
        if ill && ui.button("Mend all").clicked() {
            cx.emit(ToolsCommand::MendAllOfImport);
        }
        if let Some(import) = &state.import {
            ui.weak(file_name(&import.path));
        }
    });
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Small enough for a texture, sides in proportion.
fn small(image: &RgbImage) -> ColorImage {
    let (width, height) = fitting(image.width, image.height);
    let image = picture::resize::lanczos_rgb(image, width, height);
    ColorImage::from_rgb([width, height], &image.pixels)
}

fn fitting(width: usize, height: usize) -> (usize, usize) {
    let most = width.max(height).max(1);
    let share = (SHOWN as f64 / most as f64).min(1.0);
    let to = |side: usize| ((side as f64 * share).round() as usize).max(1);
    (to(width), to(height))
}
