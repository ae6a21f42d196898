//! What can be asked of photos that become masks and sketches.

use std::path::PathBuf;
use std::sync::Arc;

use egui::ColorImage;

use super::Action;

/// Actions on photos.
#[derive(Clone, Debug, PartialEq)]
pub enum PhotoCommand {
    /// Asks for a photo.
    Open,
    /// Reads a photo: chosen, dropped, or from anywhere else.
    Read(PathBuf),
    /// Takes a picture of the clipboard.
    Paste(Arc<ColorImage>),
    /// Takes the largest square.
    WholeCrop,
    /// The usual lines.
    UsualStyle,
    /// Puts what is wanted into the drawing.
    Apply,
    /// Lets go of the photo.
    Close,
}

/// Named actions.
pub(super) const ACTIONS: &[Action] =
    &[
        Action::new("photo.open", "Draw from a photo", &["Ctrl+Alt+O"], || {
            PhotoCommand::Open.into()
        })
        .in_text(),
    ];
