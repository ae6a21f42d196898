//! Short commands that wait for pictures.
//!
//! Preparing data and measuring the speed use the device like a run, and cannot pause. For pictures
//! they are ended, and begun anew when the last one is drawn; a preparation keeps what it has
//! encoded.

use super::State;
use super::helper::{self, Helper, Kind};
use crate::studio::context::Context;

/// A command that begins when the pictures are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deferred {
    pub kind: Kind,
    pub arguments: Vec<String>,
}

/// Whether a command of this kind keeps the device busy.
pub(super) fn is_heavy(kind: &Kind) -> bool {
    matches!(kind, Kind::Latents | Kind::Probe(_))
}

/// Makes room for pictures; false while it is not made yet.
pub(super) fn make_room(state: &mut State) -> bool {
    for helper in &mut state.helpers {
        if is_heavy(&helper.kind) && !std::mem::replace(&mut helper.put_off, true) {
            match helper.kind {
                // It has nothing to keep, and does not look up between its updates.
                Kind::Probe(_) => helper.kill(),
                _ => helper.stop(),
            }
        }
    }
    !helper::is_busy(state, is_heavy)
}

/// Takes in that a command has ended; true when it was put off, so that its end is no failure.
pub(super) fn ended(state: &mut State, helper: &Helper) -> bool {
    if helper.put_off {
        put_off(state, helper.kind.clone(), helper.arguments.clone());
    }
    helper.put_off
}

/// Has a command begin after the pictures.
pub(super) fn put_off(state: &mut State, kind: Kind, arguments: Vec<String>) {
    let later = &mut state.deferred;
    later.retain(|other| std::mem::discriminant(&other.kind) != std::mem::discriminant(&kind));
    later.push(Deferred { kind, arguments });
}

/// Whether the preparation of the data waits.
pub(super) fn prepares(state: &State) -> bool {
    let mut later = state.deferred.iter();
    later.any(|later| later.kind == Kind::Latents)
}

/// Begins what waited.
pub(super) fn begin(state: &mut State, cx: &mut Context) {
    for Deferred { kind, arguments } in std::mem::take(&mut state.deferred) {
        helper::start(state, cx, kind, arguments);
    }
}
