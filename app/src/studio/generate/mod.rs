//! Prompt, settings, queue, live mode: from a drawing to a job, from its events to a result.
//!
//! [`request`] is what a person has set, [`works`] what waits and fails, [`flow`] brings one to the
//! other through the engine and saves every picture before it is shown. Other features hand in
//! [`Work`] through [`submit`] and hear of its end as an [`Outcome`].

pub mod flow;
pub mod history;
pub mod keep;
pub mod live;
pub mod panel;
pub mod start;
pub mod tokens;

use std::sync::Arc;

use mmface_engine::contract::{Event, ModelSummary};
use mmface_engine::job::{ConditionKind, Draw, DrawChanges};
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::Recipe;

use super::announcement::Announcement;
use super::command::{CanvasCommand, GenerateCommand, Workspace};
use super::dispatcher::Studio;
use super::document::request::random_seed;
use super::document::{Document, Work, WorkId};
use super::facts::{self, Progress};
use super::submit::submit;
use crate::paint::Layer;

/// Picture, recipe and latent of the last live job.
type LivePicture = (Arc<RgbImage>, Arc<Recipe>, Arc<Vec<f32>>);

/// The feature's state.
#[derive(Default)]
pub struct State {
    /// The picture that the engine draws.
    pub running: Option<flow::Running>,
    /// Pictures on their way to the disk.
    pub saver: flow::Saver,
    /// The live preview.
    pub live: live::Live,
    /// The newest picture that is worth looking at: a preview, or one that is finished and saved.
    pub preview: Option<Arc<RgbImage>>,
    /// Changes with every new `preview`.
    pub preview_number: u64,
    /// Average time of a step, seconds.
    pub step_seconds: Option<f64>,
    /// Prompts that were used.
    pub history: history::History,
    /// Counts the prompt's tokens.
    pub counter: tokens::Counter,
    /// The seed of the last generation.
    pub last_seed: Option<u64>,
    keeper: keep::Keeper,
    live_recipe: Option<Recipe>,
    live_picture: Option<LivePicture>,
    /// The model whose suggestions were taken on.
    model: Option<String>,
    suggested: Suggested,
    /// The last warning about a job: several pictures of one prompt say it once.
    last_warning: Option<String>,
    /// The preview that the canvas shows.
    on_canvas: u64,
    /// The layer that was painted on when last looked.
    layer: Option<Layer>,
    /// How often the values had been taken over whole when last looked.
    taken_over: u64,
    view: panel::View,
}

/// The values that were suggested last: one that differs was touched by a person.
struct Suggested(DrawChanges);

impl Default for Suggested {
    /// The values that the program starts with.
    fn default() -> Self {
        Self(Draw::default().into())
    }
}

impl State {
    /// Takes on what a model suggests, except for values that were touched since the suggestions
    /// before, and a sampler that fits it.
    fn suggest(&mut self, model: &ModelSummary, draw: &mut Draw) {
        let Suggested(before) = &self.suggested;
        model.suggested.untouched(before, draw).apply(draw);
        if draw.sampler.objective() != model.objective {
            draw.sampler = model.objective.default_sampler();
        }
        self.suggested = Suggested(model.suggested.clone());
    }

    /// Values that were taken over whole stay as they are: none is replaced by a model's suggestion,
    /// and what the face follows does not change with the layer that came with them.
    fn follow_request(&mut self, document: &Document) {
        if self.taken_over != document.taken_over {
            self.taken_over = document.taken_over;
            self.layer = None;
            self.suggested = Suggested(DrawChanges::default());
        }
    }
}

use GenerateCommand as Do;

/// Does what the command says.
pub fn run(studio: &mut Studio, command: GenerateCommand) {
    match command {
        Do::QueueChanged => changed(studio),
        Do::Used(prompt, seed) => {
            studio.generate.last_seed = Some(seed);
            if studio.generate.history.add(&prompt) {
                keep::keep_history(studio);
            }
        }
        Do::Start => {
            studio.emit(CanvasCommand::Watch);
            studio.generate.last_warning = None;
            start::generate(studio);
        }
        Do::Cancel => match studio.generate.running.as_ref().map(|running| running.work) {
            Some(work) => flow::cancel(studio, work),
            None if studio.generate.live.on => flow::stop_live(studio),
            None => {}
        },
        Do::StopAfter => {
            if let Some(running) = &mut studio.generate.running {
                running.last = true;
                let works = &mut studio.context.document.works;
                works.queue.paused |= works.next().is_some();
                keep::keep_queue(studio);
            }
        }
        Do::Remove(work) => flow::cancel(studio, work),
        Do::Pause => {
            studio.context.document.works.queue.paused ^= true;
            changed(studio);
        }
        Do::Shift(work, by) => {
            studio.context.document.works.shift(work, by);
            changed(studio);
        }
        Do::Place(work, place) => {
            studio.context.document.works.queue.move_to(work.0, place);
            changed(studio);
        }
        Do::Clear => {
            let waiting = studio.context.document.works.queue.jobs().iter();
            let waiting: Vec<WorkId> = waiting
                .filter(|job| !job.running)
                .map(|job| WorkId(job.id))
                .collect();
            for work in waiting {
                flow::cancel(studio, work);
            }
            studio.context.document.works.failures.clear();
        }
        Do::Retry(work) => retry(studio, work, false),
        Do::RetrySmaller(work) => retry(studio, work, true),
        Do::Continue => {
            studio.context.document.works.release();
            studio.context.document.works.queue.paused = false;
            changed(studio);
        }
        Do::Discard => {
            studio.context.document.works.discard_held();
            changed(studio);
        }
        Do::SaveAgain => flow::save_again(studio),
        Do::FocusPrompt => {
            studio.context.workspace = Workspace::Studio;
            studio.context.settings.show_right = true;
            studio.generate.view.focus_prompt = true;
        }
        Do::ToggleHistory => studio.generate.view.history_open ^= true,
        Do::OlderPrompt => {
            let request = &mut studio.context.document.request;
            if let Some(prompt) = studio.generate.history.older(&request.draw.prompt) {
                request.draw.prompt = prompt;
            }
        }
        Do::NewerPrompt => {
            let request = &mut studio.context.document.request;
            if let Some(prompt) = studio.generate.history.newer(&request.draw.prompt) {
                request.draw.prompt = prompt;
            }
        }
        Do::UsePrompt(prompt) => {
            studio.context.document.request.draw.prompt = prompt;
            studio.generate.view.history_open = false;
        }
        Do::PinPrompt(prompt) => {
            studio.generate.history.pin(&prompt);
            keep::keep_history(studio);
        }
        Do::ForgetPrompt(prompt) => {
            studio.generate.history.forget(&prompt);
            keep::keep_history(studio);
        }
        Do::Dice => studio.context.document.request.draw.seed = random_seed(),
        Do::LockSeed => studio.context.document.request.seed_locked ^= true,
        Do::LastSeed => {
            if let Some(seed) = studio.generate.last_seed {
                studio.context.document.request.draw.seed = seed;
                studio.context.document.request.seed_locked = true;
            }
        }
        Do::Follow(follow) => studio.context.document.request.follow = follow,
        Do::Live => match studio.generate.live.on {
            true => flow::stop_live(studio),
            false => studio.generate.live.on = true,
        },
        Do::StopLive => flow::stop_live(studio),
        Do::KeepLive => flow::keep_live(studio),
    }
}

fn changed(studio: &mut Studio) {
    keep::keep_queue(studio);
    flow::start_next(studio);
}

fn retry(studio: &mut Studio, work: WorkId, smaller: bool) {
    let Some(failure) = studio.context.document.works.take_failure(work) else {
        return;
    };
    let mut job = (*failure.job).clone();
    if let Some(size) = failure.smaller.filter(|_| smaller) {
        // A fork's latent has the old size; from noise it begins again.
        job.draw.size = size;
        job.fork = None;
        studio.context.document.request.draw.size = size;
    }
    let work = Work {
        job,
        owner: failure.owner,
        template: failure.template,
    };
    submit(&mut studio.context, work);
}

/// Reads the prompt history and the queue that the last session left.
pub fn start(studio: &mut Studio) {
    studio.context.document.request.next_seed();
    keep::start(studio);
}

/// Takes in an event of a job.
pub fn on_event(studio: &mut Studio, event: Event) {
    flow::on_event(studio, event);
}

/// Starts what is due: the next job of the queue, a live job.
pub fn tick(studio: &mut Studio) {
    studio.generate.follow_request(&studio.context.document);
    follow_model(studio);
    keep::tick(studio);
    follow_layer(studio);
    flow::tick_live(studio);
    show_on_canvas(studio);
    publish(studio);
    tell_used_prompts(studio);
}

/// Who begins to draw on the other layer wants the face to follow it.
fn follow_layer(studio: &mut Studio) {
    let layer = studio.context.document.painter.settings.layer;
    let before = studio.generate.layer.replace(layer);
    let request = &mut studio.context.document.request;
    if before.is_some_and(|before| before != layer) && request.follow != ConditionKind::None {
        request.follow = layer.kind();
    }
}

/// Shows the newest picture and how far the engine is where the person looks.
fn show_on_canvas(studio: &mut Studio) {
    let state = &mut studio.generate;
    if let Some(image) = &state.preview
        && state.on_canvas != state.preview_number
    {
        state.on_canvas = state.preview_number;
        let image = Arc::clone(image);
        studio.context.emit(CanvasCommand::ShowPicture(image));
    }
    let progress = state.running.as_ref().map(|running| {
        let (step, steps) = running.step;
        let (picture, pictures) = running.picture;
        Progress {
            text: match (running.cancelling, pictures) {
                (true, _) => "Cancelling…".to_string(),
                (_, 1) => format!("Step {step} of {steps}"),
                _ => format!(
                    "Picture {} of {pictures}, step {step} of {steps}",
                    picture + 1
                ),
            },
            share: state.fraction(),
        }
    });
    studio.context.facts.drawing.progress = progress;
}

/// Takes in what has happened elsewhere.
pub fn announced(studio: &mut Studio, announcement: &Announcement) {
    match announcement {
        Announcement::EngineReplaced => engine_replaced(studio),
        Announcement::ModelReady | Announcement::DeviceFree => flow::start_next(studio),
        _ => {}
    }
}

/// The engine was replaced: what it was drawing is drawn anew by the next one.
fn engine_replaced(studio: &mut Studio) {
    let running = studio.generate.running.take();
    if let Some(running) = running.filter(|running| running.cancelling || running.last) {
        flow::cancel(studio, running.work);
    }
    let state = &mut studio.generate;
    state.live.ended(false, studio.context.now);
    state.live.again(studio.context.now);
    keep::keep_queue(studio);
    studio.context.keep_trails(0);
}

/// Tells others what is being drawn: whenever that may have changed.
pub fn publish(studio: &mut Studio) {
    let state = &studio.generate;
    let drawing = &mut studio.context.facts.drawing;
    drawing.running = state.running.as_ref().map(|running| facts::Running {
        work: running.work,
        picture: running.picture,
        step: running.step,
    });
    drawing.unsaved = state.saver.unsaved();
    drawing.live = state.live.on;
    drawing.step_seconds = state.step_seconds;
}

fn tell_used_prompts(studio: &mut Studio) {
    let used = studio.generate.history.entries();
    let told = &mut studio.context.facts.used_prompts;
    if told.len() != used.len() || used.iter().zip(told.iter()).any(|(a, b)| a.prompt != *b) {
        *told = used.iter().map(|used| used.prompt.clone()).collect();
    }
}

/// Takes on what a newly loaded model suggests, fetches its tokenizer, starts what waited for it.
fn follow_model(studio: &mut Studio) {
    let Some(model) = studio.context.facts.model.ready().cloned() else {
        return;
    };
    let model = &model;
    let state = &mut studio.generate;
    let key = format!("{} {}", model.name, model.sha256);
    if state.model.as_ref() == Some(&key) {
        return;
    }
    state.suggest(model, &mut studio.context.document.request.draw);
    state.model = Some(key.clone());
    state.counter.set(None);
    let name = model.name.clone();
    studio.spawn("reading the tokenizer", move || {
        let tokenizer = tokens::load(&name);
        move |studio: &mut Studio| {
            if studio.generate.model.as_ref() == Some(&key) {
                studio.generate.counter.set(tokenizer);
            }
        }
    });
    flow::start_next(studio);
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::{Guide, Objective, Sampler};

    use super::*;
    use crate::studio::document::Request;

    fn model(suggested: DrawChanges, objective: Objective) -> ModelSummary {
        ModelSummary {
            suggested,
            objective,
            ..ModelSummary::default()
        }
    }

    fn demo() -> ModelSummary {
        let suggested = DrawChanges {
            size: Some(128),
            guidance: Some(1.5),
            guide: Some(Guide::WordsAndDrawing),
            sampler: Some(Sampler::Heun),
            ..DrawChanges::default()
        };
        model(suggested, Objective::Flow)
    }

    #[test]
    fn untouched_values_follow_the_model_and_touched_ones_stay() {
        let mut state = State::default();
        let mut draw = Draw {
            guidance: 4.0,
            ..Draw::default()
        };
        state.suggest(&demo(), &mut draw);
        assert_eq!((draw.size, draw.guidance), (128, 4.0));
        assert_eq!(
            (draw.guide, draw.sampler),
            (Guide::WordsAndDrawing, Sampler::Heun)
        );
        let other = DrawChanges {
            size: Some(512),
            guidance: Some(7.5),
            ..DrawChanges::default()
        };
        state.suggest(&model(other, Objective::Diffusion), &mut draw);
        assert_eq!((draw.size, draw.guidance), (512, 4.0));
        assert_eq!(draw.sampler, Sampler::DpmPp2M, "Heun does not fit");
    }

    #[test]
    fn a_model_changes_nothing_of_what_a_file_says() {
        let mut state = State::default();
        // As a recipe of the authors' way has them: they are the program's defaults as well.
        let mut document = Document::new(512);
        document.take_over(Request::default());
        state.follow_request(&document);
        state.suggest(&demo(), &mut document.request.draw);
        assert_eq!(document.request, Request::default());
    }
}
