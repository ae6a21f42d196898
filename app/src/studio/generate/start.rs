//! What the Generate button does: from what is set to work in the queue.

use mmface_engine::job::{Sweep, has_groups};

use super::State;
use super::persistence;
use crate::studio::command::SweepCommand;
use crate::studio::context::Context;
use crate::studio::document::{Owner, Work};
use crate::studio::facts::ModelStatus;
use crate::studio::submit::{submit, tell_if_empty, tell_if_waiting};
use crate::studio::toast::Toast;

/// Puts what is set into the queue and rolls the seed.
pub fn generate(state: &mut State, cx: &mut Context) {
    cx.document.request.tidy();
    if let ModelStatus::Failed(why) = &cx.facts.model {
        let text = format!("there is no model to draw with: {why}");
        cx.tell(Toast::Error(text));
        return;
    }
    if has_groups(&cx.document.request.draw.prompt) {
        return cx.emit(SweepCommand::Start);
    }
    let condition = cx.document.condition();
    tell_if_empty(cx, &condition);
    let job = cx.document.request.job(condition);
    let work = Work {
        job: job.clone(),
        owner: Owner::Generate,
        template: None,
    };
    let prompt = cx.document.request.draw.prompt.clone();
    if state.history.add(&prompt) {
        persistence::save_history(state, cx);
    }
    if submit(cx, work).is_none() {
        return;
    }
    state.last_seed = Some(job.draw.seed);
    cx.document.request.next_seed();
    tell_if_waiting(cx);
}

/// Number of pictures that Generate would draw, for the button.
pub fn pictures(prompt: &str, count: usize) -> usize {
    // A sweep has one picture for each cell, whatever the count.
    match has_groups(prompt) {
        true => Sweep::parse(prompt).map_or(1, |sweep| sweep.cells.len()),
        false => count,
    }
}
