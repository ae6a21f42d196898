//! From work to pictures on disk: one picture at a time is given to the engine, so that waiting work
//! can be reordered, paused and stopped; each is saved before anybody sees it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mmface_engine::Error;
use mmface_engine::contract::{Event, JobId, Lane, Picture};
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::Recipe;

use super::{keep, live};
use crate::project::Library;
use crate::project::library::Entry;
use crate::studio::announcement::{Announcement, Finished};
use crate::studio::context::Context;
use crate::studio::dispatcher::Studio;
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
pub fn start_next(studio: &mut Studio) {
    let state = &studio.generate;
    if state.running.is_some() || state.saver.problem.is_some() {
        return;
    }
    if studio.context.facts.model.ready().is_none() || studio.context.services.engine.is_err() {
        return;
    }
    let works = &studio.context.document.works;
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
    if !may_draw(&studio.context) {
        return;
    }
    let (Some(model), Ok(engine)) = (
        studio.context.facts.model.ready(),
        &studio.context.services.engine,
    ) else {
        return;
    };
    let state = &mut studio.generate;
    let works = &mut studio.context.document.works;
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
    keep::keep_queue(studio);
}

/// Takes in an event of a job.
pub fn on_event(studio: &mut Studio, event: Event) {
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
    let mine = studio.generate.running.as_ref();
    if mine.is_some_and(|running| running.job == job) {
        on_batch_event(studio, event);
    } else if studio.generate.live.job() == Some(job) {
        on_live_event(studio, event);
    }
}

fn on_batch_event(studio: &mut Studio, event: Event) {
    match event {
        Event::Step {
            index,
            of,
            seconds,
            preview,
            ..
        } => {
            let state = &mut studio.generate;
            if let Some(running) = &mut state.running {
                running.step = (index, of);
            }
            state.learn(seconds);
            if let Some(image) = preview.and_then(|preview| preview.take()) {
                state.show(Arc::new(image));
            }
        }
        // Said once, however many pictures it concerns.
        Event::Warning { text, .. } if studio.generate.last_warning.as_ref() == Some(&text) => {}
        Event::Warning { text, .. } => {
            studio.generate.last_warning = Some(text.clone());
            studio.tell(Toast::Warning(text));
        }
        Event::Finished { pictures, .. } => {
            let Some(running) = studio.generate.running.take() else {
                return;
            };
            let recipe = Arc::new(running.recipe);
            for Picture { image, latent, .. } in pictures {
                studio.context.document.works.drawn(running.work);
                studio.generate.saver.waiting.push_back(Unsaved {
                    work: running.work,
                    owner: studio.context.document.works.owner(running.work),
                    recipe: Arc::clone(&recipe),
                    picture: Arc::new(image),
                    latent: Arc::new(latent),
                });
            }
            if running.last || running.cancelling {
                studio.context.document.works.end_early(running.work);
                keep::keep_queue(studio);
            }
            save_next(studio);
            start_next(studio);
        }
        Event::Cancelled { .. } => {
            if let Some(running) = studio.generate.running.take() {
                drop_rest(studio, running.work);
            }
        }
        Event::Failed { error, .. } => {
            if let Some(running) = studio.generate.running.take() {
                fail(studio, running, &error);
            }
        }
        _ => {}
    }
}

fn fail(studio: &mut Studio, running: Running, error: &Error) {
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
    studio.tell(Toast::Error(format!(
        "“{short}” was not drawn: {why}{help}"
    )));
    let owner = studio.context.document.works.owner(running.work);
    studio
        .context
        .document
        .works
        .fail(running.work, why.clone(), smaller);
    let work = running.work;
    studio
        .context
        .announce(Announcement::WorkFailed { work, owner, why });
    keep::keep_queue(studio);
    start_next(studio);
}

/// Drops what is not drawn of a work and lets the next one begin. Pictures that are drawn but not on
/// disk yet are still saved.
fn drop_rest(studio: &mut Studio, work: WorkId) {
    let owner = studio.context.document.works.owner(work);
    studio.context.document.works.end_early(work);
    studio
        .context
        .announce(Announcement::WorkCancelled { work, owner });
    keep::keep_queue(studio);
    start_next(studio);
}

/// Cancels a work wherever it is: running, waiting or failed.
pub fn cancel(studio: &mut Studio, work: WorkId) {
    if let Some(running) = &mut studio.generate.running
        && running.work == work
    {
        running.cancelling = true;
        if let Ok(engine) = &studio.context.services.engine {
            // False: it is over already, and its event is on its way.
            engine.cancel(running.job);
        }
        return;
    }
    let works = &mut studio.context.document.works;
    if works.take_failure(work).is_none() && works.queue.get(work.0).is_some() {
        drop_rest(studio, work);
    }
}

/// Saves the next picture unless one is being saved.
pub fn save_next(studio: &mut Studio) {
    let saver = &mut studio.generate.saver;
    if saver.busy || saver.problem.is_some() {
        return;
    }
    let Some(next) = saver.waiting.front().cloned() else {
        return;
    };
    saver.busy = true;
    let folders = &studio.context.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    studio.spawn("saving the picture", move || {
        let save = || library.save(&next.picture, &next.recipe);
        let result = catch_unwind(AssertUnwindSafe(save))
            .unwrap_or_else(|_| Err(Error::Panic("saving ended unexpectedly".into())));
        move |studio: &mut Studio| saved(studio, next, result)
    });
}

fn saved(studio: &mut Studio, picture: Unsaved, result: mmface_engine::Result<Entry>) {
    let saver = &mut studio.generate.saver;
    saver.busy = false;
    match result {
        Ok(entry) => {
            saver.waiting.pop_front();
            studio.context.document.works.saved(picture.work);
            keep::keep_queue(studio);
            let finished = Finished {
                entry,
                picture: picture.picture,
                recipe: picture.recipe,
                latent: picture.latent,
                owner: picture.owner,
                work: picture.work,
            };
            studio.generate.show(Arc::clone(&finished.picture));
            studio
                .context
                .announce(Announcement::PictureSaved(Arc::new(finished)));
            save_next(studio);
            start_next(studio);
        }
        Err(error) => {
            saver.problem = Some(error.to_string());
            studio.tell(Toast::Error(format!(
                "a picture is not saved yet: {error}; it is kept, press “Save again” in the queue"
            )));
        }
    }
}

/// Tries again to save what could not be saved.
pub fn save_again(studio: &mut Studio) {
    studio.generate.saver.problem = None;
    save_next(studio);
    start_next(studio);
}

/// Draws the live picture when it is due.
pub fn tick_live(studio: &mut Studio) {
    if !studio.generate.live.on {
        return;
    }
    let now = studio.context.now;
    let input = live::Input::new(
        studio.context.document.painter.drawing_revision(),
        &studio.context.document.request,
    );
    studio.generate.live.look(input, now);
    match studio.generate.live.due(now) {
        live::Due::Nothing => {}
        live::Due::At(then) => {
            let wait = std::time::Duration::from_secs_f64((then - now).clamp(0.0, 10.0));
            studio.context.ctx.request_repaint_after(wait);
        }
        live::Due::Now if may_draw(&studio.context) => draw_live(studio),
        live::Due::Now => {}
    }
}

fn draw_live(studio: &mut Studio) {
    let Some(model) = studio.context.facts.model.ready() else {
        return;
    };
    let state = &studio.generate;
    let mut request = studio.context.document.request.clone();
    request.tidy();
    let mut job = request.job(studio.context.document.condition());
    job.draw.count = 1;
    job.draw.steps = state.live.steps.clamp(1, request.draw.steps);
    let recipe = Recipe::new(job.clone(), model);
    if let Ok(engine) = &studio.context.services.engine {
        let id = engine.submit(Lane::Live, job);
        studio.generate.live.started(id, studio.context.now);
        studio.generate.live_recipe = Some(recipe);
    }
}

fn on_live_event(studio: &mut Studio, event: Event) {
    let now = studio.context.now;
    let state = &mut studio.generate;
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
            studio.tell(Toast::Error(format!("live mode is off: {error}")));
        }
        // A cut prompt is told by the token counter; a toast at every stroke would be in the way.
        _ => {}
    }
}

/// Ends live mode; the engine is free within a step.
pub fn stop_live(studio: &mut Studio) {
    if let (Some(job), Ok(engine)) = (studio.generate.live.stop(), &studio.context.services.engine)
    {
        engine.cancel(job);
    }
    studio.generate.live_recipe = None;
}

/// Keeps the live picture in the library.
pub fn keep_live(studio: &mut Studio) {
    let Some((picture, recipe, latent)) = studio.generate.live_picture.take() else {
        studio.tell(Toast::Info("there is no live picture yet".into()));
        return;
    };
    studio.generate.saver.waiting.push_back(Unsaved {
        // No work of the queue: there is no zero.
        work: WorkId(0),
        owner: Owner::Live,
        recipe,
        picture,
        latent,
    });
    save_next(studio);
}

impl super::State {
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
