//! Models that load slowly, not at all, or are missing.

use crossbeam_channel::unbounded;

use super::fake::{Act, Fake, end_of, engine, gated, job, model, wait_for};
use crate::contract::*;
use crate::worker::*;

#[test]
fn loading_stops_between_tensors() {
    let (fake, open) = gated();
    let (engine, events) = engine(&fake);
    let slow = engine.load(model("slow"));
    wait_for(
        &events,
        |event| matches!(event, Event::Loading { load, .. } if *load == slow),
    );
    let next = engine.load(model("small"));
    open.send(()).unwrap(); // lets the first tensor end; the second must not begin
    let event = wait_for(&events, |event| matches!(event, Event::LoadFailed { .. }));
    assert!(matches!(event, Event::LoadFailed { load, error: Error::Cancelled } if load == slow));
    let event = wait_for(&events, |event| matches!(event, Event::Ready { .. }));
    assert!(matches!(event, Event::Ready { load, .. } if load == next));
}

#[test]
fn dropping_while_loading_ends_the_load_and_its_jobs() {
    let (fake, open) = gated();
    let (engine, events) = engine(&fake);
    let load = engine.load(model("slow"));
    let waiting = engine.submit(job(Act::Finish));
    wait_for(
        &events,
        |event| matches!(event, Event::Loading { load: id, .. } if *id == load),
    );
    drop(open);
    drop(engine);
    let rest: Vec<Event> = events.try_iter().collect();
    assert_eq!(
        rest.iter()
            .filter(|event| event.ends() == Some(waiting))
            .count(),
        1
    );
    let ends = rest
        .iter()
        .filter(|event| matches!(event, Event::LoadFailed { load: id, .. } if *id == load));
    assert_eq!(ends.count(), 1);
}

#[test]
fn jobs_that_wait_for_a_broken_model_fail_with_its_reason() {
    for name in ["broken", "panics"] {
        let (engine, events) = engine(&Fake::default());
        wait_for(&events, |event| matches!(event, Event::Ready { .. }));
        engine.load(model(name));
        let ids = [
            engine.submit(job(Act::Finish)),
            engine.submit(job(Act::Finish)),
        ];
        for id in ids {
            let Event::Failed { error, .. } = end_of(&events, id) else {
                panic!("must fail")
            };
            assert!(
                error
                    .to_string()
                    .starts_with("the model could not be loaded: "),
                "{error}"
            );
        }
        let later = engine.submit(job(Act::Finish));
        assert!(
            matches!(end_of(&events, later), Event::Failed { .. }),
            "there is still no model"
        );
        engine.load(model("small"));
        let good = engine.submit(job(Act::Finish));
        assert!(matches!(end_of(&events, good), Event::Finished { .. }));
    }
}

#[test]
fn a_job_without_a_model_fails() {
    let (sender, events) = unbounded();
    let engine = Engine::start_with(Fake::default, sender, || {}).unwrap();
    let id = engine.submit(job(Act::Finish));
    let Event::Failed { error, .. } = end_of(&events, id) else {
        panic!("must fail")
    };
    assert_eq!(error.to_string(), "no model is loaded; load one first");
}
