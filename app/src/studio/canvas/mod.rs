//! The view of the drawing: camera, layers, pointer.

mod beginning;
pub mod camera;
pub mod gpu;
pub mod names;
mod overlay;
pub mod panel;
mod pointer;
mod status;

use std::sync::Arc;

use egui::{Pos2, Rect};
use mmface_engine::picture::RgbImage;

pub use camera::Camera;

use super::command::CanvasCommand;
use super::dispatcher::Studio;
use super::document::Look;
use super::facts;
use gpu::{CanvasGpu, Cost, Texels};

/// The feature's state.
pub struct State {
    /// Where the drawing is on screen.
    pub camera: Camera,
    /// The line between drawing and picture, as a share of the canvas's width.
    pub split: f32,
    /// The canvas point under the pointer.
    pub hover: Option<Pos2>,
    /// Where the canvas is on screen, points; set by each frame.
    pub rect: Rect,
    /// What sending the drawing to the GPU has cost.
    pub cost: Arc<Cost>,
    picture: Option<Arc<Texels>>,
    /// What lies under the drawing, for the GPU.
    onion: Option<(Arc<RgbImage>, Arc<Texels>)>,
    /// The next picture is to be seen alone.
    watching: bool,
    empty: beginning::Empty,
    names: names::Names,
    pointer: pointer::Pointer,
}

impl Default for State {
    fn default() -> Self {
        Self {
            camera: Camera::default(),
            split: 0.5,
            hover: None,
            rect: Rect::ZERO,
            cost: Arc::default(),
            picture: None,
            onion: None,
            watching: false,
            empty: beginning::Empty::default(),
            names: names::Names::default(),
            pointer: pointer::Pointer::default(),
        }
    }
}

impl State {
    /// Whether there is a picture to show.
    pub fn has_picture(&self) -> bool {
        self.picture.is_some()
    }

    /// Whether a stroke, a pan or another gesture of the pointer is going on.
    pub fn in_gesture(&self) -> bool {
        self.pointer.in_gesture()
    }
}

/// Does what the command says.
pub fn run(studio: &mut Studio, command: CanvasCommand) {
    let rect = studio.canvas.rect;
    let side = studio.context.document.painter.drawing().side() as f32;
    let camera = &mut studio.canvas.camera;
    match command {
        CanvasCommand::Fit => camera.fit(rect, side),
        CanvasCommand::ActualSize => camera.actual_size(studio.context.ctx.pixels_per_point()),
        CanvasCommand::Zoom(factor) => camera.zoom_at(rect, rect.center(), factor),
        CanvasCommand::Rotate(by) => {
            let fitted = camera.fitted;
            camera.rotate_at(rect, rect.center(), by);
            camera.fitted = fitted;
        }
        CanvasCommand::Upright => camera.angle = 0.0,
        CanvasCommand::MirrorView => camera.mirror(),
        CanvasCommand::Look(look) => studio.context.document.look = look,
        CanvasCommand::Opacities(opacities) => studio.context.document.opacities = opacities,
        CanvasCommand::Watch => studio.canvas.watching = true,
        CanvasCommand::ShowPicture(image) => show_picture(studio, &image),
        CanvasCommand::NextLook => {
            if studio.canvas.has_picture() {
                studio.context.document.look = studio.context.document.look.next();
            }
        }
        CanvasCommand::ToggleContours => studio.context.document.opacities.contours ^= true,
        CanvasCommand::ToggleHatch => studio.context.settings.hatch ^= true,
        CanvasCommand::ToggleNames => studio.context.settings.class_names ^= true,
        CanvasCommand::ToggleColours => studio.context.settings.friendly_colours ^= true,
        CanvasCommand::PictureUnder => {
            if let Some(picture) = &studio.canvas.picture {
                // By way of the photo's place: what lies there is saved with the project.
                let picture = Arc::new(picture.to_rgb());
                studio.context.document.put_under(Some(picture));
                studio.context.document.look = Look::Drawing;
            }
        }
        CanvasCommand::ClearOnion => studio.context.document.put_under(None),
        CanvasCommand::Abort => {
            let pointer = std::mem::take(&mut studio.canvas.pointer);
            if let Some(radius) = pointer.radius_before() {
                studio.context.document.painter.settings.set_radius(radius);
            }
            studio.context.document.painter.abort();
        }
        CanvasCommand::Confirm => studio.context.document.painter.confirm(),
    }
}

/// Shows a preview or a result. The first one of a job that is watched, or any while only the
/// drawing is shown and no stroke runs, is shown alone; later ones leave the way of looking as it is.
fn show_picture(studio: &mut Studio, image: &RgbImage) {
    if image.width == 0 || image.height == 0 {
        return;
    }
    let first = studio.context.document.look == Look::Drawing && studio.canvas.picture.is_none();
    if studio.canvas.watching || first {
        studio.context.document.look = Look::Picture;
    }
    studio.canvas.watching = false;
    studio.canvas.picture = Some(Arc::new(Texels::new(image)));
    studio.context.ctx.request_repaint();
}

/// Keeps what the GPU shows under the drawing in step with the document.
fn follow_onion(studio: &mut Studio) {
    let Some(under) = studio.context.document.under.clone() else {
        studio.canvas.onion = None;
        return;
    };
    let known = studio.canvas.onion.as_ref();
    if known.is_none_or(|(known, _)| !Arc::ptr_eq(known, &under)) {
        let texels = Arc::new(Texels::new(&under));
        studio.canvas.onion = Some((under, texels));
    }
}

/// Tells others what the canvas shows: once a frame.
fn publish(studio: &mut Studio) {
    studio.context.facts.canvas = facts::Canvas {
        hover: studio.canvas.hover,
        in_gesture: studio.canvas.in_gesture(),
        has_picture: studio.canvas.has_picture(),
    };
}

/// Makes the pipelines and textures of the canvas.
pub fn start_gpu(render: &egui_wgpu::RenderState) {
    let software = render.adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    let gpu = CanvasGpu::new(&render.device, render.target_format, software);
    render.renderer.write().callback_resources.insert(gpu);
}
