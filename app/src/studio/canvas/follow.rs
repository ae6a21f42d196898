//! What other features have to show, taken over by the canvas: previews and results of the engine,
//! the photo under the drawing, how far the engine is.

use std::sync::Arc;

use super::Progress;
use crate::studio::generate::{Owner, WorkId};
use crate::studio::state::Studio;

/// What was taken over last.
#[derive(Default)]
pub(super) struct Followed {
    preview: u64,
    work: Option<WorkId>,
    under: Option<Arc<mmface_engine::picture::RgbImage>>,
}

/// Looks for something new.
pub(super) fn take(studio: &mut Studio) {
    let ctx = studio.ctx.clone();
    let running = studio.generate.running.as_ref();
    let work = running.map(|running| running.work);
    if work.is_some() && studio.canvas.followed.work != work {
        // Who pressed Generate wants to watch; cells of a sweep and live pictures come by themselves.
        let owner = work.map(|work| studio.generate.works.owner(work));
        if owner == Some(Owner::Generate) && !studio.canvas.in_gesture() {
            studio.canvas.watch();
        }
        studio.canvas.followed.work = work;
    }
    studio.canvas.progress = running.map(|running| {
        let (step, steps) = running.step;
        let (picture, pictures) = running.picture;
        let text = match (running.cancelling, pictures) {
            (true, _) => "Cancelling".to_owned(),
            (false, 1) => format!("Step {step} of {steps}"),
            (false, _) => format!(
                "Picture {} of {pictures}, step {step} of {steps}",
                picture + 1
            ),
        };
        Progress {
            text,
            share: studio.generate.fraction(),
        }
    });
    let number = studio.generate.preview_number;
    if studio.canvas.followed.preview != number {
        studio.canvas.followed.preview = number;
        if let Some(image) = studio.generate.preview.clone() {
            studio.canvas.show_picture(&ctx, &image);
        }
    }
    let under = studio.photo.under.clone();
    let same = match (&under, &studio.canvas.followed.under) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    };
    if !same {
        match &under {
            Some(image) => studio.canvas.show_onion(&ctx, image),
            None => studio.canvas.clear_onion(),
        }
        studio.canvas.followed.under = under;
    }
}
