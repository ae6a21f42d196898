//! What can be asked of the view of the drawing.

use std::sync::Arc;

use mmface_engine::picture::RgbImage;

use super::Action;
use crate::studio::document::{Look, Opacities};

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
    /// Sets how much of each layer is seen.
    Opacities(Opacities),
    /// The person wants to see the next picture: Generate was pressed, a result was chosen.
    Watch,
    /// Shows a preview or a result.
    ShowPicture(Arc<RgbImage>),
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

/// An angle that a key turns the view by.
const STEP: f32 = std::f32::consts::PI / 12.0;

/// Named actions.
pub(super) const ACTIONS: &[Action] = &[
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
