//! A recipe comes back: prompt, seed and settings into the panel, the condition into the drawing as
//! one step that can be undone.

use mmface_engine::job::{Condition, Draw, MAX_STEPS, Named as _};
use mmface_engine::provenance::{Foreign, Recipe};

use super::State;
use super::{library, scan};
use crate::project::SweepNote;
use crate::studio::command::Workspace;
use crate::studio::context::Context;
use crate::studio::settings::CANVAS_SIDES;
use crate::studio::toast::Toast;

/// Reads the recipe of a picture of the library and hands it to `then`.
pub fn with_recipe(
    state: &mut State,
    cx: &mut Context,
    file: &str,
    then: impl FnOnce(&mut State, &mut Context, Recipe) + Send + 'static,
) {
    let (library, file) = (library(state, cx), file.to_string());
    cx.spawn(&state.inbox, "reading the recipe", move || {
        let recipe = library.recipe(&file);
        move |state: &mut State, cx: &mut Context| match recipe {
            Ok(recipe) => then(state, cx, recipe),
            Err(error) => {
                cx.tell(Toast::Error(error.to_string()));
                scan(state, cx);
            }
        }
    });
}

/// Brings everything of the current picture back.
pub fn current(state: &mut State, cx: &mut Context) {
    if let Some(entry) = super::current(state, cx) {
        with_recipe(state, cx, &entry.file, |_, cx, recipe| {
            bring_back(cx, &recipe)
        });
    }
}

/// Brings everything of a recipe back.
pub fn bring_back(cx: &mut Context, recipe: &Recipe) {
    cx.workspace = Workspace::Studio;
    let mut request = cx.document.request.clone();
    request.take(&recipe.job);
    cx.document.take_over(request);
    let (drawing, undo) = draw(cx, &recipe.job.condition);
    cx.tell(Toast::Success(format!(
        "prompt, seed{drawing} and settings are back{undo}"
    )));
    if recipe.job.fork.is_some() {
        cx.tell(Toast::Info(
            "this picture branched off from another one: “Draw again” repeats it exactly".into(),
        ));
    }
    let loaded = cx.facts.model.ready().cloned();
    if let Some(loaded) = loaded.filter(|loaded| loaded.sha256 != recipe.sha256) {
        cx.tell(Toast::Warning(format!(
            "the picture was made by {}; {} is loaded and draws another one",
            recipe.model, loaded.name
        )));
    }
}

/// Brings the sweep of a grid back: its prompt with the alternatives, seed and settings, and the
/// drawing where the grid knows it. Its pictures are drawn again by “Draw the sweep”.
pub fn bring_sweep_back(cx: &mut Context, note: &SweepNote) {
    cx.workspace = Workspace::Studio;
    let mut request = cx.document.request.clone();
    let follow = request.follow;
    request.take(&note.job);
    request.draw.prompt.clone_from(&note.template);
    if !note.whole {
        request.follow = follow;
    }
    cx.document.take_over(request);
    cx.document.fork_step = note.fork_step.min(note.job.draw.steps.saturating_sub(1));
    let (drawing, undo) = match note.whole {
        true => draw(cx, &note.job.condition),
        false => Default::default(),
    };
    cx.tell(Toast::Success(format!(
        "the sweep is back: alternatives, seed{drawing} and settings{undo}"
    )));
}

/// Puts a condition into the drawing as one step of undo. Says what it was, and how it is taken
/// back.
fn draw(cx: &mut Context, condition: &Condition) -> (String, String) {
    let Some((width, height)) = condition.dimensions() else {
        return Default::default();
    };
    let kind = condition.kind();
    let side = side_for(width, height, cx.document.painter.drawing().side());
    let name = format!("{} of a result", kind.title());
    cx.document.painter.edit(&name, |drawing| {
        *drawing = drawing.resized(side);
        drawing.set_condition(condition);
    });
    let undo = cx.keymap.hint("tools.undo");
    let undo = undo.map(|key| format!("; {key} brings your drawing back"));
    (format!(", {}", kind.name()), undo.unwrap_or_default())
}

/// The canvas takes on the side of a condition that was drawn on one of its own sides, so that
/// every pixel comes back as it was; others are fitted into the canvas at hand.
fn side_for(width: usize, height: usize, now: usize) -> usize {
    match width == height && CANVAS_SIDES.contains(&width) {
        true => width,
        false => now,
    }
}

/// Takes over what another program wrote, as far as it means the same here.
pub fn take_foreign(cx: &mut Context, foreign: &Foreign) {
    cx.workspace = Workspace::Studio;
    let mut request = cx.document.request.clone();
    request.draw.prompt = foreign.prompt.clone();
    request.draw.negative = foreign.negative.clone();
    let mut taken = vec!["prompt"];
    if let Some(seed) = foreign.seed {
        request.draw.seed = seed;
        taken.push("seed");
    }
    if let Some(steps) = foreign
        .steps
        .filter(|steps| (1..=MAX_STEPS).contains(steps))
    {
        request.draw.steps = steps;
        taken.push("steps");
    }
    let valid = |guidance: &f64| {
        let draw = Draw {
            guidance: *guidance,
            ..Draw::default()
        };
        draw.validate().is_ok()
    };
    if let Some(guidance) = foreign.guidance.filter(valid) {
        request.draw.guidance = guidance;
        taken.push("guidance");
    }
    cx.document.take_over(request);
    cx.tell(Toast::Success(format!(
        "{} taken over from {}; its model drew another face",
        taken.join(", "),
        foreign.tool
    )));
}
