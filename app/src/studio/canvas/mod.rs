//! The view of the drawing: camera, layers, pointer.

mod beginning;
pub mod camera;
pub mod gpu;
mod ink;
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
use super::context::{Context, Inbox};
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
    /// What came of slow work.
    pub inbox: Inbox<State>,
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
            inbox: Inbox::default(),
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
pub fn handle(state: &mut State, command: CanvasCommand, cx: &mut Context) {
    let rect = state.rect;
    let side = cx.document.painter.drawing().side() as f32;
    let camera = &mut state.camera;
    match command {
        CanvasCommand::Fit => camera.fit(rect, side),
        CanvasCommand::ActualSize => camera.actual_size(cx.ctx.pixels_per_point()),
        CanvasCommand::Zoom(factor) => camera.zoom_at(rect, rect.center(), factor),
        CanvasCommand::Rotate(by) => {
            let fitted = camera.fitted;
            camera.rotate_at(rect, rect.center(), by);
            camera.fitted = fitted;
        }
        CanvasCommand::Upright => camera.angle = 0.0,
        CanvasCommand::MirrorView => camera.mirror(),
        CanvasCommand::Look(look) => cx.document.look = look,
        CanvasCommand::Opacities(opacities) => cx.document.opacities = opacities,
        CanvasCommand::Watch => state.watching = true,
        CanvasCommand::ShowPicture(image) => show_picture(state, cx, &image),
        CanvasCommand::NextLook => {
            if state.has_picture() {
                cx.document.look = cx.document.look.next();
            }
        }
        CanvasCommand::ToggleContours => cx.document.opacities.contours ^= true,
        CanvasCommand::ToggleHatch => cx.settings.hatch ^= true,
        CanvasCommand::ToggleNames => cx.settings.class_names ^= true,
        CanvasCommand::ToggleColours => cx.settings.friendly_colours ^= true,
        CanvasCommand::PictureUnder => {
            if let Some(picture) = &state.picture {
                // By way of the photo's place: what lies there is saved with the project.
                let picture = Arc::new(picture.to_rgb());
                cx.document.put_under(Some(picture));
                cx.document.look = Look::Drawing;
            }
        }
        CanvasCommand::ClearOnion => cx.document.put_under(None),
        CanvasCommand::Abort => {
            let pointer = std::mem::take(&mut state.pointer);
            if let Some(radius) = pointer.radius_before() {
                cx.document.painter.settings.set_radius(radius);
            }
            cx.document.painter.abort();
        }
        CanvasCommand::Confirm => cx.document.painter.confirm(),
    }
}

/// Shows a preview or a result. The first one of a job that is watched, or any while only the
/// drawing is shown and no stroke runs, is shown alone; later ones leave the way of looking as it is.
fn show_picture(state: &mut State, cx: &mut Context, image: &RgbImage) {
    if image.width == 0 || image.height == 0 {
        return;
    }
    let first = cx.document.look == Look::Drawing && state.picture.is_none();
    if state.watching || first {
        cx.document.look = Look::Picture;
    }
    state.watching = false;
    state.picture = Some(Arc::new(Texels::new(image)));
    cx.ctx.request_repaint();
}

/// Keeps what the GPU shows under the drawing in step with the document.
fn follow_onion(state: &mut State, cx: &mut Context) {
    let Some(under) = cx.document.under.clone() else {
        state.onion = None;
        return;
    };
    let known = state.onion.as_ref();
    if known.is_none_or(|(known, _)| !Arc::ptr_eq(known, &under)) {
        let texels = Arc::new(Texels::new(&under));
        state.onion = Some((under, texels));
    }
}

/// Tells others what the canvas shows: once a frame.
fn publish(state: &mut State, cx: &mut Context) {
    cx.facts.canvas = facts::Canvas {
        hover: state.hover,
        in_gesture: state.in_gesture(),
        has_picture: state.has_picture(),
    };
}

/// Makes the pipelines and textures of the canvas.
pub fn start_gpu(render: &egui_wgpu::RenderState) {
    let software = render.adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    let gpu = CanvasGpu::new(&render.device, render.target_format, software);
    render.renderer.write().callback_resources.insert(gpu);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::testing;

    #[test]
    fn a_watched_picture_is_shown_alone_and_can_lie_under_the_drawing() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        let picture = Arc::new(RgbImage::filled(8, 8, [1, 2, 3]));
        for command in [
            CanvasCommand::Watch,
            CanvasCommand::ShowPicture(Arc::clone(&picture)),
        ] {
            handle(&mut state, command, &mut cx);
        }
        assert!(state.has_picture());
        assert_eq!(cx.document.look, Look::Picture);
        handle(&mut state, CanvasCommand::Look(Look::Overlay), &mut cx);
        let next = CanvasCommand::ShowPicture(Arc::clone(&picture));
        handle(&mut state, next, &mut cx);
        assert_eq!(cx.document.look, Look::Overlay, "later ones leave it");
        handle(&mut state, CanvasCommand::PictureUnder, &mut cx);
        assert_eq!(cx.document.under.as_deref(), Some(&*picture));
        assert_eq!(cx.document.look, Look::Drawing);
    }
}
