//! What a person is making, as far as several features read or change it: the drawing, the values
//! of the next pictures, how they are looked at. Plain data; features change it while they handle
//! messages, panels only read it.

mod mix;
pub mod request;
mod works;

pub use mix::{Look, Mix, Opacities};
pub use request::Request;
pub use works::{Failure, Owner, Work, WorkId, Works, title};

use std::sync::Arc;

use mmface_engine::job::Condition;
use mmface_engine::picture::RgbImage;

use crate::paint::{Drawing, Painter};

/// The work of a person.
pub struct Document {
    /// The drawing, its history, and the tools' settings.
    pub painter: Painter,
    /// The values of the next pictures.
    pub request: Request,
    /// What of drawing and picture is shown.
    pub look: Look,
    /// How much of each layer is seen.
    pub opacities: Opacities,
    /// The photo, or result, that lies under the drawing, as large as the drawing.
    pub under: Option<Arc<RgbImage>>,
    /// The step from which the cells of a sweep differ.
    pub fork_step: usize,
    /// The template that the drawing began with.
    pub template: Option<String>,
    /// Work that waits, runs or failed.
    pub works: Works,
    /// The class that was painted with before the present one.
    pub last_class: u8,
    /// Counts how often the values were taken over whole, see [`take_over`](Self::take_over).
    pub taken_over: u64,
}

impl Document {
    /// An empty drawing of a side in pixels, and default values.
    pub fn new(side: usize) -> Self {
        Self {
            painter: Painter::new(Drawing::new(side)),
            request: Request::default(),
            look: Look::default(),
            opacities: Opacities::default(),
            under: None,
            fork_step: 0,
            template: None,
            works: Works::default(),
            last_class: 0,
            taken_over: 0,
        }
    }

    /// What the drawing says to follow. An empty drawing is nothing to follow.
    pub fn condition(&self) -> Condition {
        self.painter.drawing().condition(self.request.follow)
    }

    /// Puts a picture under the drawing, or takes it away.
    pub fn put_under(&mut self, picture: Option<Arc<RgbImage>>) {
        self.under = picture.filter(|picture| picture.width > 0 && picture.height > 0);
    }

    /// Takes on values from a file or a result: none of them is replaced by a model's suggestion,
    /// and what the face follows comes from there as well, not from a change of the layer.
    pub fn take_over(&mut self, request: Request) {
        self.request = request;
        self.request.tidy();
        self.taken_over += 1;
    }
}
