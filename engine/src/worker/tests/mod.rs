//! The contract of [`crate::contract`], held against a backend that computes nothing.

#![allow(clippy::unwrap_used, reason = "tests")]

mod fake;
mod loading;
mod random;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;

use super::*;
use fake::{Act, Fake, end_of, engine, gated, job, model, next_event, wait_for};

#[test]
fn a_job_is_queued_started_stepped_and_finished() {
    let (engine, events) = engine(&Fake::default());
    let id = engine.submit(job(Act::Finish));
    let mut seen = Vec::new();
    loop {
        match next_event(&events) {
            Event::Queued { job } => seen.push(format!("queued {}", job == id)),
            Event::Started { steps, .. } => seen.push(format!("started {steps}")),
            Event::Step { index, of, .. } => seen.push(format!("step {index}/{of}")),
            Event::Finished { pictures, .. } => {
                seen.push(format!("finished {}", pictures.len()));
                break;
            }
            _ => {}
        }
    }
    assert_eq!(
        seen,
        [
            "queued true",
            "started 3",
            "step 1/3",
            "step 2/3",
            "step 3/3",
            "finished 1"
        ]
    );
}

#[test]
fn a_failing_or_panicking_job_is_reported_and_the_next_one_runs() {
    let (engine, events) = engine(&Fake::default());
    let [failing, panicking, good] =
        [Act::Fail, Act::Panic, Act::Finish].map(|act| engine.submit(job(act)));
    let Event::Failed { error, .. } = end_of(&events, failing) else {
        panic!("must fail")
    };
    assert_eq!(error.to_string(), "failed on purpose");
    let Event::Failed { error, .. } = end_of(&events, panicking) else {
        panic!("must fail")
    };
    assert!(error.to_string().contains("panicked on purpose"), "{error}");
    assert!(matches!(end_of(&events, good), Event::Finished { .. }));
}

#[test]
fn cancel_stops_a_running_job_before_its_next_step() {
    let (fake, open) = gated();
    let (engine, events) = engine(&fake);
    let id = engine.submit(job(Act::Long));
    open.send(()).unwrap();
    wait_for(&events, |event| matches!(event, Event::Step { .. }));
    // The second step is in the backend's hands, waiting for the gate.
    while fake.steps.load(Ordering::Relaxed) < 2 {
        std::thread::yield_now();
    }
    assert!(engine.cancel(id));
    open.send(()).unwrap();
    assert!(matches!(end_of(&events, id), Event::Cancelled { .. }));
    assert_eq!(
        fake.steps.load(Ordering::Relaxed),
        2,
        "no step begins after the cancel"
    );
    assert!(!engine.cancel(id), "the job is over");
}

#[test]
fn cancel_removes_a_waiting_job_at_once() {
    let (fake, open) = gated();
    let (engine, events) = engine(&fake);
    let running = engine.submit(job(Act::Long));
    wait_for(&events, |event| matches!(event, Event::Started { .. }));
    let waiting = engine.submit(job(Act::Finish));
    assert!(engine.cancel(waiting));
    // The running job still hangs in its first step, so nobody but the caller can have sent this.
    assert!(matches!(end_of(&events, waiting), Event::Cancelled { .. }));
    engine.cancel(running);
    drop(open);
    assert!(matches!(end_of(&events, running), Event::Cancelled { .. }));
}

#[test]
fn the_newest_live_job_wins_and_batch_jobs_stay() {
    let (fake, open) = gated();
    let (engine, events) = engine(&fake);
    let first = engine.submit_to(Lane::Live, job(Act::Long));
    wait_for(&events, |event| matches!(event, Event::Started { .. }));
    let batch = [
        engine.submit(job(Act::Finish)),
        engine.submit(job(Act::Finish)),
    ];
    let second = engine.submit_to(Lane::Live, job(Act::Finish));
    let third = engine.submit_to(Lane::Live, job(Act::Finish));
    drop(open);
    let mut ends = Vec::new();
    while ends.len() < 5 {
        let event = next_event(&events);
        if let Some(id) = event.ends() {
            ends.push((id, matches!(event, Event::Finished { .. })));
        }
    }
    // The waiting one goes at once, the running one after its step; then the newest, then batch.
    assert_eq!(
        ends,
        [
            (second, false),
            (first, false),
            (third, true),
            (batch[0], true),
            (batch[1], true)
        ]
    );
}

#[test]
fn out_of_memory_is_tried_once_more_with_tiles_and_then_reported() {
    let fake = Fake::default();
    let (engine, events) = engine(&fake);
    let once = engine.submit(job(Act::OutOfMemoryOnce));
    assert!(matches!(end_of(&events, once), Event::Finished { .. }));
    assert_eq!(
        (
            fake.freed.load(Ordering::Relaxed),
            fake.tiled.load(Ordering::Relaxed)
        ),
        (1, 1)
    );
    let twice = engine.submit(job(Act::OutOfMemory));
    let Event::Failed { error, .. } = end_of(&events, twice) else {
        panic!("must fail")
    };
    assert_eq!(
        error.to_string(),
        "out of memory: about 2 B are needed, 1 B are available; set --size lower"
    );
    assert_eq!(
        fake.tiled.load(Ordering::Relaxed),
        2,
        "one more try, not more"
    );
    let good = engine.submit(job(Act::Finish));
    assert!(matches!(end_of(&events, good), Event::Finished { .. }));
}

#[test]
fn a_reader_that_never_reads_stops_nothing_and_finds_one_preview() {
    let (engine, events) = engine(&Fake::default());
    wait_for(&events, |event| matches!(event, Event::Ready { .. }));
    for _ in 0..50 {
        engine.submit(job(Act::Finish));
    }
    let last = engine.submit(job(Act::Finish));
    // Let everything run before the first event is read. Each job is queued and started, has three
    // steps, and ends.
    let deadline = Instant::now() + Duration::from_secs(60);
    while events.len() < 51 * 6 {
        assert!(Instant::now() < deadline, "{} events", events.len());
        std::thread::yield_now();
    }
    let all: Vec<Event> = events.try_iter().collect();
    assert_eq!(all.last().and_then(Event::ends), Some(last));
    let steps = all
        .iter()
        .filter(|event| matches!(event, Event::Step { .. }))
        .count();
    assert_eq!(steps, 51 * 3, "no step is lost");
    let previews = all.iter().filter_map(|event| match event {
        Event::Step { preview, .. } => preview.as_ref()?.take(),
        _ => None,
    });
    assert_eq!(
        previews.count(),
        1,
        "only the newest preview keeps its pixels"
    );
}

#[test]
fn a_bounded_channel_is_refused() {
    let (sender, _events) = crossbeam_channel::bounded(1);
    assert!(Engine::start_with(Fake::default, sender, || {}).is_err());
}

#[test]
fn a_panicking_wake_is_survived() {
    let (sender, events) = unbounded();
    let engine =
        Engine::start_with(Fake::default, sender, || panic!("wake panicked on purpose")).unwrap();
    engine.load(model("small"));
    let id = engine.submit(job(Act::Finish));
    assert!(matches!(end_of(&events, id), Event::Finished { .. }));
}

#[test]
fn trails_come_when_asked_for_and_never_from_live_jobs() {
    let (engine, events) = engine(&Fake::default());
    let before = engine.submit(job(Act::Finish));
    assert!(matches!(end_of(&events, before), Event::Finished { .. }));
    engine.keep_trails(5);
    let batch = engine.submit(job(Act::Finish));
    let trail = wait_for(&events, |event| {
        !matches!(
            event,
            Event::Step { .. } | Event::Queued { .. } | Event::Started { .. }
        )
    });
    assert!(
        matches!(&trail, Event::Trail { job, trail } if *job == batch && trail.pixels == "5 steps"),
        "{trail:?}"
    );
    assert!(matches!(end_of(&events, batch), Event::Finished { .. }));
    let live = engine.submit_to(Lane::Live, job(Act::Finish));
    let end = wait_for(&events, |event| {
        matches!(event, Event::Trail { .. }) || event.ends() == Some(live)
    });
    assert!(matches!(end, Event::Finished { .. }), "{end:?}");
}
