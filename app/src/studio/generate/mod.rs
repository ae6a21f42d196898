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
pub mod request;
pub mod start;
pub mod tokens;
pub mod works;

use mmface_engine::job::{ConditionKind, Draw, DrawChanges};
use std::sync::Arc;

use mmface_engine::contract::{Event, ModelSummary};
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::Recipe;

pub use flow::{Finished, Outcome, submit};
pub use request::Request;
pub use works::{Owner, Work, WorkId};

use super::actions::Action;
use super::canvas;
use super::results;
use super::state::{Studio, Workspace};
use crate::paint::Layer;

/// Picture, recipe and latent of the last live job.
type LivePicture = (Arc<RgbImage>, Arc<Recipe>, Arc<Vec<f32>>);

/// The feature's state.
#[derive(Default)]
pub struct State {
    /// What a person has set for the next pictures.
    pub request: Request,
    /// Work that waits, runs or failed.
    pub works: works::Works,
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
    /// Takes on values from a file or a result: none of them is replaced by a model's suggestion.
    pub fn set_request(&mut self, request: Request) {
        self.request = request;
        self.request.tidy();
        // What the face follows comes from there as well, not from a change of the layer.
        self.layer = None;
        self.suggested = Suggested(DrawChanges::default());
    }

    /// Takes on what a model suggests, except for values that were touched since the suggestions
    /// before, and a sampler that fits it.
    fn follow_model(&mut self, model: &ModelSummary) {
        let draw = &mut self.request.draw;
        let Suggested(before) = &self.suggested;
        model.suggested.untouched(before, draw).apply(draw);
        if draw.sampler.objective() != model.objective {
            draw.sampler = model.objective.default_sampler();
        }
        self.suggested = Suggested(model.suggested.clone());
    }

    /// Whether a picture is drawn, or will be as soon as possible.
    pub fn is_busy(&self) -> bool {
        self.running.is_some() || self.saver.unsaved() > 0 || self.works.next().is_some()
    }
}

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum GenerateCommand {
    /// Draws what is set.
    Start,
    /// Cancels the work that runs.
    Cancel,
    /// Finishes the picture at hand, drops the others of its work and holds what waits.
    StopAfter,
    /// Cancels a work, or takes it off the list.
    Remove(WorkId),
    /// Pauses the queue, or lets it go on.
    Pause,
    /// Moves a waiting work by places, up for negative numbers.
    Shift(WorkId, isize),
    /// Moves a waiting work to a place, from 0.
    Place(WorkId, usize),
    /// Drops everything that waits.
    Clear,
    /// Tries failed work again.
    Retry(WorkId),
    /// Tries failed work again with smaller pictures.
    RetrySmaller(WorkId),
    /// Goes on with what the last session left.
    Continue,
    /// Drops what the last session left.
    Discard,
    /// Tries again to save pictures.
    SaveAgain,
    /// Moves the cursor into the prompt.
    FocusPrompt,
    /// Shows or hides the prompt history.
    ToggleHistory,
    /// Puts the prompt before this one into the field.
    OlderPrompt,
    /// Puts the prompt after this one into the field.
    NewerPrompt,
    /// Puts a prompt into the field.
    UsePrompt(String),
    /// Pins or unpins a prompt of the history.
    PinPrompt(String),
    /// Forgets a prompt of the history.
    ForgetPrompt(String),
    /// Rolls the seed.
    Dice,
    /// Locks the seed, or lets it roll.
    LockSeed,
    /// Takes the seed of the last generation and locks it.
    LastSeed,
    /// Chooses what the face follows.
    Follow(ConditionKind),
    /// Turns live mode on or off.
    Live,
    /// Keeps the live picture in the library.
    KeepLive,
}

use GenerateCommand as Do;

/// Named actions.
pub const ACTIONS: &[Action] = &[
    Action::new("generate.start", "Generate", &["Ctrl+Enter"], || {
        Do::Start.into()
    })
    .in_text(),
    Action::new(
        "generate.cancel",
        "Cancel the picture at hand",
        &["Ctrl+Shift+Enter"],
        || Do::Cancel.into(),
    )
    .in_text(),
    Action::new(
        "generate.stop_after",
        "Stop after this picture",
        &[],
        || Do::StopAfter.into(),
    ),
    Action::new(
        "generate.pause",
        "Pause or resume the queue",
        &["Ctrl+Alt+P"],
        || Do::Pause.into(),
    )
    .in_text(),
    Action::new("generate.clear", "Clear the queue", &[], || {
        Do::Clear.into()
    }),
    Action::new(
        "generate.focus_prompt",
        "Go to the prompt",
        &["Ctrl+P"],
        || Do::FocusPrompt.into(),
    )
    .in_text(),
    Action::new("generate.history", "Prompt history", &["Ctrl+H"], || {
        Do::ToggleHistory.into()
    })
    .in_text(),
    Action::new("generate.history_up", "Older prompt", &["Alt+Up"], || {
        Do::OlderPrompt.into()
    })
    .in_text(),
    Action::new(
        "generate.history_down",
        "Newer prompt",
        &["Alt+Down"],
        || Do::NewerPrompt.into(),
    )
    .in_text(),
    Action::new("generate.dice", "Roll the seed", &["Ctrl+R"], || {
        Do::Dice.into()
    })
    .in_text(),
    Action::new(
        "generate.lock_seed",
        "Lock the seed",
        &["Ctrl+Shift+L"],
        || Do::LockSeed.into(),
    )
    .in_text(),
    Action::new("generate.last_seed", "Use the last seed again", &[], || {
        Do::LastSeed.into()
    }),
    Action::new("generate.mask", "Follow the mask", &[], || {
        Do::Follow(ConditionKind::Mask).into()
    }),
    Action::new("generate.sketch", "Follow the sketch", &[], || {
        Do::Follow(ConditionKind::Sketch).into()
    }),
    Action::new(
        "generate.prompt_only",
        "Follow the prompt alone",
        &[],
        || Do::Follow(ConditionKind::None).into(),
    ),
    Action::new("generate.live", "Live preview", &["Ctrl+L"], || {
        Do::Live.into()
    })
    .in_text(),
    Action::new("generate.keep_live", "Keep the live picture", &[], || {
        Do::KeepLive.into()
    }),
];

/// Does what the command says.
pub fn run(studio: &mut Studio, command: GenerateCommand) {
    match command {
        Do::Start => {
            studio.canvas.watch();
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
                let works = &mut studio.generate.works;
                works.queue.paused |= works.next().is_some();
                keep::keep_queue(studio);
            }
        }
        Do::Remove(work) => flow::cancel(studio, work),
        Do::Pause => {
            studio.generate.works.queue.paused ^= true;
            changed(studio);
        }
        Do::Shift(work, by) => {
            studio.generate.works.shift(work, by);
            changed(studio);
        }
        Do::Place(work, place) => {
            studio.generate.works.queue.move_to(work.0, place);
            changed(studio);
        }
        Do::Clear => {
            let waiting = studio.generate.works.queue.jobs().iter();
            let waiting: Vec<WorkId> = waiting
                .filter(|job| !job.running)
                .map(|job| WorkId(job.id))
                .collect();
            for work in waiting {
                flow::cancel(studio, work);
            }
            studio.generate.works.failures.clear();
        }
        Do::Retry(work) => retry(studio, work, false),
        Do::RetrySmaller(work) => retry(studio, work, true),
        Do::Continue => {
            studio.generate.works.release();
            studio.generate.works.queue.paused = false;
            changed(studio);
        }
        Do::Discard => {
            studio.generate.works.discard_held();
            changed(studio);
        }
        Do::SaveAgain => flow::save_again(studio),
        Do::FocusPrompt => {
            studio.workspace = Workspace::Studio;
            studio.settings.show_right = true;
            studio.generate.view.focus_prompt = true;
        }
        Do::ToggleHistory => studio.generate.view.history_open ^= true,
        Do::OlderPrompt => {
            let state = &mut studio.generate;
            if let Some(prompt) = state.history.older(&state.request.draw.prompt) {
                state.request.draw.prompt = prompt;
            }
        }
        Do::NewerPrompt => {
            let state = &mut studio.generate;
            if let Some(prompt) = state.history.newer(&state.request.draw.prompt) {
                state.request.draw.prompt = prompt;
            }
        }
        Do::UsePrompt(prompt) => {
            studio.generate.request.draw.prompt = prompt;
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
        Do::Dice => studio.generate.request.draw.seed = request::random_seed(),
        Do::LockSeed => studio.generate.request.seed_locked ^= true,
        Do::LastSeed => {
            if let Some(seed) = studio.generate.last_seed {
                studio.generate.request.draw.seed = seed;
                studio.generate.request.seed_locked = true;
            }
        }
        Do::Follow(follow) => studio.generate.request.follow = follow,
        Do::Live => match studio.generate.live.on {
            true => flow::stop_live(studio),
            false => studio.generate.live.on = true,
        },
        Do::KeepLive => flow::keep_live(studio),
    }
}

fn changed(studio: &mut Studio) {
    keep::keep_queue(studio);
    flow::start_next(studio);
}

fn retry(studio: &mut Studio, work: WorkId, smaller: bool) {
    let Some(failure) = studio.generate.works.take_failure(work) else {
        return;
    };
    let mut job = (*failure.job).clone();
    if let Some(size) = failure.smaller.filter(|_| smaller) {
        // A fork's latent has the old size; from noise it begins again.
        job.draw.size = size;
        job.fork = None;
        studio.generate.request.draw.size = size;
    }
    let work = Work {
        job,
        owner: failure.owner,
        template: failure.template,
    };
    submit(studio, work);
}

/// Reads the prompt history and the queue that the last session left.
pub fn start(studio: &mut Studio) {
    studio.generate.request.next_seed();
    keep::start(studio);
}

/// Takes in an event of a job.
pub fn on_event(studio: &mut Studio, event: Event) {
    flow::on_event(studio, event);
}

/// Starts what is due: the next job of the queue, a live job.
pub fn tick(studio: &mut Studio) {
    follow_model(studio);
    keep::tick(studio);
    follow_layer(studio);
    flow::tick_live(studio);
    show_on_canvas(studio);
}

/// Who begins to draw on the other layer wants the face to follow it.
fn follow_layer(studio: &mut Studio) {
    let layer = studio.painter.settings.layer;
    let state = &mut studio.generate;
    let before = state.layer.replace(layer);
    if before.is_some_and(|before| before != layer) && state.request.follow != ConditionKind::None {
        state.request.follow = layer.kind();
    }
}

/// Shows the newest picture and how far the engine is where the person looks.
fn show_on_canvas(studio: &mut Studio) {
    let state = &mut studio.generate;
    if let Some(image) = &state.preview
        && state.on_canvas != state.preview_number
    {
        state.on_canvas = state.preview_number;
        studio.canvas.show_picture(&studio.ctx, image);
    }
    let progress = state.running.as_ref().map(|running| {
        let (step, steps) = running.step;
        let (picture, pictures) = running.picture;
        canvas::Progress {
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
    studio.canvas.progress = progress;
}

/// The engine was replaced: what it was drawing is drawn anew by the next one.
pub fn engine_replaced(studio: &mut Studio) {
    let running = studio.generate.running.take();
    if let Some(running) = running.filter(|running| running.cancelling || running.last) {
        flow::cancel(studio, running.work);
    }
    let state = &mut studio.generate;
    state.live.ended(false, studio.now);
    state.live.again(studio.now);
    keep::keep_queue(studio);
    results::keep_trails(studio);
}

/// Takes on what a newly loaded model suggests, fetches its tokenizer, starts what waited for it.
fn follow_model(studio: &mut Studio) {
    let Some(model) = studio.models.ready() else {
        return;
    };
    let state = &mut studio.generate;
    let key = format!("{} {}", model.name, model.sha256);
    if state.model.as_ref() == Some(&key) {
        return;
    }
    state.follow_model(model);
    state.model = Some(key.clone());
    state.counter.set(None);
    let name = model.name.clone();
    studio
        .services
        .tasks
        .spawn("reading the tokenizer", move || {
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
    use mmface_engine::job::{Guide, Named as _, Objective, Sampler};

    use super::*;

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
    fn every_kind_of_condition_has_an_action() {
        for &kind in ConditionKind::ALL {
            let command = GenerateCommand::Follow(kind).into();
            assert!(
                ACTIONS.iter().any(|action| (action.command)() == command),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn untouched_values_follow_the_model_and_touched_ones_stay() {
        let mut state = State::default();
        state.request.draw.guidance = 4.0;
        state.follow_model(&demo());
        let draw = &state.request.draw;
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
        state.follow_model(&model(other, Objective::Diffusion));
        let draw = &state.request.draw;
        assert_eq!((draw.size, draw.guidance), (512, 4.0));
        assert_eq!(draw.sampler, Sampler::DpmPp2M, "Heun does not fit");
    }

    #[test]
    fn a_model_changes_nothing_of_what_a_file_says() {
        let mut state = State::default();
        // As a recipe of the authors' way has them: they are the program's defaults as well.
        state.set_request(Request::default());
        state.follow_model(&demo());
        assert_eq!(state.request, Request::default());
    }
}
