//! What the Generate button does: from what is set to work in the queue.

use mmface_engine::job::{Sweep, has_groups};

use super::keep;
use crate::studio::command::SweepCommand;
use crate::studio::dispatcher::Studio;
use crate::studio::document::{Owner, Work};
use crate::studio::facts::ModelStatus;
use crate::studio::submit::{submit, tell_if_empty, tell_if_waiting};
use crate::studio::toast::Toast;

/// Puts what is set into the queue and rolls the seed.
pub fn generate(studio: &mut Studio) {
    studio.context.document.request.tidy();
    if let ModelStatus::Failed(why) = &studio.context.facts.model {
        let text = format!("there is no model to draw with: {why}");
        studio.tell(Toast::Error(text));
        return;
    }
    if has_groups(&studio.context.document.request.draw.prompt) {
        return studio.emit(SweepCommand::Start);
    }
    let condition = studio.context.document.condition();
    tell_if_empty(&mut studio.context, &condition);
    let job = studio.context.document.request.job(condition);
    let work = Work {
        job: job.clone(),
        owner: Owner::Generate,
        template: None,
    };
    let prompt = studio.context.document.request.draw.prompt.clone();
    if studio.generate.history.add(&prompt) {
        keep::keep_history(studio);
    }
    if submit(&mut studio.context, work).is_none() {
        return;
    }
    studio.generate.last_seed = Some(job.draw.seed);
    studio.context.document.request.next_seed();
    tell_if_waiting(&mut studio.context);
}

/// Number of pictures that Generate would draw, for the button.
pub fn pictures(prompt: &str, count: usize) -> usize {
    // A sweep has one picture for each cell, whatever the count.
    match has_groups(prompt) {
        true => Sweep::parse(prompt).map_or(1, |sweep| sweep.cells.len()),
        false => count,
    }
}
