//! Who has the device: training, preparing and measuring on one side, pictures on the other, and
//! who comes second asks first.
#![cfg(unix)]

#[path = "common/studio.rs"]
mod common;
#[path = "common/fake_trainer.rs"]
mod fake;

use common::{click, wait_for};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use fake::{Fake, press_last, wait_for_phase};
use mmface::studio::StudioApp;
use mmface::studio::command::Sharing;
use mmface::studio::command::TrainerCommand;
use mmface::studio::trainer::Phase;

fn wait_for_model(harness: &mut Harness<'_, StudioApp>) {
    wait_for(harness, "the model", |app| {
        app.studio.context.facts.model.ready().is_some()
    });
}

/// Goes to the studio and presses Generate.
fn ask_for_a_picture(harness: &mut Harness<'_, StudioApp>) {
    harness.get_by_label("Studio").click();
    harness.run_steps(2);
    harness.get_by_label("Generate").click();
    harness.run_steps(3);
}

fn wait_for_pictures(harness: &mut Harness<'_, StudioApp>, count: usize) {
    wait_for(harness, "the picture", |app| {
        app.studio.results.strip.found() == count
    });
}

#[test]
fn drawing_asks_first_and_training_goes_on_after_the_queue() {
    let home = tempfile::tempdir().expect("a folder");
    let (fake, mut harness) = fake::running(home.path());
    harness.get_by_label("Studio").click();
    harness.run_steps(2);
    wait_for_model(&mut harness);
    harness.run_steps(2);
    harness.get_by_label("Generate").click();
    harness.run_steps(3);
    assert!(
        harness
            .query_by_label("Training uses this device")
            .is_some()
    );
    assert!(
        harness.state().studio.generate.running.is_none(),
        "nothing is drawn unasked"
    );

    // Cancelled: the picture waits in a paused queue.
    press_last(&mut harness, "Cancel");
    harness.run_steps(3);
    assert!(harness.state().studio.context.document.works.queue.paused);
    harness.state_mut().studio.emit_action("generate.pause");
    harness.run_steps(3);
    harness
        .get_by_label("Pause training while I generate")
        .click();
    wait_for(&mut harness, "both pictures and the run", |app| {
        app.studio.results.strip.found() == 1
            && app.studio.trainer.view.phase == Phase::Running
            && !app.studio.context.is_busy()
    });
    assert_eq!(fake.read("commands"), ["pause", "resume"]);

    // Asked once.
    harness.run_steps(2);
    harness.get_by_label("Generate").click();
    wait_for_pictures(&mut harness, 2);
    wait_for_phase(&mut harness, &Phase::Running);
    assert_eq!(fake.read("commands").len(), 4);

    // Beside each other.
    let beside = TrainerCommand::SetSharing(Some(Sharing::Beside));
    harness.state_mut().studio.emit(beside);
    harness.run_steps(2);
    harness.get_by_label("Generate").click();
    wait_for_pictures(&mut harness, 3);
    assert_eq!(fake.read("commands").len(), 4);
}

/// How often the stand-in was called with all of these words.
fn calls(fake: &Fake, words: &[&str]) -> usize {
    let calls = fake.read("calls");
    let with = |call: &&String| words.iter().all(|word| call.contains(word));
    calls.iter().filter(with).count()
}

#[test]
fn drawing_asks_also_while_data_is_prepared_or_the_speed_measured() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    fake.set("long-latents");
    let mut harness = fake.studio(home.path());
    wait_for_model(&mut harness);
    harness.state_mut().studio.emit(TrainerCommand::Prepare);
    wait_for(&mut harness, "the preparation", |app| {
        let mut helpers = app.studio.trainer.helpers.iter();
        helpers.any(|helper| helper.progress.is_some())
    });
    ask_for_a_picture(&mut harness);
    let title = "Preparing the data uses this device";
    assert!(harness.query_by_label(title).is_some(), "it asks");
    let nothing = harness.state().studio.generate.running.is_none();
    assert!(nothing, "nothing is drawn unasked");
    press_last(&mut harness, "Cancel");
    harness.run_steps(3);
    assert!(harness.state().studio.context.document.works.queue.paused);
    assert_eq!(calls(&fake, &["latents"]), 1, "it was left alone");

    // It waits for the picture, then begins anew; what it has encoded is kept.
    harness.state_mut().studio.emit_action("generate.pause");
    harness.run_steps(3);
    harness.get_by_label("Pause it while I generate").click();
    wait_for_pictures(&mut harness, 1);
    wait_for(&mut harness, "the preparation again", |app| {
        !app.studio.trainer.helpers.is_empty()
    });
    assert_eq!(harness.state().studio.trainer.problem, None);
    fake.set("long-probe");
    fake.unset("long-latents");
    wait_for(&mut harness, "the measurement", |app| {
        let plan = app.studio.trainer.plan.as_ref();
        plan.is_some_and(|planned| planned.measuring) && !app.studio.trainer.helpers.is_empty()
    });
    assert_eq!(calls(&fake, &["latents"]), 2);

    // The measurement likewise; it was asked once, so it is asked anew only on demand.
    let anew = TrainerCommand::SetSharing(None);
    harness.state_mut().studio.emit(anew);
    ask_for_a_picture(&mut harness);
    let title = "The speed is being measured on this device";
    assert!(harness.query_by_label(title).is_some(), "it asks");
    harness.get_by_label("Pause it while I generate").click();
    wait_for_pictures(&mut harness, 2);
    fake.unset("long-probe");
    wait_for(&mut harness, "the measured plan", |app| {
        let plan = app.studio.trainer.plan.as_ref();
        plan.is_some_and(|planned| planned.plan.seconds.is_some())
    });
    assert_eq!(calls(&fake, &["plan", "--probe"]), 2);
}

#[test]
fn a_question_ends_with_what_it_was_about() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    fake.set("long-latents");
    let mut harness = fake.studio(home.path());
    wait_for_model(&mut harness);
    harness.state_mut().studio.emit(TrainerCommand::Prepare);
    harness.run_steps(2);
    ask_for_a_picture(&mut harness);
    let asked = |harness: &Harness<'_, StudioApp>| {
        harness.state().studio.trainer.sharing.question.is_some()
    };
    assert!(asked(&harness));
    fake.set("prepared");
    fake.unset("long-latents");
    wait_for_pictures(&mut harness, 1);
    assert!(!asked(&harness));
}

#[test]
fn preparing_waits_for_pictures_that_came_first() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    let mut harness = fake.studio(home.path());
    wait_for_model(&mut harness);
    harness.get_by_label("Trainer").click();
    harness.run_steps(3);
    harness.state_mut().studio.generate.live.on = true;
    click(&mut harness, "Prepare the data");
    harness.run_steps(3);
    let title = "Pictures are being drawn on this device";
    assert!(harness.query_by_label(title).is_some(), "it asks");
    harness.get_by_label("Prepare after the pictures").click();
    harness.run_steps(3);
    assert_eq!(calls(&fake, &["latents"]), 0);
    let waits = "Goes on when the pictures are drawn";
    assert!(harness.query_by_label(waits).is_some());
    harness.state_mut().studio.emit_action("generate.live");
    wait_for(&mut harness, "the prepared data", |app| {
        let plan = app.studio.trainer.plan.as_ref();
        plan.is_some_and(|planned| planned.plan.seconds.is_some())
    });
    assert_eq!(calls(&fake, &["latents"]), 1);
}

#[test]
fn a_start_waits_for_pictures_when_the_person_says_so() {
    let home = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(home.path());
    fake.set("prepared");
    let mut harness = fake.studio(home.path());
    wait_for_model(&mut harness);
    fake.plan(&mut harness);
    harness.state_mut().studio.generate.live.on = true;
    click(&mut harness, "Start training");
    harness.run_steps(3);
    harness
        .get_by_label("Pause training while I generate")
        .click();
    harness.run_steps(3);
    assert!(!harness.state().studio.trainer.has_child());
    assert!(
        harness
            .query_by_label("Begins when the pictures are drawn")
            .is_some()
    );
    harness.state_mut().studio.emit_action("generate.live");
    wait_for_phase(&mut harness, &Phase::Running);
}
