//! A run of another process: known by its lock, followed, and steered through its folder.

use std::path::Path;
use std::time::Duration;

use mmface_run_protocol::mailbox::{self, Posted};
use mmface_run_protocol::{Holder, TrainCommand, lock, run_folder};

use super::view::{self, Phase};
use super::{child, runs, same_place};
use crate::studio::dispatcher::Studio;
use crate::studio::toast::Toast;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A run of another process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follow {
    /// Its process, if it says so.
    pub id: Option<u32>,
    /// It takes commands.
    pub listens: bool,
    /// It was asked to pause and has not said yet that it does.
    pub pausing: bool,
    at: u64,
    next: f64,
    reading: bool,
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
pub(super) fn tell(studio: &mut Studio, follow: Follow, command: TrainCommand) {
    let out = studio.trainer.view.out.clone();
    studio.spawn("asking the run", move || {
        let told = ask(&out, follow.id, command);
        move |studio: &mut Studio| {
            let Err(why) = told else { return };
            studio.tell(Toast::Warning(why));
            if !same_place(&studio.trainer.view.out, &out) {
                return;
            }
            if let Some(follow) = &mut studio.trainer.follow {
                follow.pausing = false;
            }
            if studio.trainer.view.phase == Phase::Stopping {
                studio.trainer.view.phase = Phase::Running;
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

/// Looks now and then what the run has told.
pub(super) fn tick(studio: &mut Studio) {
    let now = studio.context.now;
    let Some(follow) = &mut studio.trainer.follow else {
        return;
    };
    if follow.reading {
        return;
    }
    if now < follow.next {
        let wait = Duration::from_secs_f64((follow.next - now).clamp(0.0, 1.0));
        studio.context.ctx.request_repaint_after(wait);
        return;
    }
    follow.reading = true;
    follow.next = now + LOOK.as_secs_f64();
    let (at, out) = (follow.at, studio.trainer.view.out.clone());
    studio.spawn("reading the run", move || {
        // The lock first: what is told after the look is read the next time.
        let holder = lock::holder(&out);
        let listens = mailbox::listens(&out);
        let (events, at) = view::read_from(&run_folder::metrics(&out), at);
        move |studio: &mut Studio| {
            if !same_place(&studio.trainer.view.out, &out) {
                return;
            }
            let Some(follow) = &mut studio.trainer.follow else {
                return;
            };
            follow.at = at;
            follow.reading = false;
            follow.listens = listens;
            if let Holder::Process(id) = holder {
                follow.id = id.or(follow.id);
            } else {
                studio.trainer.follow = None;
            }
            for event in events {
                runs::hear(studio, event);
            }
            if holder == Holder::Nobody {
                runs::settle(&mut studio.trainer.view);
                runs::look_for_checkpoints(studio);
            }
        }
    });
}
