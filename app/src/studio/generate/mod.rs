//! Prompt, settings, queue, live mode: from a drawing to a job, from its events to a result.
//!
//! The document holds what a person has set and what waits; [`dispatch`] brings one to the other
//! through the engine and saves every picture before it is shown. Other features hand in work
//! through `submit` and learn of its end from announcements.

pub mod dispatch;
pub mod history;
pub mod live;
pub mod panel;
pub mod persistence;
pub mod start;
pub mod tokens;

use std::sync::Arc;

use mmface_engine::contract::{Event, ModelSummary};
use mmface_engine::job::{ConditionKind, Draw, DrawChanges};
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::Recipe;

use super::announcement::Announcement;
use super::command::{CanvasCommand, GenerateCommand, Workspace};
use super::context::{Context, Inbox};
use super::document::request::random_seed;
use super::document::{Document, Request, Work, WorkId};
use super::facts::{self, Progress};
use super::submit::submit;
use crate::paint::Layer;

/// Picture, recipe and latent of the last live job.
type LivePicture = (Arc<RgbImage>, Arc<Recipe>, Arc<Vec<f32>>);

/// The feature's state.
#[derive(Default)]
pub struct State {
    /// The picture that the engine draws.
    pub running: Option<dispatch::Running>,
    /// Pictures on their way to the disk.
    pub saver: dispatch::Saver,
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
    files: persistence::Files,
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
    /// What came of slow work.
    pub inbox: Inbox<State>,
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
pub fn handle(state: &mut State, command: GenerateCommand, cx: &mut Context) {
    act(state, command, cx);
    publish(state, cx);
}

fn act(state: &mut State, command: GenerateCommand, cx: &mut Context) {
    match command {
        Do::QueueChanged => changed(state, cx),
        Do::Used(prompt, seed) => {
            state.last_seed = Some(seed);
            if state.history.add(&prompt) {
                persistence::save_history(state, cx);
            }
        }
        Do::Start => {
            cx.emit(CanvasCommand::Watch);
            state.last_warning = None;
            start::generate(state, cx);
        }
        Do::Cancel => match state.running.as_ref().map(|running| running.work) {
            Some(work) => dispatch::cancel(state, cx, work),
            None if state.live.on => dispatch::stop_live(state, cx),
            None => {}
        },
        Do::StopAfter => {
            if let Some(running) = &mut state.running {
                running.last = true;
                let works = &mut cx.document.works;
                works.queue.paused |= works.next().is_some();
                persistence::save_queue(state, cx);
            }
        }
        Do::Remove(work) => dispatch::cancel(state, cx, work),
        Do::Pause => {
            cx.document.works.queue.paused ^= true;
            changed(state, cx);
        }
        Do::Shift(work, by) => {
            cx.document.works.shift(work, by);
            changed(state, cx);
        }
        Do::Place(work, place) => {
            cx.document.works.queue.move_to(work.0, place);
            changed(state, cx);
        }
        Do::Clear => {
            let waiting = cx.document.works.queue.jobs().iter();
            let waiting: Vec<WorkId> = waiting
                .filter(|job| !job.running)
                .map(|job| WorkId(job.id))
                .collect();
            for work in waiting {
                dispatch::cancel(state, cx, work);
            }
            cx.document.works.failures.clear();
        }
        Do::Retry(work) => retry(cx, work, false),
        Do::RetrySmaller(work) => retry(cx, work, true),
        Do::Continue => {
            cx.document.works.release();
            cx.document.works.queue.paused = false;
            changed(state, cx);
        }
        Do::Discard => {
            cx.document.works.discard_held();
            changed(state, cx);
        }
        Do::SaveAgain => dispatch::save_again(state, cx),
        Do::FocusPrompt => {
            cx.workspace = Workspace::Studio;
            cx.settings.show_right = true;
            state.view.focus_prompt = true;
        }
        Do::ToggleHistory => state.view.history_open ^= true,
        Do::OlderPrompt => {
            let request = &mut cx.document.request;
            if let Some(prompt) = state.history.older(&request.draw.prompt) {
                request.draw.prompt = prompt;
            }
        }
        Do::NewerPrompt => {
            let request = &mut cx.document.request;
            if let Some(prompt) = state.history.newer(&request.draw.prompt) {
                request.draw.prompt = prompt;
            }
        }
        Do::UsePrompt(prompt) => {
            cx.document.request.draw.prompt = prompt;
            state.view.history_open = false;
        }
        Do::PinPrompt(prompt) => {
            state.history.pin(&prompt);
            persistence::save_history(state, cx);
        }
        Do::ForgetPrompt(prompt) => {
            state.history.forget(&prompt);
            persistence::save_history(state, cx);
        }
        Do::Values(values) => {
            let request = &mut cx.document.request;
            let draw = Draw {
                prompt: std::mem::take(&mut request.draw.prompt),
                negative: std::mem::take(&mut request.draw.negative),
                ..values.draw
            };
            *request = Request { draw, ..*values };
        }
        Do::Prompt(prompt) => cx.document.request.draw.prompt = prompt,
        Do::Negative(negative) => cx.document.request.draw.negative = negative,
        Do::Select(selection) => cx.facts.prompt_selection = selection,
        Do::Dice => cx.document.request.draw.seed = random_seed(),
        Do::LockSeed => cx.document.request.seed_locked ^= true,
        Do::LastSeed => {
            if let Some(seed) = state.last_seed {
                cx.document.request.draw.seed = seed;
                cx.document.request.seed_locked = true;
            }
        }
        Do::Follow(follow) => cx.document.request.follow = follow,
        Do::Live => match state.live.on {
            true => dispatch::stop_live(state, cx),
            false => state.live.on = true,
        },
        Do::StopLive => dispatch::stop_live(state, cx),
        Do::KeepLive => dispatch::keep_live(state, cx),
    }
}

fn changed(state: &mut State, cx: &mut Context) {
    persistence::save_queue(state, cx);
    dispatch::start_next(state, cx);
}

fn retry(cx: &mut Context, work: WorkId, smaller: bool) {
    let Some(failure) = cx.document.works.take_failure(work) else {
        return;
    };
    let mut job = (*failure.job).clone();
    if let Some(size) = failure.smaller.filter(|_| smaller) {
        // A fork's latent has the old size; from noise it begins again.
        job.draw.size = size;
        job.fork = None;
        cx.document.request.draw.size = size;
    }
    let work = Work {
        job,
        owner: failure.owner,
        template: failure.template,
    };
    submit(cx, work);
}

/// Reads the prompt history and the queue that the last session left.
pub fn start(state: &mut State, cx: &mut Context) {
    cx.document.request.next_seed();
    persistence::start(state, cx);
}

/// Takes in an event of a job.
pub fn on_event(state: &mut State, event: Event, cx: &mut Context) {
    dispatch::on_event(state, cx, event);
    publish(state, cx);
}

/// Starts what is due: the next job of the queue, a live job.
pub fn tick(state: &mut State, cx: &mut Context) {
    state.follow_request(&cx.document);
    follow_model(state, cx);
    persistence::tick(state, cx);
    follow_layer(state, cx);
    dispatch::tick_live(state, cx);
    show_on_canvas(state, cx);
    publish(state, cx);
}

/// Who begins to draw on the other layer wants the face to follow it.
fn follow_layer(state: &mut State, cx: &mut Context) {
    let layer = cx.document.painter.settings.layer;
    let before = state.layer.replace(layer);
    let request = &mut cx.document.request;
    if before.is_some_and(|before| before != layer) && request.follow != ConditionKind::None {
        request.follow = layer.kind();
    }
}

/// Shows the newest picture and how far the engine is where the person looks.
fn show_on_canvas(state: &mut State, cx: &mut Context) {
    if let Some(image) = &state.preview
        && state.on_canvas != state.preview_number
    {
        state.on_canvas = state.preview_number;
        let image = Arc::clone(image);
        cx.emit(CanvasCommand::ShowPicture(image));
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
    cx.facts.drawing.progress = progress;
}

/// Takes in what has happened elsewhere.
pub fn announced(state: &mut State, announcement: &Announcement, cx: &mut Context) {
    match announcement {
        Announcement::EngineReplaced => engine_replaced(state, cx),
        Announcement::ModelReady | Announcement::DeviceFree => dispatch::start_next(state, cx),
        _ => return,
    }
    publish(state, cx);
}

/// The engine was replaced: what it was drawing is drawn anew by the next one.
fn engine_replaced(state: &mut State, cx: &mut Context) {
    let running = state.running.take();
    if let Some(running) = running.filter(|running| running.cancelling || running.last) {
        dispatch::cancel(state, cx, running.work);
    }
    state.live.ended(false, cx.now);
    state.live.again(cx.now);
    persistence::save_queue(state, cx);
    cx.keep_trails(0);
}

/// Tells others what is being drawn: whenever that may have changed.
fn publish(state: &State, cx: &mut Context) {
    let drawing = &mut cx.facts.drawing;
    drawing.running = state.running.as_ref().map(|running| facts::Running {
        work: running.work,
        picture: running.picture,
        step: running.step,
    });
    drawing.unsaved = state.saver.unsaved();
    drawing.live = state.live.on;
    drawing.step_seconds = state.step_seconds;
}

/// Takes on what a newly loaded model suggests, fetches its tokenizer, starts what waited for it.
fn follow_model(state: &mut State, cx: &mut Context) {
    let Some(model) = cx.facts.model.ready().cloned() else {
        return;
    };
    let model = &model;
    let key = format!("{} {}", model.name, model.sha256);
    if state.model.as_ref() == Some(&key) {
        return;
    }
    state.suggest(model, &mut cx.document.request.draw);
    state.model = Some(key.clone());
    state.counter.set(None);
    let name = model.name.clone();
    cx.spawn(&state.inbox, "reading the tokenizer", move || {
        let tokenizer = tokens::load(&name);
        move |state: &mut State, _: &mut Context| {
            if state.model.as_ref() == Some(&key) {
                state.counter.set(tokenizer);
            }
        }
    });
    dispatch::start_next(state, cx);
}

#[cfg(test)]
mod tests {
    use mmface_engine::job::{Guide, Objective, Sampler};

    use super::*;
    use crate::studio::command::Command;
    use crate::studio::facts::ModelStatus;
    use crate::studio::outbox::Message;
    use crate::studio::testing;

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

    /// Hands the feature what it asked of itself; gives back the rest.
    fn turn(state: &mut State, cx: &mut Context) -> Vec<Message> {
        let mut others = Vec::new();
        while let Some(message) = cx.outbox.next() {
            match message {
                Message::Command(Command::Generate(command)) => handle(state, command, cx),
                other => others.push(other),
            }
        }
        others
    }

    #[test]
    fn pictures_wait_until_training_leaves_the_device() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        cx.facts.model = ModelStatus::Ready(Arc::new(ModelSummary::default()));
        cx.facts.training.uses_device = true;
        cx.document.request.draw.prompt = "a face".into();
        handle(&mut state, Do::Start, &mut cx);
        let others = turn(&mut state, &mut cx);
        let wanted = |message: &Message| {
            matches!(message, Message::Announcement(Announcement::DeviceWanted))
        };
        assert!(others.iter().any(wanted), "{others:?}");
        assert!(cx.is_busy() && cx.facts.drawing.running.is_none());
        assert_eq!(cx.facts.used_prompts, ["a face"]);

        cx.facts.training.uses_device = false;
        announced(&mut state, &Announcement::DeviceFree, &mut cx);
        assert!(cx.facts.drawing.running.is_some());
    }

    #[test]
    fn values_of_the_panel_leave_the_prompt_that_was_typed_meanwhile() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        let mut values = cx.document.request.clone();
        values.draw.steps = 7;
        handle(&mut state, Do::Prompt("an old man".into()), &mut cx);
        handle(&mut state, Do::Values(Box::new(values)), &mut cx);
        let draw = &cx.document.request.draw;
        assert_eq!((draw.prompt.as_str(), draw.steps), ("an old man", 7));
    }
}
