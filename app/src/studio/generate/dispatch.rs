//! From work to pictures on disk: one picture at a time is given to the engine, so that waiting work
//! can be reordered, paused and stopped; each is saved before anybody sees it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mmface_engine::Error;
use mmface_engine::contract::{Event, JobId, Lane, Picture};
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::Recipe;

use super::State;
use super::{live, persistence};
use crate::project::Library;
use crate::project::library::Entry;
use crate::studio::announcement::{Announcement, Finished};
use crate::studio::context::Context;
use crate::studio::document::request::smaller_size;
use crate::studio::document::{Owner, WorkId, title};
use crate::studio::toast::Toast;

/// How much a new step counts in the average time of a step.
const NEWEST: f64 = 0.3;

/// The picture that the engine draws.
#[derive(Clone, Debug)]
pub struct Running {
    /// The work that it is part of.
    pub work: WorkId,
    /// The engine's name for it.
    pub job: JobId,
    /// Its recipe but for the pixels.
    recipe: Recipe,
    /// Place of the picture among those of the work, from 0, and their number.
    pub picture: (usize, usize),
    /// Steps done and all steps of this picture.
    pub step: (usize, usize),
    /// The person wants it gone.
    pub cancelling: bool,
    /// The person wants no other of its work after it.
    pub last: bool,
}

/// A picture on its way to the disk.
#[derive(Clone)]
struct Unsaved {
    work: WorkId,
    owner: Owner,
    recipe: Arc<Recipe>,
    picture: Arc<RgbImage>,
    latent: Arc<Vec<f32>>,
}

/// Saves pictures one after the other, in the order in which they were drawn.
#[derive(Default)]
pub struct Saver {
    waiting: VecDeque<Unsaved>,
    busy: bool,
    /// Why the picture at hand could not be saved; nothing new is drawn meanwhile.
    pub problem: Option<String>,
}

impl Saver {
    /// Pictures that are not on disk yet.
    pub fn unsaved(&self) -> usize {
        self.waiting.len()
    }
}

/// Whether pictures may be drawn as far as training is concerned. If not, it was asked for, and
/// [`Announcement::DeviceFree`] comes when they may.
fn may_draw(cx: &Context) -> bool {
    if cx.facts.training.uses_device {
        cx.announce(Announcement::DeviceWanted);
    }
    !cx.facts.training.uses_device
}

/// Gives the engine the next picture, if it is free and there is one.
pub fn start_next(state: &mut State, cx: &mut Context) {
    if state.running.is_some() || state.saver.problem.is_some() {
        return;
    }
    if cx.facts.model.ready().is_none() || cx.services.engine.is_err() {
        return;
    }
    let works = &cx.document.works;
    // The rest of a begun work goes before new work.
    let begun = works.queue.jobs().iter().filter(|job| job.running);
    let begun = begun
        .map(|job| WorkId(job.id))
        .find(|id| works.next_picture(*id).is_some())
        .filter(|_| !works.queue.paused);
    let Some(work) = begun.or_else(|| works.next().map(|job| WorkId(job.id))) else {
        return;
    };
    let Some((job, index)) = works.next_picture(work) else {
        return;
    };
    if !may_draw(cx) {
        return;
    }
    let (Some(model), Ok(engine)) = (cx.facts.model.ready(), &cx.services.engine) else {
        return;
    };
    let works = &mut cx.document.works;
    works.queue.start(work.0);
    let template = works.queue.get(work.0).and_then(|job| job.template.clone());
    let recipe = Recipe {
        index,
        template,
        ..Recipe::new(job.clone(), model)
    };
    let steps = job.total_steps();
    state.running = Some(Running {
        work,
        job: engine.submit(Lane::Batch, job),
        recipe,
        picture: (index, works.pictures(work).1),
        step: (0, steps),
        cancelling: false,
        last: false,
    });
    persistence::save_queue(state, cx);
}

/// Takes in an event of a job.
pub fn on_event(state: &mut State, cx: &mut Context, event: Event) {
    let job = match &event {
        Event::Queued { job }
        | Event::Started { job, .. }
        | Event::Step { job, .. }
        | Event::Warning { job, .. }
        | Event::Finished { job, .. }
        | Event::Cancelled { job }
        | Event::Failed { job, .. } => *job,
        _ => return,
    };
    let mine = state.running.as_ref();
    if mine.is_some_and(|running| running.job == job) {
        on_batch_event(state, cx, event);
    } else if state.live.job() == Some(job) {
        on_live_event(state, cx, event);
    }
}

fn on_batch_event(state: &mut State, cx: &mut Context, event: Event) {
    match event {
        Event::Step {
            index,
            of,
            seconds,
            preview,
            ..
        } => {
            if let Some(running) = &mut state.running {
                running.step = (index, of);
            }
            state.learn(seconds);
            if let Some(image) = preview.and_then(|preview| preview.take()) {
                state.show(Arc::new(image));
            }
        }
        // Said once, however many pictures it concerns.
        Event::Warning { text, .. } if state.last_warning.as_ref() == Some(&text) => {}
        Event::Warning { text, .. } => {
            state.last_warning = Some(text.clone());
            cx.tell(Toast::Warning(text));
        }
        Event::Finished { pictures, .. } => {
            let Some(running) = state.running.take() else {
                return;
            };
            let recipe = Arc::new(running.recipe);
            for Picture { image, latent, .. } in pictures {
                cx.document.works.drawn(running.work);
                state.saver.waiting.push_back(Unsaved {
                    work: running.work,
                    owner: cx.document.works.owner(running.work),
                    recipe: Arc::clone(&recipe),
                    picture: Arc::new(image),
                    latent: Arc::new(latent),
                });
            }
            if running.last || running.cancelling {
                cx.document.works.end_early(running.work);
                persistence::save_queue(state, cx);
            }
            save_next(state, cx);
            start_next(state, cx);
        }
        Event::Cancelled { .. } => {
            if let Some(running) = state.running.take() {
                drop_rest(state, cx, running.work);
            }
        }
        Event::Failed { error, .. } => {
            if let Some(running) = state.running.take() {
                fail(state, cx, running, &error);
            }
        }
        _ => {}
    }
}

fn fail(state: &mut State, cx: &mut Context, running: Running, error: &Error) {
    let smaller = match error {
        Error::OutOfMemory { .. } => smaller_size(running.recipe.job.draw.size),
        _ => None,
    };
    let what = title(&running.recipe.job.draw.prompt);
    let short: String = what.chars().take(30).collect();
    let help = match smaller {
        Some(size) => format!("; the queue offers to try it at {size} × {size}"),
        None => "; the queue offers to try it again".to_string(),
    };
    let why = error.to_string();
    cx.tell(Toast::Error(format!(
        "“{short}” was not drawn: {why}{help}"
    )));
    let owner = cx.document.works.owner(running.work);
    cx.document.works.fail(running.work, why.clone(), smaller);
    let work = running.work;
    cx.announce(Announcement::WorkFailed { work, owner, why });
    persistence::save_queue(state, cx);
    start_next(state, cx);
}

/// Drops what is not drawn of a work and lets the next one begin. Pictures that are drawn but not on
/// disk yet are still saved.
fn drop_rest(state: &mut State, cx: &mut Context, work: WorkId) {
    let owner = cx.document.works.owner(work);
    cx.document.works.end_early(work);
    cx.announce(Announcement::WorkCancelled { work, owner });
    persistence::save_queue(state, cx);
    start_next(state, cx);
}

/// Cancels a work wherever it is: running, waiting or failed.
pub fn cancel(state: &mut State, cx: &mut Context, work: WorkId) {
    if let Some(running) = &mut state.running
        && running.work == work
    {
        running.cancelling = true;
        if let Ok(engine) = &cx.services.engine {
            // False: it is over already, and its event is on its way.
            engine.cancel(running.job);
        }
        return;
    }
    let works = &mut cx.document.works;
    if works.take_failure(work).is_none() && works.queue.get(work.0).is_some() {
        drop_rest(state, cx, work);
    }
}

/// Saves the next picture unless one is being saved.
pub fn save_next(state: &mut State, cx: &mut Context) {
    let saver = &mut state.saver;
    if saver.busy || saver.problem.is_some() {
        return;
    }
    let Some(next) = saver.waiting.front().cloned() else {
        return;
    };
    saver.busy = true;
    let folders = &cx.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    cx.spawn(&state.inbox, "saving the picture", move || {
        let save = || library.save(&next.picture, &next.recipe);
        let result = catch_unwind(AssertUnwindSafe(save))
            .unwrap_or_else(|_| Err(Error::Panic("saving ended unexpectedly".into())));
        move |state: &mut State, cx: &mut Context| saved(state, cx, next, result)
    });
}

fn saved(
    state: &mut State,
    cx: &mut Context,
    picture: Unsaved,
    result: mmface_engine::Result<Entry>,
) {
    let saver = &mut state.saver;
    saver.busy = false;
    match result {
        Ok(entry) => {
            saver.waiting.pop_front();
            cx.document.works.saved(picture.work);
            persistence::save_queue(state, cx);
            let finished = Finished {
                entry,
                picture: picture.picture,
                recipe: picture.recipe,
                latent: picture.latent,
                owner: picture.owner,
                work: picture.work,
            };
            state.show(Arc::clone(&finished.picture));
            cx.announce(Announcement::PictureSaved(Arc::new(finished)));
            save_next(state, cx);
            start_next(state, cx);
        }
        Err(error) => {
            saver.problem = Some(error.to_string());
            cx.tell(Toast::Error(format!(
                "a picture is not saved yet: {error}; it is kept, press “Save again” in the queue"
            )));
        }
    }
}

/// Tries again to save what could not be saved.
pub fn save_again(state: &mut State, cx: &mut Context) {
    state.saver.problem = None;
    save_next(state, cx);
    start_next(state, cx);
}

/// Draws the live picture when it is due.
pub fn tick_live(state: &mut State, cx: &mut Context) {
    if !state.live.on {
        return;
    }
    let now = cx.now;
    let input = live::Input::new(cx.document.painter.drawing_revision(), &cx.document.request);
    state.live.look(input, now);
    match state.live.due(now) {
        live::Due::Nothing => {}
        live::Due::At(then) => {
            let wait = std::time::Duration::from_secs_f64((then - now).clamp(0.0, 10.0));
            cx.ctx.request_repaint_after(wait);
        }
        live::Due::Now if may_draw(cx) => draw_live(state, cx),
        live::Due::Now => {}
    }
}

fn draw_live(state: &mut State, cx: &mut Context) {
    let Some(model) = cx.facts.model.ready() else {
        return;
    };
    let mut request = cx.document.request.clone();
    request.tidy();
    let mut job = request.job(cx.document.condition());
    job.draw.count = 1;
    job.draw.steps = state.live.steps.clamp(1, request.draw.steps);
    let recipe = Recipe::new(job.clone(), model);
    if let Ok(engine) = &cx.services.engine {
        let id = engine.submit(Lane::Live, job);
        state.live.started(id, cx.now);
        state.live_recipe = Some(recipe);
    }
}

fn on_live_event(state: &mut State, cx: &mut Context, event: Event) {
    let now = cx.now;
    match event {
        Event::Step {
            seconds, preview, ..
        } => {
            state.learn(seconds);
            if let Some(image) = preview.and_then(|preview| preview.take()) {
                state.show(Arc::new(image));
            }
        }
        Event::Finished { pictures, .. } => {
            state.live.ended(true, now);
            let recipe = state.live_recipe.clone().map(Arc::new);
            if let (Some(picture), Some(recipe)) = (pictures.into_iter().next(), recipe) {
                let image = Arc::new(picture.image);
                state.show(Arc::clone(&image));
                state.live_picture = Some((image, recipe, Arc::new(picture.latent)));
            }
        }
        Event::Cancelled { .. } => state.live.ended(false, now),
        Event::Failed { error, .. } => {
            state.live.stop();
            cx.tell(Toast::Error(format!("live mode is off: {error}")));
        }
        // A cut prompt is told by the token counter; a toast at every stroke would be in the way.
        _ => {}
    }
}

/// Ends live mode; the engine is free within a step.
pub fn stop_live(state: &mut State, cx: &mut Context) {
    if let (Some(job), Ok(engine)) = (state.live.stop(), &cx.services.engine) {
        engine.cancel(job);
    }
    state.live_recipe = None;
}

/// Keeps the live picture in the library.
pub fn keep_live(state: &mut State, cx: &mut Context) {
    let Some((picture, recipe, latent)) = state.live_picture.take() else {
        cx.tell(Toast::Info("there is no live picture yet".into()));
        return;
    };
    state.saver.waiting.push_back(Unsaved {
        // No work of the queue: there is no zero.
        work: WorkId(0),
        owner: Owner::Live,
        recipe,
        picture,
        latent,
    });
    save_next(state, cx);
}

impl State {
    /// Shows a picture on the canvas.
    fn show(&mut self, image: Arc<RgbImage>) {
        self.preview = Some(image);
        self.preview_number += 1;
    }

    fn learn(&mut self, seconds: f64) {
        let average = self.step_seconds.map_or(seconds, |average| {
            average * (1.0 - NEWEST) + seconds * NEWEST
        });
        self.step_seconds = Some(average);
    }

    /// Seconds until the work at hand is done, as far as the last steps tell.
    pub fn seconds_left(&self) -> Option<f64> {
        let running = self.running.as_ref()?;
        let (picture, pictures) = running.picture;
        let (step, steps) = running.step;
        let more = pictures.saturating_sub(picture + 1) * steps + (steps - step.min(steps));
        Some(self.step_seconds? * more as f64)
    }

    /// How much of the work at hand is done, 0..=1.
    pub fn fraction(&self) -> f32 {
        self.running.as_ref().map_or(0.0, |running| {
            let (picture, pictures) = running.picture;
            let (step, steps) = running.step;
            let done = picture * steps + step;
            done as f32 / (pictures * steps).max(1) as f32
        })
    }
}
