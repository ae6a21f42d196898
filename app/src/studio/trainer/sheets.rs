//! Sheets of samples: the newest as it comes, older ones on a slider.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Image, RichText, Slider, TextureHandle, Ui, vec2};
use mmface_engine::picture::read;
use mmface_run_protocol::Weights;

use super::State;
use super::format;
use super::view::Sheet;
use crate::studio::command::TrainerCommand;
use crate::studio::context::Context;
use crate::studio::texture::texture;

/// Sheets that are kept on the GPU.
const MOST: usize = 6;

/// What is on screen of them.
#[derive(Default)]
pub struct Sheets {
    /// The update that the person chose; `None` follows the newest.
    pub chosen: Option<u64>,
    /// The raw weights are shown, not their average.
    pub raw: bool,
    loaded: Vec<Loaded>,
    reading: Option<PathBuf>,
}

struct Loaded {
    path: PathBuf,
    /// `None`: it cannot be read.
    texture: Option<TextureHandle>,
}

impl Sheets {
    fn get(&self, path: &Path) -> Option<&Loaded> {
        self.loaded.iter().find(|loaded| loaded.path == path)
    }
}

/// Draws the sheets, `height` points high.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context, height: f32) {
    let weights = match state.sheets.raw {
        true => Weights::Raw,
        false => Weights::Averaged,
    };
    let of_kind: Vec<Sheet> = state
        .view
        .sheets
        .iter()
        .filter(|sheet| sheet.weights == weights)
        .cloned()
        .collect();
    let newest = of_kind.len().saturating_sub(1);
    let chosen = state.sheets.chosen;
    let mut at = chosen
        .and_then(|step| of_kind.iter().position(|sheet| sheet.step >= step))
        .unwrap_or(newest);
    ui.horizontal(|ui| {
        ui.strong("Samples");
        let state = &mut state.sheets;
        ui.selectable_value(&mut state.raw, false, "Averaged")
            .on_hover_text("What an export holds");
        ui.selectable_value(&mut state.raw, true, "Raw")
            .on_hover_text("The weights being trained");
        if of_kind.len() > 1 {
            ui.spacing_mut().slider_width = (ui.available_width() - 110.0).clamp(60.0, 220.0);
            let slider = Slider::new(&mut at, 0..=newest)
                .show_value(false)
                .handle_shape(egui::style::HandleShape::Circle);
            let slider = ui.add(slider);
            slider.widget_info(|| {
                egui::WidgetInfo::slider(ui.is_enabled(), at as f64, "Older samples")
            });
            if slider.changed() {
                state.chosen = of_kind
                    .get(at)
                    .map(|sheet| sheet.step)
                    .filter(|_| at < newest);
            }
        }
        if let Some(sheet) = of_kind.get(at) {
            ui.label(RichText::new(format!("{:>9}", format::grouped(sheet.step))).monospace())
                .on_hover_text("Updates done");
        }
    });
    let Some(sheet) = of_kind.get(at) else {
        ui.add_space(8.0);
        ui.weak(if cx.settings.trainer.weights.trim().is_empty() {
            "Samples need the frozen parts, and a configuration that asks for them."
        } else {
            "The first sheet comes when the configuration says so, or with “Sample now”."
        });
        return;
    };
    let path = sheet.path.clone();
    match state.sheets.get(&path) {
        Some(Loaded {
            texture: Some(texture),
            ..
        }) => {
            let room = vec2(ui.available_width(), (height - 34.0).max(40.0));
            let image = Image::new(texture)
                .fit_to_exact_size(room)
                .maintain_aspect_ratio(true)
                .alt_text(format!("Samples after update {}", sheet.step));
            ui.add(image);
        }
        Some(_) => {
            ui.weak("This sheet cannot be read; it may have been removed.");
        }
        None if state.sheets.reading.is_none() => cx.emit(TrainerCommand::ReadSheet(path)),
        None => {}
    }
}

/// Reads a sheet; one at a time.
pub(super) fn load(state: &mut State, cx: &mut Context, path: PathBuf) {
    if state.sheets.reading.is_some() {
        return;
    }
    state.sheets.reading = Some(path.clone());
    cx.spawn(&state.inbox, "reading samples", move || {
        let picture = std::fs::read(&path)
            .ok()
            .and_then(|bytes| read::decode(&bytes, &path).ok())
            .map(|raster| Arc::new(raster.to_rgb()));
        move |state: &mut State, cx: &mut Context| {
            let texture = picture.map(|picture| texture(&cx.ctx, "samples", &picture));
            let sheets = &mut state.sheets;
            sheets.reading = None;
            if sheets.loaded.len() == MOST {
                sheets.loaded.remove(0);
            }
            sheets.loaded.push(Loaded { path, texture });
        }
    });
}
