//! Following the run of another process: what it told since the last look.

use std::time::Duration;

use mmface_run_protocol::{Holder, lock, mailbox, run_folder};

use super::State;
use super::{runs, same_place, view};
use crate::studio::context::Context;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Looks now and then what the run has told.
pub(super) fn tick(state: &mut State, cx: &mut Context) {
    let now = cx.now;
    let Some(follow) = &mut state.follow else {
        return;
    };
    if follow.reading {
        return;
    }
    if now < follow.next {
        let wait = Duration::from_secs_f64((follow.next - now).clamp(0.0, 1.0));
        cx.ctx.request_repaint_after(wait);
        return;
    }
    follow.reading = true;
    follow.next = now + LOOK.as_secs_f64();
    let (at, out) = (follow.at, state.view.out.clone());
    cx.spawn(&state.inbox, "reading the run", move || {
        // The lock first: what is told after the look is read the next time.
        let holder = lock::holder(&out);
        let listens = mailbox::listens(&out);
        let (events, at) = view::read_from(&run_folder::metrics(&out), at);
        move |state: &mut State, cx: &mut Context| {
            if !same_place(&state.view.out, &out) {
                return;
            }
            let Some(follow) = &mut state.follow else {
                return;
            };
            follow.at = at;
            follow.reading = false;
            follow.listens = listens;
            if let Holder::Process(id) = holder {
                follow.id = id.or(follow.id);
            } else {
                state.follow = None;
            }
            for event in events {
                runs::on_event(state, cx, event);
            }
            if holder == Holder::Nobody {
                runs::settle(&mut state.view);
                runs::look_for_checkpoints(state, cx);
            }
        }
    });
}
