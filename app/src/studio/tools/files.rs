//! Masks and sketches from files and into files.
//!
//! A mask that another program made is looked at before it is taken: a wrong guess about its
//! numbers gives a plausible wrong face without any error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{
    Align2, Color32, ColorImage, ComboBox, Context, Grid, Image, RichText, ScrollArea, Sense,
    TextureHandle, TextureOptions, Ui, Window, vec2,
};
use mmface_engine::condition::{
    ImportReport, LabelImage, MaskScheme, mask_from, palette, read_sketch,
};
use mmface_engine::picture::read::Raster;
use mmface_engine::picture::write::write_atomic;
use mmface_engine::picture::{self, RgbImage};

use super::ToolsCommand;
use crate::paint::Layer;
use crate::studio::canvas::{Look, colours};
use crate::studio::dialogs::{Ask, AskKind};
use crate::studio::state::Studio;
use crate::studio::toast::Toast;

/// A mask that has been read and waits for a yes.
pub struct Import {
    path: PathBuf,
    raster: Arc<Raster>,
    mask: LabelImage,
    report: ImportReport,
    before: Option<TextureHandle>,
    after: Option<TextureHandle>,
}

/// Side of the pictures in the window, pixels.
const SHOWN: usize = 220;

fn pictures() -> Option<(String, Vec<String>)> {
    let endings = ["png", "jpg", "jpeg"].map(str::to_owned);
    Some(("Pictures".to_owned(), endings.to_vec()))
}

fn ask(title: &str, kind: AskKind, name: &str) -> Ask {
    let filter = match kind {
        AskKind::Save => Some(("PNG".to_owned(), vec!["png".to_owned()])),
        _ => pictures(),
    };
    Ask {
        title: title.to_owned(),
        kind,
        filter,
        name: name.to_owned(),
    }
}

/// Asks for a mask and reads it.
pub(super) fn import_mask(studio: &mut Studio) {
    let ask = ask("Import a mask", AskKind::Open, "");
    studio.ask(&ask, read_mask_of);
}

/// Reads a mask beside the GUI thread; the window with what was found opens when it is read. Also
/// for files that were dropped on the window.
pub fn read_mask_of(studio: &mut Studio, path: PathBuf) {
    studio.services.tasks.spawn("reading the mask", move || {
        let result = picture::read::read(&path).and_then(|raster| {
            let (mask, report) = mask_from(&raster, None, &path)?;
            Ok((raster, mask, report))
        });
        move |studio: &mut Studio| match result {
            Ok((raster, mask, report)) => {
                studio.tools.import = Some(Import {
                    path,
                    raster: Arc::new(raster),
                    mask,
                    report,
                    before: None,
                    after: None,
                });
            }
            Err(error) => studio.tell(Toast::Error(error.to_string())),
        }
    });
}

/// Reads the waiting mask again, as numbers or colours of another kind.
fn read_as(studio: &mut Studio, scheme: MaskScheme) {
    let Some(import) = &studio.tools.import else {
        return;
    };
    let (raster, path) = (Arc::clone(&import.raster), import.path.clone());
    studio.services.tasks.spawn("reading the mask", move || {
        let result = mask_from(&raster, Some(scheme), &path);
        move |studio: &mut Studio| match (result, &mut studio.tools.import) {
            (Ok((mask, report)), Some(import)) => {
                import.mask = mask;
                import.report = report;
                import.after = None;
            }
            (Err(error), _) => studio.tell(Toast::Error(error.to_string())),
            (Ok(_), None) => {}
        }
    });
}

/// Exchanges left and right classes of the waiting mask.
pub(super) fn swap_import_sides(studio: &mut Studio) {
    if let Some(import) = &mut studio.tools.import {
        import.mask.swap_sides();
        import.report.mirrored ^= true;
        import.report.counts = import.mask.counts();
        import.after = None;
    }
}

/// Puts the waiting mask on the canvas as one step of undo, or drops it.
pub(super) fn end_import(studio: &mut Studio, take: bool) {
    let Some(import) = studio.tools.import.take() else {
        return;
    };
    if take {
        let mask = import.mask;
        studio
            .painter
            .edit("Import", |drawing| drawing.set_mask(&mask));
        studio.emit(ToolsCommand::Layer(Layer::Mask));
        studio.canvas.look = Look::Drawing;
    }
}

/// Asks for a sketch and puts it on the canvas as one step of undo.
pub(super) fn import_sketch(studio: &mut Studio) {
    let ask = ask("Import a sketch", AskKind::Open, "");
    studio.ask(&ask, |studio, path| {
        studio.services.tasks.spawn("reading the sketch", move || {
            let result = read_sketch(&path);
            move |studio: &mut Studio| match result {
                Ok((sketch, report)) => {
                    studio
                        .painter
                        .edit("Import", |drawing| drawing.set_sketch(&sketch));
                    studio.emit(ToolsCommand::Layer(Layer::Sketch));
                    studio.canvas.look = Look::Drawing;
                    for warning in report.warnings {
                        studio.tell(Toast::Warning(warning));
                    }
                }
                Err(error) => studio.tell(Toast::Error(error.to_string())),
            }
        });
    });
}

/// Asks where to write a layer and writes it beside the GUI thread.
pub(super) fn export(studio: &mut Studio, layer: Layer) {
    let (title, name) = match layer {
        Layer::Mask => ("Export the mask", "mask.png"),
        Layer::Sketch => ("Export the sketch", "sketch.png"),
    };
    let ask = ask(title, AskKind::Save, name);
    let drawing = studio.painter.drawing().clone();
    studio.ask(&ask, move |studio, mut path| {
        if path.extension().is_none() {
            path.set_extension("png");
        }
        studio.services.tasks.spawn("exporting", move || {
            let bytes = match layer {
                Layer::Mask => mask_png(&drawing.label_image()),
                Layer::Sketch => drawing
                    .gray_image()
                    .to_png()
                    .map_err(|error| error.to_string()),
            };
            let result = bytes
                .and_then(|bytes| write_atomic(&path, &bytes).map_err(|error| error.to_string()));
            move |studio: &mut Studio| {
                studio.tell(match result {
                    Ok(()) => Toast::Success(format!("Exported {}", path.display())),
                    Err(why) => Toast::Error(why),
                });
            }
        });
    });
}

/// Class numbers with the model's colours as the palette: programs that read numbers and programs
/// that read colours both get what they expect.
fn mask_png(mask: &LabelImage) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, mask.width as u32, mask.height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    let colours = palette().classes.iter().flat_map(|class| class.colour);
    encoder.set_palette(colours.collect::<Vec<u8>>());
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&mask.labels)?;
        writer.finish()
    });
    written.map_err(|error| format!("the mask could not be packed: {error}"))?;
    Ok(bytes)
}

/// Draws the window of the mask that waits.
pub(super) fn show_import(ctx: &Context, studio: &mut Studio) {
    if studio.tools.import.is_none() {
        return;
    }
    let friendly = studio.settings.friendly_colours;
    let mut open = true;
    Window::new("Import a mask")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
        .fixed_size(vec2(2.0 * SHOWN as f32 + 230.0, 440.0))
        .show(ctx, |ui| {
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| before_and_after(ui, studio, friendly));
                ui.separator();
                ui.vertical(|ui| table(ui, studio, friendly));
            });
            ui.separator();
            buttons(ui, studio);
        });
    if !open || ctx.input(|i| i.key_pressed(egui::Key::Escape)) {
        studio.emit(ToolsCommand::EndImport(false));
    }
}

fn before_and_after(ui: &mut Ui, studio: &mut Studio, friendly: bool) {
    let Some(import) = &mut studio.tools.import else {
        return;
    };
    let ctx = ui.ctx().clone();
    let before = import.before.get_or_insert_with(|| {
        let image = small(&import.raster.to_rgb());
        ctx.load_texture("import before", image, TextureOptions::LINEAR)
    });
    let after = import.after.get_or_insert_with(|| {
        let mask = fitting(&import.mask);
        let pixels = mask.labels.iter().map(|&c| colours::colour(friendly, c));
        let image = ColorImage::new([mask.width, mask.height], pixels.collect());
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
    ui.add_space(4.0);
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
    ScrollArea::vertical().max_height(90.0).show(ui, |ui| {
        ui.set_max_width(2.0 * SHOWN as f32);
        for warning in &import.report.warnings {
            ui.label(warning);
        }
    });
    if import.report.mirrored {
        ui.horizontal(|ui| {
            ui.label("Left and right seem exchanged.");
            if ui.button("Exchange left and right").clicked() {
                studio.emit(ToolsCommand::SwapImportSides);
            }
        });
    }
    if chosen != scheme {
        read_as(studio, chosen);
    }
}

fn table(ui: &mut Ui, studio: &Studio, friendly: bool) {
    let Some(import) = &studio.tools.import else {
        return;
    };
    let total = import.report.counts.iter().sum::<usize>().max(1) as f64;
    ui.label("What it holds");
    ScrollArea::vertical().max_height(340.0).show(ui, |ui| {
        Grid::new("classes found").num_columns(3).show(ui, |ui| {
            for (class, entry) in palette().classes.iter().enumerate() {
                let count = import.report.counts[class];
                if count == 0 {
                    continue;
                }
                let (rect, _) = ui.allocate_exact_size(vec2(13.0, 13.0), Sense::hover());
                let colour = colours::colour(friendly, class as u8);
                ui.painter().rect_filled(rect, 3.0, colour);
                ui.label(&entry.title);
                ui.label(format!("{:.1} %", count as f64 * 100.0 / total));
                ui.end_row();
            }
        });
    });
}

fn buttons(ui: &mut Ui, studio: &mut Studio) {
    ui.horizontal(|ui| {
        let accent = studio.theme.colours(ui).accent;
        let text = RichText::new("Use this mask").color(Color32::WHITE);
        if ui.add(egui::Button::new(text).fill(accent)).clicked() {
            studio.emit(ToolsCommand::EndImport(true));
        }
        if ui.button("Cancel").clicked() {
            studio.emit(ToolsCommand::EndImport(false));
        }
        if let Some(import) = &studio.tools.import {
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
    let most = image.width.max(image.height).max(1);
    let share = (SHOWN as f64 / most as f64).min(1.0);
    let to = |side: usize| ((side as f64 * share).round() as usize).max(1);
    let (width, height) = (to(image.width), to(image.height));
    let image = picture::resize::lanczos_rgb(image, width, height);
    ColorImage::from_rgb([width, height], &image.pixels)
}

fn fitting(mask: &LabelImage) -> LabelImage {
    let most = mask.width.max(mask.height).max(1);
    let share = (SHOWN as f64 / most as f64).min(1.0);
    let to = |side: usize| ((side as f64 * share).round() as usize).max(1);
    mask.resized(to(mask.width), to(mask.height))
}

#[cfg(test)]
mod tests {
    use mmface_engine::condition::{class, read_mask};

    use super::*;

    #[test]
    fn an_exported_mask_comes_back_and_shows_the_model_s_colours() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mask.png");
        let mut mask = LabelImage::filled(64, 64, class::SKIN);
        mask.labels[700..900].fill(class::HAIR);
        let bytes = mask_png(&mask).expect("packs");
        std::fs::write(&path, bytes).expect("writes");
        let (again, report) = read_mask(&path).expect("reads");
        assert_eq!(again, mask);
        assert_eq!(report.snapped_to_colour + report.snapped_to_neighbours, 0);
        let raster = picture::read::read(&path).expect("reads");
        assert_eq!(raster.to_rgb().pixel(0, 0), palette().colour(class::SKIN));
    }
}
