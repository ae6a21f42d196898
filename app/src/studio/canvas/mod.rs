//! The view of the drawing: camera, layers, pointer.

mod beginning;
pub mod camera;
pub mod colours;
pub mod gpu;
pub mod mix;
pub mod names;
mod overlay;
pub mod panel;
mod pointer;
mod status;

use std::sync::Arc;

use egui::{Context, Pos2, Rect};
use mmface_engine::picture::RgbImage;

pub use camera::Camera;
pub use mix::{Look, Opacities};

use super::actions::Action;
use super::state::Studio;
use gpu::{CanvasGpu, Cost, Texels};

/// The feature's state.
pub struct State {
    /// Where the drawing is on screen.
    pub camera: Camera,
    /// What of drawing and picture is shown.
    pub look: Look,
    /// How much of each layer is seen.
    pub opacities: Opacities,
    /// The line between drawing and picture, as a share of the canvas's width.
    pub split: f32,
    /// A class that others make room for; the class list sets it while the pointer is on a row.
    pub lit: Option<u8>,
    /// How far the engine is; whoever runs jobs sets it.
    pub progress: Option<Progress>,
    /// The canvas point under the pointer.
    pub hover: Option<Pos2>,
    /// Where the canvas is on screen, points; set by each frame.
    pub rect: Rect,
    /// What sending the drawing to the GPU has cost.
    pub cost: Arc<Cost>,
    picture: Option<Arc<Texels>>,
    onion: Option<Arc<Texels>>,
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
            look: Look::default(),
            opacities: Opacities::default(),
            split: 0.5,
            lit: None,
            progress: None,
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

/// How far the engine is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// For people: "Step 4 of 20".
    pub text: String,
    /// 0..=1.
    pub share: f32,
}

impl State {
    /// Shows a preview or a result. The first one of a job that is [watched](Self::watch), or any
    /// while only the drawing is shown and no stroke runs, is shown alone; later ones leave the
    /// way of looking as it is.
    pub fn show_picture(&mut self, ctx: &Context, image: &RgbImage) {
        if image.width == 0 || image.height == 0 {
            return;
        }
        if self.watching || (self.look == Look::Drawing && self.picture.is_none()) {
            self.look = Look::Picture;
        }
        self.watching = false;
        self.picture = Some(Arc::new(Texels::new(image)));
        ctx.request_repaint();
    }

    /// The person wants to see the next picture: Generate was pressed, a result was chosen.
    pub fn watch(&mut self) {
        self.watching = true;
    }

    /// Shows the drawing alone.
    pub fn clear_picture(&mut self) {
        self.picture = None;
    }

    /// Whether there is a picture to show.
    pub fn has_picture(&self) -> bool {
        self.picture.is_some()
    }

    /// Puts a photo, or a result, under the drawing.
    pub fn show_onion(&mut self, ctx: &Context, image: &RgbImage) {
        if image.width == 0 || image.height == 0 {
            return;
        }
        self.onion = Some(Arc::new(Texels::new(image)));
        ctx.request_repaint();
    }

    /// Takes the photo away.
    pub fn clear_onion(&mut self) {
        self.onion = None;
    }

    /// Whether a photo lies under the drawing.
    pub fn has_onion(&self) -> bool {
        self.onion.is_some()
    }

    /// Whether a stroke, a pan or another gesture of the pointer is going on.
    pub fn in_gesture(&self) -> bool {
        self.pointer.in_gesture()
    }
}

/// Actions on the view.
#[derive(Clone, Debug, PartialEq)]
pub enum CanvasCommand {
    /// Shows the whole canvas.
    Fit,
    /// One canvas pixel for one pixel of the screen.
    ActualSize,
    /// Makes everything larger by a factor.
    Zoom(f32),
    /// Turns the view clockwise by radians.
    Rotate(f32),
    /// Turns the view upright.
    Upright,
    /// Exchanges left and right on screen.
    MirrorView,
    /// Chooses what is shown.
    Look(Look),
    /// Goes on to the next way of looking.
    NextLook,
    /// Shows or hides the lines between classes.
    ToggleContours,
    /// Shows or hides stripes on classes.
    ToggleHatch,
    /// Shows or hides names on classes.
    ToggleNames,
    /// The model's class colours, or friendly ones.
    ToggleColours,
    /// Puts the picture under the drawing, to draw over it.
    PictureUnder,
    /// Takes the photo, or picture, under the drawing away.
    ClearOnion,
    /// Takes the gesture at hand back.
    Abort,
    /// Closes a polygon, puts a moved region down.
    Confirm,
}

const STEP: f32 = std::f32::consts::PI / 12.0;

/// Named actions.
pub const ACTIONS: &[Action] = &[
    Action::new("canvas.fit", "Show the whole canvas", &["Ctrl+0"], || {
        CanvasCommand::Fit.into()
    }),
    Action::new("canvas.actual", "Actual size", &["Ctrl+Alt+0"], || {
        CanvasCommand::ActualSize.into()
    }),
    Action::new("canvas.zoom_in", "Zoom in", &["Plus", "Equals"], || {
        CanvasCommand::Zoom(1.25).into()
    }),
    Action::new("canvas.zoom_out", "Zoom out", &["Minus"], || {
        CanvasCommand::Zoom(0.8).into()
    }),
    Action::new(
        "canvas.turn_left",
        "Turn the view left",
        &["Ctrl+["],
        || CanvasCommand::Rotate(-STEP).into(),
    ),
    Action::new(
        "canvas.turn_right",
        "Turn the view right",
        &["Ctrl+]"],
        || CanvasCommand::Rotate(STEP).into(),
    ),
    Action::new(
        "canvas.upright",
        "Turn the view upright",
        &["Ctrl+Alt+R"],
        || CanvasCommand::Upright.into(),
    ),
    Action::new(
        "canvas.mirror_view",
        "Mirror the view",
        &["Shift+M"],
        || CanvasCommand::MirrorView.into(),
    ),
    Action::new("canvas.look", "Next way of looking", &["V"], || {
        CanvasCommand::NextLook.into()
    }),
    Action::new("canvas.drawing", "Show the drawing", &[], || {
        CanvasCommand::Look(Look::Drawing).into()
    }),
    Action::new(
        "canvas.overlay",
        "Show the drawing over the picture",
        &[],
        || CanvasCommand::Look(Look::Overlay).into(),
    ),
    Action::new("canvas.picture", "Show the picture", &[], || {
        CanvasCommand::Look(Look::Picture).into()
    }),
    Action::new(
        "canvas.split",
        "Show the drawing beside the picture",
        &[],
        || CanvasCommand::Look(Look::Split).into(),
    ),
    Action::new(
        "canvas.contours",
        "Show or hide lines between classes",
        &[],
        || CanvasCommand::ToggleContours.into(),
    ),
    Action::new(
        "canvas.hatch",
        "Show or hide stripes on classes",
        &[],
        || CanvasCommand::ToggleHatch.into(),
    ),
    Action::new("canvas.names", "Show or hide names on classes", &[], || {
        CanvasCommand::ToggleNames.into()
    }),
    Action::new(
        "canvas.colours",
        "Exchange friendly and the model's class colours",
        &[],
        || CanvasCommand::ToggleColours.into(),
    ),
    Action::new(
        "canvas.picture_under",
        "Put the picture under the drawing",
        &[],
        || CanvasCommand::PictureUnder.into(),
    ),
    Action::new(
        "canvas.clear_photo",
        "Take away what lies under the drawing",
        &[],
        || CanvasCommand::ClearOnion.into(),
    ),
    // Escape and Enter act on a gesture at hand only: panels and windows need them as well.
    Action::new("canvas.abort", "Take the gesture at hand back", &[], || {
        CanvasCommand::Abort.into()
    }),
    Action::new(
        "canvas.confirm",
        "Close the polygon, put the region down",
        &[],
        || CanvasCommand::Confirm.into(),
    ),
];

/// Does what the command says.
pub fn run(studio: &mut Studio, command: CanvasCommand) {
    let rect = studio.canvas.rect;
    let side = studio.painter.drawing().side() as f32;
    let camera = &mut studio.canvas.camera;
    match command {
        CanvasCommand::Fit => camera.fit(rect, side),
        CanvasCommand::ActualSize => camera.actual_size(studio.ctx.pixels_per_point()),
        CanvasCommand::Zoom(factor) => camera.zoom_at(rect, rect.center(), factor),
        CanvasCommand::Rotate(by) => {
            let fitted = camera.fitted;
            camera.rotate_at(rect, rect.center(), by);
            camera.fitted = fitted;
        }
        CanvasCommand::Upright => camera.angle = 0.0,
        CanvasCommand::MirrorView => camera.mirror(),
        CanvasCommand::Look(look) => studio.canvas.look = look,
        CanvasCommand::NextLook => {
            if studio.canvas.has_picture() {
                studio.canvas.look = studio.canvas.look.next();
            }
        }
        CanvasCommand::ToggleContours => studio.canvas.opacities.contours ^= true,
        CanvasCommand::ToggleHatch => studio.settings.hatch ^= true,
        CanvasCommand::ToggleNames => studio.settings.class_names ^= true,
        CanvasCommand::ToggleColours => studio.settings.friendly_colours ^= true,
        CanvasCommand::PictureUnder => {
            if let Some(picture) = &studio.canvas.picture {
                // By way of the photo's place: what lies there is saved with the project.
                let picture = Arc::new(picture.to_rgb());
                super::photo::show_under(studio, Some(picture));
                studio.canvas.look = Look::Drawing;
            }
        }
        CanvasCommand::ClearOnion => super::photo::show_under(studio, None),
        CanvasCommand::Abort => {
            let pointer = std::mem::take(&mut studio.canvas.pointer);
            if let Some(radius) = pointer.radius_before() {
                studio.painter.settings.set_radius(radius);
            }
            studio.painter.abort();
        }
        CanvasCommand::Confirm => studio.painter.confirm(),
    }
}

/// Makes the pipelines and textures of the canvas.
pub fn start_gpu(render: &egui_wgpu::RenderState) {
    let software = render.adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    let gpu = CanvasGpu::new(&render.device, render.target_format, software);
    render.renderer.write().callback_resources.insert(gpu);
}
