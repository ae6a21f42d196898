//! What the Generate button does: from what is set to work in the queue.

use mmface_engine::job::{Condition, ConditionKind, Named as _, Sweep, has_groups};

use super::works::{Owner, Work};
use super::{flow, keep};
use crate::studio::models::Status;
use crate::studio::state::Studio;
use crate::studio::sweep;
use crate::studio::toast::Toast;

/// Puts what is set into the queue and rolls the seed.
pub fn generate(studio: &mut Studio) {
    studio.generate.request.tidy();
    if let Status::Failed(why) = &studio.models.status {
        let text = format!("there is no model to draw with: {why}");
        studio.tell(Toast::Error(text));
        return;
    }
    if has_groups(&studio.generate.request.draw.prompt) {
        return sweep::run::start(studio, false);
    }
    let condition = flow::condition(studio);
    tell_if_empty(studio, &condition);
    let job = studio.generate.request.job(condition);
    let work = Work {
        job: job.clone(),
        owner: Owner::Generate,
        template: None,
    };
    let prompt = studio.generate.request.draw.prompt.clone();
    if studio.generate.history.add(&prompt) {
        keep::keep_history(studio);
    }
    if flow::submit(studio, work).is_none() {
        return;
    }
    studio.generate.last_seed = Some(job.draw.seed);
    studio.generate.request.next_seed();
    tell_if_waiting(studio);
}

/// Tells that there is nothing to follow, though the person wants the face to follow something.
pub fn tell_if_empty(studio: &mut Studio, condition: &Condition) {
    let follow = studio.generate.request.follow;
    if *condition == Condition::None && follow != ConditionKind::None {
        let what = follow.title().to_lowercase();
        studio.tell(Toast::Info(format!(
            "the {what} is empty, so the face follows the prompt alone"
        )));
    }
}

/// Tells why new work does not begin at once.
pub fn tell_if_waiting(studio: &mut Studio) {
    if studio.generate.works.queue.paused {
        let text = "added; the queue is paused, press Resume to draw";
        studio.tell(Toast::Info(text.into()));
    } else if studio.models.ready().is_none() {
        let text = "added; it starts as soon as the model is loaded";
        studio.tell(Toast::Info(text.into()));
    }
}

/// Number of pictures that Generate would draw, for the button.
pub fn pictures(prompt: &str, count: usize) -> usize {
    // A sweep has one picture for each cell, whatever the count.
    match has_groups(prompt) {
        true => Sweep::parse(prompt).map_or(1, |sweep| sweep.cells.len()),
        false => count,
    }
}
