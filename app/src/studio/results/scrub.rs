//! The steps on the way to a picture: looking through them, and drawing on from one of them with
//! another prompt, guidance or drawing.

use egui::{Role, Sense, TextureHandle, Ui, Vec2, WidgetInfo, vec2};
use mmface_engine::contract::Trail;
use mmface_engine::job::{Draw, Job, MAX_GUIDANCE};
use mmface_engine::provenance::Recipe;

use super::ResultsCommand;
use super::State;
use super::library;
use super::window_place::window_place;
use crate::project::trail;
use crate::studio::context::Context;
use crate::studio::document::{Owner, Work};
use crate::studio::submit::submit;
use crate::studio::texture::texture;
use crate::studio::toast::Toast;

/// Steps of each picture that are kept, when any are.
pub const STEPS: usize = 8;

/// The steps on screen.
pub struct Scrub {
    /// The picture in the library.
    pub file: String,
    /// Its recipe and its steps; `None` while they are read.
    pub found: Option<Found>,
    /// The step that is looked at, a place among those that are kept.
    pub at: usize,
    /// What the branch should look like.
    pub prompt: String,
    /// Guidance of the branch.
    pub guidance: f64,
    /// The branch follows the drawing at hand, not the one of the picture.
    pub follow_drawing: bool,
}

/// What is known of a picture's way.
pub struct Found {
    recipe: Recipe,
    /// `None`: no steps were kept.
    trail: Option<Trail>,
    texture: Option<(usize, TextureHandle)>,
}

impl Found {
    /// The steps that were kept.
    pub fn steps(&self) -> Vec<usize> {
        let steps = self.trail.iter().flat_map(|trail| &trail.steps);
        steps.map(|step| step.fork.step).collect()
    }
}

/// Opens the steps of the current picture, or closes them.
pub fn toggle(state: &mut State, cx: &mut Context) {
    if state.scrub.take().is_some() {
        return;
    }
    let Some(entry) = super::current(state, cx) else {
        return;
    };
    state.scrub = Some(Scrub {
        file: entry.file.clone(),
        found: None,
        at: 0,
        prompt: entry.about.draw.prompt.clone(),
        guidance: entry.about.draw.guidance,
        follow_drawing: false,
    });
    let (library, cache) = (library(state, cx), cx.services.folders.cache.clone());
    cx.spawn(&state.inbox, "reading the steps of a picture", move || {
        let found = library.recipe(&entry.file).and_then(|recipe| {
            let trail = trail::read(&cache, &recipe.pixels)?;
            Ok(Found {
                recipe,
                trail,
                texture: None,
            })
        });
        move |state: &mut State, cx: &mut Context| {
            let Some(scrub) = state.scrub.as_mut() else {
                return;
            };
            match found {
                Ok(found) if scrub.file == entry.file => {
                    scrub.at = found.steps().len() / 2;
                    scrub.found = Some(found);
                }
                Ok(_) => {}
                Err(error) => {
                    state.scrub = None;
                    cx.tell(Toast::Error(error.to_string()));
                }
            }
        }
    });
}

/// Draws a branch from the step at hand.
pub fn branch(state: &mut State, cx: &mut Context) {
    let Some(scrub) = &state.scrub else {
        return;
    };
    let Some(found) = &scrub.found else { return };
    let Some(step) = found
        .trail
        .as_ref()
        .and_then(|trail| trail.steps.get(scrub.at))
    else {
        return;
    };
    let condition = match scrub.follow_drawing {
        true => cx.document.condition(),
        false => found.recipe.job.condition.clone(),
    };
    let job = Job {
        draw: Draw {
            prompt: scrub.prompt.trim().to_string(),
            guidance: scrub.guidance,
            count: 1,
            ..found.recipe.job.draw.clone()
        },
        condition,
        fork: Some(step.fork.clone()),
    };
    let (number, of) = (step.fork.step, job.draw.steps);
    let work = Work {
        job,
        owner: Owner::Branch,
        template: None,
    };
    if submit(cx, work).is_some() {
        cx.tell(Toast::Info(format!(
            "a branch from step {number} of {of} is being drawn"
        )));
    }
}

/// Draws the window.
pub fn show_window(ctx: &egui::Context, state: &mut State, cx: &Context) {
    let Some(scrub) = &mut state.scrub else {
        return;
    };
    let mut open = true;
    egui::Window::new("Steps")
        .open(&mut open)
        .default_size(vec2(360.0, 520.0))
        .default_pos(window_place(ctx))
        .collapsible(false)
        .show(ctx, |ui| contents(ui, cx, scrub));
    if !open {
        cx.emit(ResultsCommand::Steps);
    }
}

fn contents(ui: &mut Ui, cx: &Context, scrub: &mut Scrub) {
    let Some(found) = &mut scrub.found else {
        ui.label("Reading …");
        return;
    };
    let Some(trail) = found.trail.as_ref().filter(|trail| !trail.steps.is_empty()) else {
        ui.label("No steps were kept of this picture. With steps kept, you can look at how a picture came to be and draw on from any of them with another prompt.");
        keep_switch(ui, cx);
        return;
    };
    let last = trail.steps.len() - 1;
    scrub.at = scrub.at.min(last);
    let step = &trail.steps[scrub.at];
    let total = found.recipe.job.draw.steps;
    if let Some(preview) = &step.preview
        && found.texture.as_ref().is_none_or(|(at, _)| *at != scrub.at)
    {
        found.texture = Some((scrub.at, texture(ui.ctx(), "step", preview)));
    }
    let side = ui
        .available_width()
        .min(ui.available_height() - 190.0)
        .clamp(120.0, 512.0);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    let name = format!("Step {} of {total}", step.fork.step);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name.as_str()));
    match &found.texture {
        Some((at, texture)) if *at == scrub.at => {
            egui::Image::new((texture.id(), rect.size())).paint_at(ui, rect);
        }
        _ => {
            ui.painter().text(
                rect.center(),
                egui::Align2::CENTER_CENTER,
                "No preview of this step",
                egui::TextStyle::Body.resolve(ui.style()),
                cx.theme.colours(ui).weak,
            );
        }
    }
    ui.horizontal(|ui| {
        let label = ui.label("Step");
        let steps = found.recipe.job.draw.steps;
        let numbers: Vec<usize> = trail.steps.iter().map(|step| step.fork.step).collect();
        let slider = egui::Slider::new(&mut scrub.at, 0..=last).custom_formatter(move |at, _| {
            let number = numbers.get(at as usize).copied().unwrap_or_default();
            format!("{number} of {steps}")
        });
        ui.add(slider).labelled_by(label.id);
    });
    let label = ui.label("Prompt from here on");
    ui.add(
        egui::TextEdit::multiline(&mut scrub.prompt)
            .desired_rows(2)
            .desired_width(f32::INFINITY),
    )
    .labelled_by(label.id);
    ui.horizontal(|ui| {
        let label = ui.label("Guidance from here on");
        ui.add(
            egui::DragValue::new(&mut scrub.guidance)
                .speed(0.1)
                .range(0.0..=MAX_GUIDANCE),
        )
        .labelled_by(label.id);
    });
    ui.checkbox(
        &mut scrub.follow_drawing,
        "Follow the drawing at hand from here on",
    );
    if found.recipe.job.draw.sampler.is_multistep() {
        ui.weak("This sampler remembers earlier steps: an unchanged branch comes close to the picture, but not exactly.");
    }
    let button = egui::Button::new(format!("Branch from step {}", step.fork.step));
    if ui
        .add_enabled(cx.facts.model.ready().is_some(), button)
        .clicked()
    {
        cx.emit(ResultsCommand::Branch);
    }
    keep_switch(ui, cx);
}

fn keep_switch(ui: &mut Ui, cx: &Context) {
    let mut keep = cx.settings.trail_steps > 0;
    let text = format!("Keep {STEPS} steps of each new picture");
    let tip =
        "About 0.5 MB each at 256², in the cache; Settings say how much all together may take";
    if ui.checkbox(&mut keep, text).on_hover_text(tip).changed() {
        cx.emit(ResultsCommand::KeepSteps(keep));
    }
}
