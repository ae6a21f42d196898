//! Handing in work to be drawn, for every feature that has some.

use mmface_engine::job::{Condition, ConditionKind, Named as _};

use super::command::GenerateCommand;
use super::context::Context;
use super::document::{Work, WorkId};
use super::toast::Toast;

/// Takes work on: it waits in the queue from now on. `None` when it cannot be drawn or the queue is
/// full; the person was told why. How it ends is announced.
pub(super) fn submit(cx: &mut Context, work: Work) -> Option<WorkId> {
    if let Err(error) = work.job.validate() {
        cx.tell(Toast::Error(format!("this cannot be drawn: {error}")));
        return None;
    }
    let id = cx.document.works.push(work);
    if id.is_none() {
        let text = "the queue is full; wait, or clear it";
        cx.tell(Toast::Error(text.into()));
        return None;
    }
    cx.emit(GenerateCommand::QueueChanged);
    id
}

/// Tells that there is nothing to follow, though the person wants the face to follow something.
pub(super) fn tell_if_empty(cx: &mut Context, condition: &Condition) {
    let follow = cx.document.request.follow;
    if *condition == Condition::None && follow != ConditionKind::None {
        let what = follow.title().to_lowercase();
        cx.tell(Toast::Info(format!(
            "the {what} is empty, so the face follows the prompt alone"
        )));
    }
}

/// Tells why new work does not begin at once.
pub(super) fn tell_if_waiting(cx: &mut Context) {
    if cx.document.works.queue.paused {
        let text = "added; the queue is paused, press Resume to draw";
        cx.tell(Toast::Info(text.into()));
    } else if cx.facts.model.ready().is_none() {
        let text = "added; it starts as soon as the model is loaded";
        cx.tell(Toast::Info(text.into()));
    }
}
