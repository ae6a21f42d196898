//! The trainer tab, with a real child process in the trainer's place: a shell script that speaks
//! its language, and dies when it is told to.
#![cfg(unix)]
#![allow(clippy::expect_used, reason = "tests")]

#[path = "common/studio.rs"]
mod common;
#[path = "common/fake_trainer.rs"]
mod fake;

use std::path::{Path, PathBuf};

use common::{click, wait_for, wait_until};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use fake::{Fake, press_last, wait_for_phase};
use mmface::studio::command::TrainerCommand;
use mmface::studio::trainer::Phase;
use mmface::studio::{StudioApp, Workspace};
use mmface_run_protocol::{RunInputs, TrainEvent, run_folder};

/// Clicks a widget of the tab, which may have to be scrolled to.
fn press(harness: &mut Harness<'_, StudioApp>, label: &str) {
    click(harness, label);
}

fn wait_until_paused(harness: &mut Harness<'_, StudioApp>) {
    wait_for(harness, "the pause", |app| {
        matches!(app.studio.trainer.view.phase, Phase::Paused(_))
    });
    harness.run_steps(2);
}

#[test]
fn a_run_is_planned_started_paused_and_stopped() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    let mut harness = fake.studio(home.path());
    harness.get_by_label("Trainer").click();
    wait_for(&mut harness, "the presets", |app| {
        app.studio.trainer.presets.len() == 2
    });
    harness.run_steps(2);

    // Not prepared: the plan is there all the same, and offers to prepare.
    press(&mut harness, "Make the plan");
    wait_for(&mut harness, "the plan", |app| {
        app.studio.trainer.plan.is_some()
    });
    harness.run_steps(2);
    assert!(
        harness
            .query_by_label_contains("is not prepared yet (no latents here")
            .is_some()
    );
    press(&mut harness, "Start training");
    harness.run_steps(3);
    assert_eq!(
        harness.state().studio.trainer.view.phase,
        Phase::None,
        "not without data"
    );
    press(&mut harness, "Prepare the data");
    wait_for(&mut harness, "the plan of prepared data", |app| {
        let plan = app.studio.trainer.plan.as_ref();
        plan.is_some_and(|planned| planned.unprepared.is_none() && planned.plan.seconds.is_some())
    });
    harness.run_steps(2);
    assert!(harness.query_by_label("1,200, 9.6 epochs").is_some());
    assert!(harness.query_by_label_contains("2 h 00 min").is_some());
    assert_eq!(harness.state().studio.trainer.view.tables.len(), 1);

    press(&mut harness, "Start training");
    wait_for_phase(&mut harness, &Phase::Running);
    wait_for(&mut harness, "points of the curves", |app| {
        let view = &app.studio.trainer.view;
        view.loss.points().len() == 3 && view.heldout_loss.points().len() == 1
    });
    harness.run_steps(2);
    assert!(harness.query_by_label("Loss: 0.2000").is_some());
    assert!(harness.query_by_label("Held out: 0.5000").is_some());
    assert!(
        harness
            .query_by_label("Curve of learning rate, now 0.0010")
            .is_some()
    );
    // Lines that are no events do no harm, and are told.
    let notes = &harness.state().studio.trainer.view.notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("not an event: some library says hello")),
        "{notes:?}"
    );

    press(&mut harness, "Pause or resume training");
    wait_until_paused(&mut harness);
    press(&mut harness, "Pause or resume training");
    wait_for_phase(&mut harness, &Phase::Running);
    press(&mut harness, "Write a checkpoint now");
    wait_for(&mut harness, "a row of the table", |app| {
        app.studio.trainer.view.checkpoints.list.len() == 1
    });
    press(&mut harness, "Draw samples now");
    wait_for(&mut harness, "the sheets", |app| {
        app.studio.trainer.view.sheets.len() == 2
    });
    harness.run_steps(2);
    let shown = |harness: &Harness<'_, StudioApp>| {
        harness.query_by_label("Samples after update 30").is_some()
    };
    wait_until(&mut harness, "the newest sheet on screen", shown);
    press(&mut harness, "Stop training after a checkpoint");
    wait_for(&mut harness, "the end", |app| {
        !app.studio.trainer.has_child()
    });
    assert!(matches!(
        harness.state().studio.trainer.view.phase,
        Phase::Stopped(_)
    ));
    harness.run_steps(2);
    assert!(harness.query_by_label("Resume").is_some());
    let commands = fake.read("commands");
    assert_eq!(
        commands,
        ["pause", "resume", "checkpoint", "sample", "stop"]
    );
}

#[test]
fn a_crash_is_a_message_and_the_run_goes_on_from_its_checkpoint() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    fake.set("prepared");
    fake.set("die");
    let mut harness = fake.studio(home.path());
    fake.start(&mut harness);
    wait_for(&mut harness, "the crash", |app| {
        matches!(app.studio.trainer.view.phase, Phase::Failed(_)) && !app.studio.trainer.has_child()
    });
    wait_for(&mut harness, "the checkpoint", |app| {
        !app.studio.trainer.view.checkpoints.list.is_empty()
    });
    harness.run_steps(2);
    let text = "the trainer ended unexpectedly: killed by signal 11";
    assert!(harness.query_by_label(text).is_some());
    assert!(
        harness
            .query_by_label_contains("the disk is on fire")
            .is_some(),
        "its last words are shown"
    );
    // The studio works on.
    harness.get_by_label("Studio").click();
    harness.run_steps(3);
    assert_eq!(harness.state().studio.context.workspace, Workspace::Studio);
    harness.get_by_label("Trainer").click();
    harness.run_steps(3);

    fake.unset("die");
    press(&mut harness, "Resume");
    wait_for_phase(&mut harness, &Phase::Running);
    wait_for(&mut harness, "the new figures", |app| {
        app.studio.trainer.view.step() == 50
    });
    let view = &harness.state().studio.trainer.view;
    let x: Vec<f64> = view.loss.points().iter().map(|point| point.x).collect();
    assert_eq!(
        x,
        [10.0, 20.0, 30.0, 40.0, 50.0],
        "one curve, nothing twice"
    );
    harness.state_mut().studio.emit(TrainerCommand::Stop);
    wait_for(&mut harness, "the end", |app| {
        !app.studio.trainer.has_child()
    });
}

#[test]
fn a_checkpoint_becomes_the_model_of_the_studio() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    fake.set("prepared");
    let mut harness = fake.studio(home.path());
    let models = home.path().join("models");
    harness.state_mut().studio.context.services.registry = fake::models_in(&models);
    fake.start(&mut harness);
    wait_for_phase(&mut harness, &Phase::Running);
    press(&mut harness, "Write a checkpoint now");
    wait_for(&mut harness, "a row of the table", |app| {
        app.studio.trainer.view.checkpoints.list.len() == 1
    });
    harness.run_steps(2);
    assert!(harness.query_by_label("0.5000 best").is_some());
    press(&mut harness, "Use in studio: update 30");
    wait_for(&mut harness, "the model", |app| {
        let ready = app.studio.context.facts.model.ready();
        ready.is_some_and(|model| model.name == "run-30")
    });
    assert_eq!(harness.state().studio.context.settings.model, "run-30");
    let calls = fake.read("calls");
    let export = calls
        .iter()
        .find(|call| call.starts_with("export"))
        .expect("an export");
    assert!(
        export.contains("checkpoint-30") && export.ends_with("models/run-30"),
        "{export}"
    );
    harness.run_steps(2);
    assert!(harness.query_by_label("in use").is_some());
    // Training went on meanwhile.
    assert_eq!(harness.state().studio.trainer.view.phase, Phase::Running);
}

#[test]
fn an_old_run_is_opened_with_its_curves() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    let run = home.path().join("old");
    fake::old_run(&run);
    let work = home.path().join("its data");
    std::fs::create_dir(&work).expect("a folder");
    let inputs = RunInputs {
        work: work.clone(),
        weights: None,
    };
    inputs.write(&run).expect("a file");
    let mut harness = fake.studio(home.path());
    harness.get_by_label("Trainer").click();
    harness.run_steps(3);
    let weights = harness
        .state()
        .studio
        .context
        .settings
        .trainer
        .weights
        .clone();
    harness
        .state_mut()
        .studio
        .emit(TrainerCommand::OpenRun(run.clone()));
    wait_for(&mut harness, "the curves", |app| {
        app.studio.trainer.view.loss.points().len() == 2
    });
    harness.run_steps(2);
    let view = &harness.state().studio.trainer.view;
    assert!(
        matches!(view.phase, Phase::Stopped(_)),
        "nobody holds its lock"
    );
    let form = &harness.state().studio.context.settings.trainer;
    assert_eq!(form.out().as_deref(), Some(run.as_path()));
    assert_eq!(form.work, work.display().to_string(), "it can go on");
    assert_eq!(form.weights, weights, "nothing is noted of these");
    assert!(harness.query_by_label("Resume").is_some());

    // Under another process: seen, followed, not started twice.
    let lock = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .open(run_folder::lock(&run))
        .expect("a lock");
    lock.lock().expect("free");
    harness
        .state_mut()
        .studio
        .emit(TrainerCommand::OpenRun(run.clone()));
    wait_for(&mut harness, "the holder", |app| {
        app.studio.trainer.is_foreign()
    });
    harness.run_steps(2);
    assert!(harness.query_by_label("Resume").is_none());
    fake::append_step(&run, 30);
    wait_for(&mut harness, "the next figures", |app| {
        app.studio.trainer.view.step() == 30
    });
    drop(lock);
    wait_for(&mut harness, "its end", |app| {
        !app.studio.trainer.is_foreign()
    });
}

/// The test holds the run's lock and reads its folder of commands, as a trainer does that was
/// started in a terminal.
#[test]
fn a_run_of_another_process_is_steered_through_its_folder() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    let run = home.path().join("elsewhere");
    fake::old_run(&run);
    let commands = run_folder::commands(&run);
    let path = run_folder::lock(&run);
    std::fs::write(&path, "4711\n").expect("a lock");
    let lock = std::fs::File::options().write(true).open(&path);
    let lock = lock.expect("a lock");
    lock.lock().expect("free");
    let mut harness = fake.studio(home.path());
    harness.get_by_label("Trainer").click();
    harness.run_steps(3);
    let open = TrainerCommand::OpenRun(run.clone());
    harness.state_mut().studio.emit(open);
    wait_for(&mut harness, "the holder", |app| {
        app.studio.trainer.is_foreign()
    });
    harness.run_steps(2);

    // A trainer of an earlier version does not listen: nothing is promised.
    let button = harness.get_by_label("Pause or resume training");
    assert!(button.accesskit_node().is_disabled(), "nobody listens");
    std::fs::create_dir(&commands).expect("a folder");
    wait_until(&mut harness, "the button to pause", |harness| {
        let button = harness.get_by_label("Pause or resume training");
        !button.accesskit_node().is_disabled()
    });
    press(&mut harness, "Pause or resume training");
    assert_eq!(taken(&mut harness, &commands), "pause");
    assert!(harness.query_by_label("Pausing").is_some());
    fake::append_event(
        &run,
        &TrainEvent::Paused {
            step: 20,
            reason: "asked to pause".into(),
        },
    );
    wait_until_paused(&mut harness);
    assert!(harness.query_by_label("Paused").is_some());
    press(&mut harness, "Pause or resume training");
    assert_eq!(taken(&mut harness, &commands), "resume");
    fake::append_event(&run, &TrainEvent::Resumed { step: 20 });
    wait_for_phase(&mut harness, &Phase::Running);
    press(&mut harness, "Write a checkpoint now");
    assert_eq!(taken(&mut harness, &commands), "checkpoint");
    press(&mut harness, "Draw samples now");
    assert_eq!(taken(&mut harness, &commands), "sample");
    press(&mut harness, "Stop training after a checkpoint");
    assert_eq!(taken(&mut harness, &commands), "stop");
    assert_eq!(harness.state().studio.trainer.view.phase, Phase::Stopping);
    drop(lock);
    wait_for(&mut harness, "its end", |app| {
        !app.studio.trainer.is_foreign()
    });
}

/// Waits for a command to process 4711 and takes it out of the folder.
fn taken(harness: &mut Harness<'_, StudioApp>, commands: &Path) -> String {
    let find = || {
        let entries = std::fs::read_dir(commands).expect("a folder");
        let mut paths = entries.flatten().map(|entry| entry.path());
        paths.find(|path| path.extension().is_some_and(|ending| ending == "json"))
    };
    wait_for(harness, "a command", |_| find().is_some());
    let path = find().expect("a command");
    let text = std::fs::read_to_string(&path).expect("a file");
    std::fs::remove_file(&path).expect("a file");
    harness.run_steps(2);
    let rest = text.trim().strip_prefix(r#"{"process":4711,"command":""#);
    let rest = rest.unwrap_or_else(|| panic!("not to its process: {text}"));
    rest.trim_end_matches("\"}").to_owned()
}

#[test]
fn without_a_trainer_the_tab_says_what_to_do() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    let mut harness = fake.studio(home.path());
    let program: PathBuf = home.path().join("nothing");
    harness.state_mut().studio.context.settings.trainer.program = program.display().to_string();
    harness.get_by_label("Trainer").click();
    harness.run_steps(3);
    let text = "cargo build --release -p mmface-trainer";
    assert!(harness.query_by_label_contains(text).is_some());
    let found = TrainerCommand::Set(
        mmface::studio::settings::training::Field::Program,
        fake.program(),
    );
    assert!(harness.query_by_label("Choose program…").is_some());
    harness.state_mut().studio.emit(found);
    wait_for(&mut harness, "the presets", |app| {
        !app.studio.trainer.presets.is_empty()
    });
}

#[test]
fn mistakes_stand_beside_their_fields() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    let mut harness = fake.studio(home.path());
    harness.state_mut().studio.context.settings.trainer.data = "/no/such/place".into();
    harness
        .state_mut()
        .studio
        .context
        .settings
        .trainer
        .work
        .clear();
    harness.get_by_label("Trainer").click();
    harness.run_steps(3);
    assert!(harness.query_by_label("there is no such folder").is_some());
    assert!(
        harness
            .query_by_label("name a folder; it may be a new one")
            .is_none()
    );
    press(&mut harness, "Make the plan");
    harness.run_steps(3);
    assert!(
        harness
            .query_by_label("name a folder; it may be a new one")
            .is_some()
    );
    let calls = fake.read("calls");
    assert!(
        !calls.iter().any(|call| call.starts_with("plan")),
        "{calls:?}"
    );
}

#[test]
fn closing_asks_and_the_run_outlives_the_window() {
    let home = tempfile::tempdir().expect("a folder");
    let (fake, mut harness) = fake::running(home.path());
    harness.state_mut().studio.emit_action("shell.quit");
    harness.run_steps(3);
    assert!(harness.query_by_label("Training is under way").is_some());
    press_last(&mut harness, "Cancel");
    harness.run_steps(3);
    assert!(harness.query_by_label("Training is under way").is_none());
    harness.state_mut().studio.emit_action("shell.quit");
    harness.run_steps(3);
    harness.get_by_label("Keep it running").click();
    harness.run_steps(3);
    drop(harness);
    fake.wait_for("outlived");
}

#[test]
fn closing_can_wait_for_a_checkpoint() {
    let home = tempfile::tempdir().expect("a folder");
    let (fake, mut harness) = fake::running(home.path());
    harness.state_mut().studio.emit_action("shell.quit");
    harness.run_steps(3);
    harness.get_by_label("Stop after a checkpoint").click();
    wait_for(&mut harness, "the end", |app| {
        !app.studio.trainer.has_child()
    });
    assert_eq!(fake.read("commands"), ["stop"]);
    let checkpoint = Path::new("run/checkpoint-30/complete");
    assert!(home.path().join(checkpoint).is_file());
}
