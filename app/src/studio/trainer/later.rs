//! Short commands that wait for pictures.
//!
//! Preparing data and measuring the speed use the device like a run, and cannot pause. For pictures
//! they are ended, and begun anew when the last one is drawn; a preparation keeps what it has
//! encoded.

use super::side::{self, Kind, Side};
use crate::studio::dispatcher::Studio;

/// A command that begins when the pictures are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Later {
    pub kind: Kind,
    pub arguments: Vec<String>,
}

/// Whether a command of this kind keeps the device busy.
pub(super) fn is_heavy(kind: &Kind) -> bool {
    matches!(kind, Kind::Latents | Kind::Probe(_))
}

/// Makes room for pictures; false while it is not made yet.
pub(super) fn make_room(studio: &mut Studio) -> bool {
    for side in &mut studio.trainer.sides {
        if is_heavy(&side.kind) && !std::mem::replace(&mut side.put_off, true) {
            match side.kind {
                // It has nothing to keep, and does not look up between its updates.
                Kind::Probe(_) => side.kill(),
                _ => side.stop(),
            }
        }
    }
    !side::is_busy(studio, is_heavy)
}

/// Takes in that a command has ended; true when it was put off, so that its end is no failure.
pub(super) fn ended(studio: &mut Studio, side: &Side) -> bool {
    if side.put_off {
        put_off(studio, side.kind.clone(), side.arguments.clone());
    }
    side.put_off
}

/// Has a command begin after the pictures.
pub(super) fn put_off(studio: &mut Studio, kind: Kind, arguments: Vec<String>) {
    let later = &mut studio.trainer.later;
    later.retain(|other| std::mem::discriminant(&other.kind) != std::mem::discriminant(&kind));
    later.push(Later { kind, arguments });
}

/// Whether the preparation of the data waits.
pub(super) fn prepares(studio: &Studio) -> bool {
    let mut later = studio.trainer.later.iter();
    later.any(|later| later.kind == Kind::Latents)
}

/// Begins what waited.
pub(super) fn begin(studio: &mut Studio) {
    for Later { kind, arguments } in std::mem::take(&mut studio.trainer.later) {
        side::start(studio, kind, arguments);
    }
}
