//! The button that asks for a photo, and the window in which it becomes a drawing.

use std::sync::Arc;

use egui::{
    Button, ColorImage, Event, Image, Slider, TextureHandle, TextureOptions, Ui, Window, vec2,
};
use egui_material_icons::icons;

use super::crop_view::{self, Grip};
use super::{State, work};
use crate::studio::command::{CanvasCommand, PhotoCommand};
use crate::studio::context::Context;
use crate::studio::widgets::action_button;

/// Side of the photo in the window, points.
const PHOTO: f32 = 400.0;
/// Side of the previews, points.
const PREVIEW: f32 = 190.0;

/// What the window remembers besides its values.
#[derive(Default)]
pub struct View {
    photo: Option<TextureHandle>,
    grip: Option<Grip>,
    sketch: Option<(usize, TextureHandle)>,
    mask: Option<(usize, TextureHandle)>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("grip", &self.grip)
            .finish_non_exhaustive()
    }
}

/// Draws the part of the panel.
pub fn show(ui: &mut Ui, state: &State, cx: &Context) {
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        action_button(ui, cx, icons::ICON_ADD_PHOTO_ALTERNATE, "photo.open");
        if state.reading {
            ui.weak("Reading the photo…");
        } else {
            ui.weak("Mask and sketch from a photo");
        }
    });
}

/// Draws the window while there is a photo, and takes in photos from the clipboard.
pub fn show_window(ui: &mut Ui, state: &mut State, cx: &Context) {
    take_in(ui, state, cx);
    let Some(photo) = state.photo.clone() else {
        return;
    };
    let mut open = true;
    let room = ui.ctx().content_rect().size();
    Window::new("Draw from a photo")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .default_pos(egui::pos2((room.x - 860.0).max(20.0) / 2.0, 50.0))
        .max_height(room.y - 70.0)
        .show(ui.ctx(), |ui| {
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| crop(ui, state, cx, &photo));
                ui.add_space(8.0);
                ui.vertical(|ui| {
                    ui.set_width(2.0 * PREVIEW + 12.0);
                    previews(ui, state, cx);
                    style(ui, state, cx);
                    ui.add_space(6.0);
                    accept(ui, state, cx);
                });
            });
        });
    if !open {
        cx.emit(PhotoCommand::Close);
    }
}

fn take_in(ui: &Ui, state: &State, cx: &Context) {
    if ui.ctx().text_edit_focused() {
        return;
    }
    let pasted = ui.input(|input| {
        input.events.iter().find_map(|event| match event {
            Event::PasteImage(image) => Some(Arc::clone(image)),
            _ => None,
        })
    });
    if let Some(image) = pasted {
        cx.emit(PhotoCommand::Paste(image));
    }
    // Elsewhere a dropped picture is a result or a mask; in this window it is the next photo.
    if state.photo.is_some() {
        let dropped = ui.input(|input| {
            let file = input.raw.dropped_files.first();
            file.map(|file| file.path().to_path_buf())
        });
        if let Some(path) = dropped {
            cx.emit(PhotoCommand::Read(path));
        }
    }
}

fn crop(ui: &mut Ui, state: &mut State, cx: &Context, photo: &work::Photo) {
    let texture = state.view.photo.get_or_insert_with(|| {
        let small = &photo.small;
        let image = ColorImage::from_rgb([small.width, small.height], &small.pixels);
        ui.ctx()
            .load_texture("photo", image, TextureOptions::LINEAR)
    });
    let size = (photo.image.width, photo.image.height);
    let (crop, held) = crop_view::show(ui, texture, size, state.crop, &mut state.view.grip, PHOTO);
    state.crop = crop;
    state.dragging = held;
    ui.horizontal(|ui| {
        ui.weak(format!("{}, {} × {}", photo.name, size.0, size.1));
        if ui.button("Largest square").clicked() {
            cx.emit(PhotoCommand::WholeCrop);
        }
    });
    let most = size.0.min(size.1) as f64;
    let crop = &mut state.crop;
    let centre = (crop.left + crop.side / 2.0, crop.top + crop.side / 2.0);
    let mut side = crop.side;
    let slider = Slider::new(&mut side, 32.0f64.min(most)..=most)
        .integer()
        .text("Side of the square");
    if ui.add(slider).changed() {
        *crop = crop.scaled(side / crop.side.max(1.0), centre);
    }
    ui.add(
        Slider::new(&mut crop.left, 0.0..=(size.0 as f64 - crop.side).max(0.0))
            .integer()
            .text("From the left"),
    );
    ui.add(
        Slider::new(&mut crop.top, 0.0..=(size.1 as f64 - crop.side).max(0.0))
            .integer()
            .text("From the top"),
    );
    state.tidy();
    ui.weak("The models expect the face about where the oval is.");
}

fn previews(ui: &mut Ui, state: &mut State, cx: &Context) {
    let side = cx.document.painter.drawing().side();
    let (mask_key, sketch_key) = (state.key(side), state.sketch_key(side));
    let error = state.mask.failure(mask_key).map(String::from);
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_width(PREVIEW);
            ui.checkbox(&mut state.wanted.mask, "Mask")
                .on_hover_text("The classes that the face parser finds");
            let made = state.mask.made.as_ref().map(|(_, mask)| mask);
            let shown = made.map(|mask| {
                texture(ui, &mut state.view.mask, Arc::as_ptr(mask) as usize, || {
                    let rgb = work::coloured(mask);
                    ColorImage::from_rgb([rgb.width, rgb.height], &rgb.pixels)
                })
            });
            let current = state.mask.of(mask_key).is_some();
            preview(ui, shown, "Mask of the photo", state.wanted.mask, current);
        });
        ui.vertical(|ui| {
            ui.set_width(PREVIEW);
            ui.checkbox(&mut state.wanted.sketch, "Sketch")
                .on_hover_text("The lines of the photo");
            let made = state.sketch.made.as_ref().map(|(_, sketch)| sketch);
            let shown = made.map(|sketch| {
                let id = Arc::as_ptr(sketch) as usize;
                texture(ui, &mut state.view.sketch, id, || {
                    ColorImage::from_gray([sketch.width, sketch.height], &sketch.pixels)
                })
            });
            let current = state.sketch.of(sketch_key).is_some();
            preview(
                ui,
                shown,
                "Sketch of the photo",
                state.wanted.sketch,
                current,
            );
        });
    });
    if let Some(why) = error {
        let colour = cx.theme.colours(ui).error;
        ui.colored_label(colour, why);
    }
}

/// The texture of a product, made anew only when the product is another.
fn texture(
    ui: &Ui,
    kept: &mut Option<(usize, TextureHandle)>,
    id: usize,
    image: impl FnOnce() -> ColorImage,
) -> egui::load::SizedTexture {
    let stale = kept.as_ref().is_none_or(|(known, _)| *known != id);
    if stale {
        let handle = ui
            .ctx()
            .load_texture("photo_preview", image(), TextureOptions::LINEAR);
        *kept = Some((id, handle));
    }
    kept.as_ref().map_or(
        egui::load::SizedTexture::new(egui::TextureId::default(), vec2(1.0, 1.0)),
        |(_, handle)| egui::load::SizedTexture::from_handle(handle),
    )
}

fn preview(
    ui: &mut Ui,
    shown: Option<egui::load::SizedTexture>,
    name: &str,
    wanted: bool,
    current: bool,
) {
    let size = vec2(PREVIEW, PREVIEW);
    match shown {
        Some(texture) if wanted => {
            let tint = if current { 255 } else { 110 };
            let image = Image::new(texture)
                .fit_to_exact_size(size)
                .tint(egui::Color32::from_white_alpha(tint))
                .alt_text(name);
            ui.add(image);
        }
        _ => {
            let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
            let text = if wanted { "working…" } else { "left out" };
            ui.painter()
                .rect_filled(rect, 3.0, ui.visuals().extreme_bg_color);
            ui.painter().text(
                rect.center(),
                egui::Align2::CENTER_CENTER,
                text,
                egui::FontId::proportional(13.0),
                ui.visuals().weak_text_color(),
            );
        }
    }
}

fn style(ui: &mut Ui, state: &mut State, cx: &Context) {
    let on = state.wanted.sketch;
    ui.add_enabled_ui(on, |ui| {
        let style = &mut state.style;
        for (value, range, name, tip) in [
            (
                &mut style.width,
                0.4..=3.0,
                "Line width",
                "How wide lines are",
            ),
            (
                &mut style.detail,
                0.1..=4.0,
                "Faint lines",
                "How many faint lines are drawn",
            ),
            (&mut style.ink, 0.0..=1.2, "Darkness", "How dark lines are"),
            (
                &mut style.wash,
                0.0..=1.0,
                "Wash",
                "Grey under hair and pupils",
            ),
        ] {
            ui.add(Slider::new(value, range).text(name))
                .on_hover_text(tip);
        }
        if ui.button("Usual lines").clicked() {
            cx.emit(PhotoCommand::UsualStyle);
        }
    });
}

fn accept(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.checkbox(&mut state.wanted.onion, "Keep the photo under the drawing")
        .on_hover_text("To draw over; it never goes to the model");
    if state.wanted.onion {
        let mut opacities = cx.document.opacities;
        let slider = Slider::new(&mut opacities.onion, 0.0..=1.0).text("Opacity of the photo");
        if ui.add(slider).changed() {
            cx.emit(CanvasCommand::Opacities(opacities));
        }
    }
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        let wanted = state.wanted;
        let some = wanted.mask || wanted.sketch || wanted.onion;
        let ready = some && !state.applying;
        let button = Button::new("Put into the drawing");
        if ui
            .add_enabled(ready, button)
            .on_hover_text("In place of what is drawn; Undo takes it back")
            .clicked()
        {
            cx.emit(PhotoCommand::Apply);
        }
        if ui.button("Never mind").clicked() {
            cx.emit(PhotoCommand::Close);
        }
        if state.applying {
            ui.weak("working…");
        }
    });
}
