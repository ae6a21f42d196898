//! What the Generate button does: from what is set to work in the queue.

use mmface_engine::job::{Condition, Sweep, has_groups};

use super::request::Follow;
use super::works::{Owner, Work};
use super::{flow, keep};
use crate::studio::models::Status;
use crate::studio::state::Studio;
use crate::studio::toast::Toast;

/// Puts what is set into the queue and rolls the seed.
pub fn generate(studio: &mut Studio) {
    studio.generate.request.tidy();
    if let Status::Failed(why) = &studio.models.status {
        let text = format!("there is no model to draw with: {why}");
        studio.tell(Toast::Error(text));
        return;
    }
    let condition = flow::condition(studio);
    let request = &studio.generate.request;
    if condition == Condition::None && request.follow != Follow::None {
        let what = request.follow.title().to_lowercase();
        studio.tell(Toast::Info(format!(
            "the {what} is empty, so the face follows the prompt alone"
        )));
    }
    let job = studio.generate.request.job(condition);
    let works = match has_groups(&job.prompt) {
        false => Ok(vec![Work {
            job: job.clone(),
            owner: Owner::Generate,
            template: None,
        }]),
        true => Sweep::parse(&job.prompt).map(|sweep| {
            let cells = sweep.cells.into_iter();
            let work = |prompt: String| Work {
                job: mmface_engine::job::Job {
                    prompt,
                    ..job.clone()
                },
                owner: Owner::Generate,
                template: Some(sweep.template.clone()),
            };
            cells.map(|cell| work(cell.prompt)).collect()
        }),
    };
    let works = match works {
        Ok(works) => works,
        Err(error) => {
            studio.tell(Toast::Error(error.to_string()));
            return;
        }
    };
    let prompt = studio.generate.request.prompt.clone();
    if studio.generate.history.add(&prompt) {
        keep::keep_history(studio);
    }
    for work in works {
        if flow::submit(studio, work).is_none() {
            return;
        }
    }
    studio.generate.last_seed = Some(job.seed);
    studio.generate.request.next_seed();
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
    let cells = match has_groups(prompt) {
        true => Sweep::parse(prompt).map_or(1, |sweep| sweep.cells.len()),
        false => 1,
    };
    cells * count
}
