//! Generate with a fake engine: prompt, queue, cancel, failures, live mode, what is on disk.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::{click, studio_with, wait_for};
use egui::{Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mmface::paint::Layer;
use mmface::studio::StudioApp;
use mmface::studio::command::GenerateCommand as Do;
use mmface::studio::command::PersistenceCommand;
use mmface::studio::document::WorkId;
use mmface::studio::engine_link::EngineLink;
use mmface::studio::testing::{FakeBackend, options};
use mmface_engine::contract::{
    Attempt, Backend, Cancel, ModelRef, ModelSummary, Observer, Picture,
};
use mmface_engine::job::{Condition, ConditionKind, Job};
use mmface_engine::labels::LabelImage;
use mmface_engine::provenance::{self, Recipe};
use mmface_engine::weights::registry::Registry;

type Studio = Harness<'static, StudioApp>;

/// What was drawn under which home, prompt and seed, in this order: files that are written within
/// one tick of the disk's clock are of one age.
static DRAWN: Mutex<Vec<(PathBuf, String, u64)>> = Mutex::new(Vec::new());

/// The fake engine, with a note of each job that it has finished.
struct Noting {
    backend: FakeBackend,
    home: PathBuf,
}

impl Backend for Noting {
    fn load(
        &mut self,
        model: &ModelRef,
        progress: &mut (dyn FnMut(f32, &str) + Send),
        cancel: &Cancel,
    ) -> mmface_engine::Result<ModelSummary> {
        self.backend.load(model, progress, cancel)
    }

    fn run(
        &mut self,
        job: &Job,
        attempt: Attempt,
        observer: &mut dyn Observer,
        cancel: &Cancel,
    ) -> mmface_engine::Result<Vec<Picture>> {
        let pictures = self.backend.run(job, attempt, observer, cancel)?;
        let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
        let seeds = pictures.iter().map(|picture| picture.seed);
        drawn.extend(seeds.map(|seed| (self.home.clone(), job.draw.prompt.clone(), seed)));
        Ok(pictures)
    }

    fn free_caches(&mut self) {}
}

fn noting(home: &Path, backend: FakeBackend) -> Studio {
    let mut options = options(home, backend);
    let home = home.to_owned();
    options.engine = Some(Box::new(move |_, ctx| {
        let home = home.clone();
        EngineLink::start_with(move || Noting { backend, home }, ctx)
    }));
    studio_with(options)
}

/// A studio whose model is loaded and whose files are read.
fn ready(home: &Path) -> Studio {
    loaded(noting(home, FakeBackend::default()))
}

/// The same with slow steps, so that a test sees a picture while it is drawn.
fn slow(home: &Path) -> Studio {
    let backend = FakeBackend {
        step: Duration::from_millis(15),
        ..FakeBackend::default()
    };
    loaded(noting(home, backend))
}

fn loaded(mut harness: Studio) -> Studio {
    // High enough to show the whole queue: what is scrolled away cannot be clicked.
    harness.set_size(egui::vec2(1280.0, 1600.0));
    wait_for(&mut harness, "the model and the files", |app| {
        app.studio.context.facts.model.ready().is_some()
            && app.studio.context.services.tasks.running().next().is_none()
    });
    // A second start in the same home offers what the first left; these tests are about the queue.
    harness
        .state_mut()
        .studio
        .emit(PersistenceCommand::HideLost);
    harness.step();
    harness.state_mut().studio.context.document.request.follow = ConditionKind::None;
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .size = 64;
    harness
}

fn emit(harness: &mut Studio, command: Do) {
    harness.state_mut().studio.emit(command);
    harness.step();
}

fn prompt(harness: &mut Studio, text: &str) {
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .prompt = text.into();
}

fn generate(harness: &mut Studio, text: &str) {
    prompt(harness, text);
    emit(harness, Do::Start);
}

fn idle(harness: &mut Studio) {
    wait_for(harness, "the queue to end", |app| {
        !app.studio.context.is_busy() && app.studio.context.document.works.queue.is_empty()
    });
}

/// Prompts, seeds and places of the pictures on disk, in the order in which they were drawn.
fn saved(home: &Path) -> Vec<(String, u64, usize)> {
    let recipes = recipes(home).into_iter();
    recipes
        .map(|recipe| (recipe.job.draw.prompt, recipe.job.draw.seed, recipe.index))
        .collect()
}

/// The recipes of the pictures on disk, in the order in which they were drawn.
fn recipes(home: &Path) -> Vec<Recipe> {
    let Ok(folder) = std::fs::read_dir(home.join("results")) else {
        return Vec::new();
    };
    let mut recipes: Vec<Recipe> = folder
        .map(|entry| provenance::read(&entry.unwrap().path()).unwrap())
        .map(|read| read.recipe.unwrap())
        .collect();
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    recipes.sort_by_key(|recipe| {
        let draw = &recipe.job.draw;
        drawn.iter().rposition(|(under, prompt, seed)| {
            (under.as_path(), prompt, *seed) == (home, &draw.prompt, draw.seed)
        })
    });
    recipes
}

fn prompts(home: &Path) -> Vec<String> {
    saved(home).into_iter().map(|(prompt, ..)| prompt).collect()
}

fn told(harness: &Studio, part: &str) -> bool {
    let log = &harness.state().studio.context.toasts.log;
    log.iter().any(|toast| toast.text().contains(part))
}

#[test]
fn ctrl_enter_within_the_prompt_draws_and_saves_with_a_recipe() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let field = harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt");
    field.focus();
    harness.step();
    let field = harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt");
    field.type_text("an old man");
    harness.step();
    let seed = harness.state().studio.context.document.request.draw.seed;
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.step();
    idle(&mut harness);
    assert_eq!(saved(home.path()), [("an old man".to_string(), seed, 0)]);
    let state = &harness.state().studio.generate;
    let request = &harness.state().studio.context.document.request;
    assert_eq!(request.draw.prompt, "an old man", "no line break");
    assert_eq!(state.history.entries()[0].prompt, "an old man");
    assert!(state.preview.is_some());
    harness.run_steps(2);
    let studio = &harness.state().studio;
    assert!(studio.canvas.has_picture());
    assert!(studio.context.facts.drawing.progress.is_none());
}

#[test]
fn words_that_the_model_does_not_read_are_counted() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let package = Registry::standard().default_package().unwrap();
    let tokenizer = package.load_tokenizer().unwrap();
    let length = tokenizer.length();
    let counter = &mut harness.state_mut().studio.generate.counter;
    counter.set(Some(tokenizer));
    prompt(&mut harness, "a face");
    harness.run_steps(2);
    harness.get_by_label(&format!("4 / {length}"));
    prompt(&mut harness, &("a face ".repeat(length / 2) + "with hair"));
    harness.run_steps(2);
    harness.get_by_label(&format!("{length} / {length}"));
    harness.get_by_label_contains("words were cut");
}

#[test]
fn the_face_follows_what_is_painted() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    harness.get_by_label("Follow: Mask").click();
    harness.run_steps(2);
    generate(&mut harness, "nothing painted");
    assert!(told(&harness, "the mask is empty"));
    let painter = &mut harness.state_mut().studio.context.document.painter;
    painter.edit("a face", |drawing| {
        *drawing = drawing.clone().with_mask(&LabelImage::filled(512, 512, 1));
    });
    generate(&mut harness, "a mask");
    harness
        .state_mut()
        .studio
        .context
        .document
        .painter
        .settings
        .layer = Layer::Sketch;
    harness.run_steps(2);
    let follow = harness.state().studio.context.document.request.follow;
    assert_eq!(follow, ConditionKind::Sketch, "the hand changed over");
    idle(&mut harness);
    let conditions: Vec<bool> = recipes(home.path())
        .into_iter()
        .map(|recipe| matches!(recipe.job.condition, Condition::Mask(_)))
        .collect();
    assert_eq!(conditions, [false, true]);
}

#[test]
fn no_picture_is_shown_as_finished_before_it_is_on_disk() {
    let home = tempfile::tempdir().unwrap();
    // A file where the folder should be: nothing can be saved.
    std::fs::write(home.path().join("results"), b"in the way").unwrap();
    let mut harness = ready(home.path());
    generate(&mut harness, "a face");
    generate(&mut harness, "another face");
    wait_for(&mut harness, "the failure", |app| {
        app.studio.generate.saver.problem.is_some()
    });
    assert!(told(&harness, "not saved yet"));
    harness.run_steps(2);
    assert_eq!(
        harness
            .state()
            .studio
            .context
            .document
            .works
            .queue
            .jobs()
            .len(),
        2
    );
    std::fs::remove_file(home.path().join("results")).unwrap();
    harness.get_by_label("Save again").click();
    harness.step();
    idle(&mut harness);
    assert_eq!(prompts(home.path()), ["a face", "another face"]);
}

#[test]
fn progress_and_cancel_within_a_step() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = slow(home.path());
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .steps = 900;
    generate(&mut harness, "an endless one");
    wait_for(&mut harness, "the third step", |app| {
        let running = &app.studio.generate.running;
        running.as_ref().is_some_and(|running| running.step.0 >= 3)
    });
    let state = &harness.state().studio.generate;
    assert!(state.fraction() > 0.0 && state.preview.is_some());
    let canvas = &harness.state().studio.canvas;
    assert!(canvas.has_picture(), "the preview is on the canvas");
    let drawing = &harness.state().studio.context.facts.drawing;
    let progress = drawing.progress.as_ref().unwrap();
    assert!(progress.text.ends_with("of 900"), "{progress:?}");
    assert!(state.seconds_left().unwrap() > 5.0);
    harness.step();
    harness.get_by_label_contains("step ");
    harness.get_by_label("Cancel").click();
    idle(&mut harness);
    assert!(saved(home.path()).is_empty());
}

#[test]
fn escape_cancels_unless_a_person_types() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = slow(home.path());
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .steps = 900;
    generate(&mut harness, "an endless one");
    let field = harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt");
    field.focus();
    harness.step();
    harness.key_press(Key::Escape);
    harness.run_steps(2);
    let cancelling = |harness: &Studio| {
        let running = harness.state().studio.generate.running.as_ref();
        running.is_none_or(|running| running.cancelling)
    };
    assert!(!cancelling(&harness), "the field has the focus");
    harness.key_press(Key::Escape);
    harness.run_steps(2);
    assert!(cancelling(&harness));
    idle(&mut harness);
}

#[test]
fn waiting_work_is_paused_reordered_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    emit(&mut harness, Do::Pause);
    for text in ["first", "second", "third", "fourth"] {
        generate(&mut harness, text);
    }
    harness.run_steps(3);
    assert!(harness.state().studio.generate.running.is_none());
    assert!(told(&harness, "paused"));
    click(&mut harness, "Sooner “third”");
    click(&mut harness, "Sooner “third”");
    click(&mut harness, "Remove “fourth”");
    click(&mut harness, "Resume the queue");
    harness.step();
    idle(&mut harness);
    assert_eq!(prompts(home.path()), ["third", "first", "second"]);
}

#[test]
fn failing_and_panicking_jobs_are_told_and_the_next_runs() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    generate(&mut harness, "please fail");
    generate(&mut harness, "do panic");
    generate(&mut harness, "a face");
    idle(&mut harness);
    assert_eq!(prompts(home.path()), ["a face"]);
    assert!(told(&harness, "change the prompt") && told(&harness, "internal error"));
    assert_eq!(
        harness.state().studio.context.document.works.failures.len(),
        2
    );
    harness.run_steps(2);
    click(&mut harness, "Retry");
    harness.step();
    idle(&mut harness);
    let failures = &harness.state().studio.context.document.works.failures;
    assert_eq!(failures.len(), 2, "it fails again");
    assert_eq!(failures[1].job.draw.prompt, "please fail");
}

#[test]
fn out_of_memory_offers_a_smaller_picture() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .size = 160;
    generate(&mut harness, "little memory");
    idle(&mut harness);
    harness.run_steps(2);
    harness.get_by_label("Try at 112 px").click();
    harness.step();
    idle(&mut harness);
    assert_eq!(prompts(home.path()), ["little memory"]);
    assert_eq!(
        harness.state().studio.context.document.request.draw.size,
        112
    );
}

#[test]
fn seeds_roll_lock_and_come_back() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    let seed = |harness: &Studio| harness.state().studio.context.document.request.draw.seed;
    let first = seed(&harness);
    generate(&mut harness, "a");
    let second = seed(&harness);
    assert_ne!(first, second, "it rolls after a generation");
    harness.step();
    harness.get_by_label("Lock the seed").click();
    harness.run_steps(2);
    generate(&mut harness, "b");
    assert_eq!(seed(&harness), second, "locked");
    harness.get_by_label("Roll the seed").click();
    harness.run_steps(2);
    assert_ne!(seed(&harness), second, "rolled by hand");
    emit(&mut harness, Do::LastSeed);
    assert_eq!(seed(&harness), second);
    idle(&mut harness);
    let seeds: Vec<u64> = saved(home.path())
        .iter()
        .map(|(_, seed, _)| *seed)
        .collect();
    assert_eq!(seeds, [first, second]);
}

#[test]
fn several_pictures_are_saved_one_by_one_and_can_end_early() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .count = 3;
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .seed = 40;
    generate(&mut harness, "three");
    idle(&mut harness);
    let places: Vec<(u64, usize)> = saved(home.path())
        .into_iter()
        .map(|(_, seed, index)| (seed, index))
        .collect();
    assert_eq!(places, [(40, 0), (41, 1), (42, 2)]);
    let home = tempfile::tempdir().unwrap();
    let mut harness = slow(home.path());
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .count = 50;
    // Long enough to be told to stop within the second picture.
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .steps = 100;
    generate(&mut harness, "many");
    wait_for(&mut harness, "the second picture", |app| {
        let running = &app.studio.generate.running;
        running
            .as_ref()
            .is_some_and(|running| running.picture == (1, 50))
    });
    emit(&mut harness, Do::StopAfter);
    idle(&mut harness);
    assert_eq!(saved(home.path()).len(), 2);
}

#[test]
fn alternatives_are_drawn_with_one_seed_and_keep_their_template() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = ready(home.path());
    prompt(&mut harness, "[red|brown] hair");
    harness.run_steps(2);
    harness.get_by_label("Generate").click();
    harness.step();
    idle(&mut harness);
    let found = saved(home.path());
    assert_eq!(prompts(home.path()), ["red hair", "brown hair"]);
    assert_eq!(found[0].1, found[1].1);
    let recipe = recipes(home.path()).remove(0);
    assert_eq!(recipe.template.as_deref(), Some("[red|brown] hair"));
}

#[test]
fn the_queue_survives_the_end_of_the_program() {
    let home = tempfile::tempdir().unwrap();
    {
        let mut harness = slow(home.path());
        harness
            .state_mut()
            .studio
            .context
            .document
            .request
            .draw
            .steps = 900;
        generate(&mut harness, "was running");
        harness
            .state_mut()
            .studio
            .context
            .document
            .request
            .draw
            .steps = 2;
        generate(&mut harness, "was waiting");
        wait_for(&mut harness, "a step", |app| {
            let running = &app.studio.generate.running;
            running.as_ref().is_some_and(|running| running.step.0 >= 1)
        });
    }
    let mut harness = ready(home.path());
    harness.run_steps(3);
    assert!(told(&harness, "2 jobs were waiting"));
    assert!(
        harness.state().studio.generate.running.is_none(),
        "a person decides"
    );
    generate(&mut harness, "new work");
    wait_for(&mut harness, "the new work", |app| {
        !app.studio.context.is_busy()
    });
    assert_eq!(
        prompts(home.path()),
        ["new work"],
        "new work does not wait for it"
    );
    harness.run_steps(2);
    harness.get_by_label("Continue").click();
    harness.step();
    idle(&mut harness);
    let all = prompts(home.path());
    assert_eq!(all, ["new work", "was running", "was waiting"]);
    drop(harness);
    let mut harness = ready(home.path());
    harness.run_steps(2);
    assert!(
        harness.query_by_label("Continue").is_none(),
        "nothing is left"
    );
}

#[test]
fn prompts_come_back_by_key_and_by_search() {
    let home = tempfile::tempdir().unwrap();
    {
        let mut harness = ready(home.path());
        for text in ["one face", "two faces"] {
            generate(&mut harness, text);
        }
        idle(&mut harness);
        emit(&mut harness, Do::PinPrompt("one face".into()));
    }
    let mut harness = ready(home.path());
    prompt(&mut harness, "draft");
    let field = harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt");
    field.focus();
    harness.step();
    let text = |harness: &Studio| {
        harness
            .state()
            .studio
            .context
            .document
            .request
            .draw
            .prompt
            .clone()
    };
    for (key, wanted) in [
        (Key::ArrowUp, "two faces"),
        (Key::ArrowUp, "one face"),
        (Key::ArrowDown, "two faces"),
        (Key::ArrowDown, "draft"),
    ] {
        harness.key_press_modifiers(Modifiers::ALT, key);
        harness.step();
        assert_eq!(text(&harness), wanted);
    }
    harness.get_by_label("Prompt history").click();
    harness.run_steps(8);
    harness.get_by_label("Search prompts").focus();
    harness.step();
    harness.get_by_label("Search prompts").type_text("one");
    harness.run_steps(2);
    assert!(harness.query_by_label("two faces").is_none());
    harness.get_by_label("one face").click();
    harness.run_steps(2);
    assert_eq!(text(&harness), "one face");
    assert!(harness.query_by_label("Search prompts").is_none(), "closed");
}

#[test]
fn live_mode_draws_the_newest_and_off_is_off() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = slow(home.path());
    emit(&mut harness, Do::Live);
    wait_for(&mut harness, "the first live picture", |app| {
        app.studio.generate.live.job().is_none() && app.studio.generate.preview.is_some()
    });
    let colour = |app: &StudioApp| app.studio.generate.preview.as_ref().map(|at| at.pixels[0]);
    for seed in 1..=20 {
        harness
            .state_mut()
            .studio
            .context
            .document
            .request
            .draw
            .seed = seed;
        harness.step();
    }
    wait_for(&mut harness, "the newest", |app| {
        colour(app) == Some(20) && app.studio.generate.live.job().is_none()
    });
    assert!(
        saved(home.path()).is_empty(),
        "live pictures are not kept by themselves"
    );
    harness.step();
    harness.get_by_label("Keep this picture").click();
    harness.step();
    wait_for(&mut harness, "the picture to be saved", |app| {
        !app.studio.context.is_busy()
    });
    assert_eq!(saved(home.path()).len(), 1);
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .seed = 99;
    harness.step();
    emit(&mut harness, Do::Live);
    assert_eq!(harness.state().studio.generate.live.job(), None);
    harness
        .state_mut()
        .studio
        .context
        .document
        .request
        .draw
        .seed = 100;
    let number = harness.state().studio.generate.preview_number;
    // A frame that sees a change asks for a picture before it ends.
    for _ in 0..10 {
        harness.step();
        assert_eq!(harness.state().studio.generate.live.job(), None);
    }
    assert_eq!(harness.state().studio.generate.preview_number, number);
}

#[test]
fn without_a_model_the_button_rests_and_says_why() {
    let home = tempfile::tempdir().unwrap();
    let backend = FakeBackend {
        load_fails: true,
        ..FakeBackend::default()
    };
    let mut harness = studio_with(options(home.path(), backend));
    wait_for(&mut harness, "the failure", |app| {
        matches!(
            app.studio.context.facts.model,
            mmface::studio::facts::ModelStatus::Failed(_)
        )
    });
    harness.run_steps(2);
    let button = harness.get_by_label("Generate");
    assert!(button.accesskit_node().is_disabled());
    harness.get_by_label_contains("the model is broken");
    harness.get_by_label("Choose another model").click();
    harness.run_steps(2);
    let workspace = harness.state().studio.context.workspace;
    assert_eq!(workspace, mmface::studio::Workspace::Models);
}

#[test]
fn cancelling_a_waiting_work_leaves_the_running_one() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = slow(home.path());
    generate(&mut harness, "runs");
    generate(&mut harness, "waits");
    let waits = harness.state().studio.context.document.works.queue.jobs()[1].id;
    emit(&mut harness, Do::Remove(WorkId(waits)));
    idle(&mut harness);
    assert_eq!(prompts(home.path()), ["runs"]);
}
