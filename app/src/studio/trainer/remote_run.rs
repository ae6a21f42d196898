//! A run of another process: known by its lock, followed, and steered through its folder.

use std::path::Path;

use mmface_run_protocol::TrainCommand;
use mmface_run_protocol::mailbox::{self, Posted};

use super::State;
use super::view::Phase;
use super::{child, same_place};
use crate::studio::context::Context;
use crate::studio::toast::Toast;

/// A run of another process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follow {
    /// Its process, if it says so.
    pub id: Option<u32>,
    /// It takes commands.
    pub listens: bool,
    /// It was asked to pause and has not said yet that it does.
    pub pausing: bool,
    /// Bytes of the events that were read.
    pub(super) at: u64,
    /// When it is looked at next, seconds.
    pub(super) next: f64,
    /// It is being looked at.
    pub(super) reading: bool,
}

impl Follow {
    /// Follows a run whose events were read up to a place.
    pub(super) fn new(id: Option<u32>, listens: bool, at: u64, now: f64) -> Self {
        Self {
            id,
            listens,
            pausing: false,
            at,
            next: now,
            reading: false,
        }
    }
}

/// Puts a command into the run's folder. Where that cannot be done, a wish to stop goes as a signal.
pub(super) fn tell(state: &mut State, cx: &mut Context, follow: Follow, command: TrainCommand) {
    let out = state.view.out.clone();
    cx.spawn(&state.inbox, "asking the run", move || {
        let told = ask(&out, follow.id, command);
        move |state: &mut State, cx: &mut Context| {
            let Err(why) = told else { return };
            cx.tell(Toast::Warning(why));
            if !same_place(&state.view.out, &out) {
                return;
            }
            if let Some(follow) = &mut state.follow {
                follow.pausing = false;
            }
            if state.view.phase == Phase::Stopping {
                state.view.phase = Phase::Running;
            }
        }
    });
}

fn ask(out: &Path, id: Option<u32>, command: TrainCommand) -> Result<(), String> {
    let posted = Posted {
        process: id,
        command,
    };
    let told = mailbox::post(out, posted).map_err(|error| error.to_string());
    match (told, id) {
        (Err(_), Some(id)) if command == TrainCommand::Stop && child::signal(id) => Ok(()),
        (told, _) => told,
    }
}
