//! The contract of design.md section 4, held against a backend that computes nothing.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use proptest::prelude::*;

use super::*;

/// What a fake job does; it rides in the job's prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Finish,
    Fail,
    Panic,
    OutOfMemoryOnce,
    OutOfMemory,
    /// Steps until cancelled; each step waits for the gate when there is one.
    Long,
}

const ACTS: [Act; 6] = [
    Act::Finish,
    Act::Fail,
    Act::Panic,
    Act::OutOfMemoryOnce,
    Act::OutOfMemory,
    Act::Long,
];

fn job(act: Act) -> Job {
    Job {
        prompt: format!("{act:?}"),
        steps: 3,
        ..Job::default()
    }
}

fn model(name: &str) -> ModelRef {
    ModelRef::Named(name.into())
}

/// A backend that follows the prompt, and counts what the worker asks of it.
#[derive(Clone, Default)]
struct Fake {
    /// Each message lets one step, or one tensor of a load, go on.
    gate: Option<Receiver<()>>,
    freed: Arc<AtomicUsize>,
    tiled: Arc<AtomicUsize>,
    steps: Arc<AtomicUsize>,
}

impl Fake {
    fn pass(&self) {
        if let Some(gate) = &self.gate {
            let _ = gate.recv();
        }
    }
}

impl Backend for Fake {
    fn load(
        &mut self,
        model: &ModelRef,
        progress: &mut (dyn FnMut(f32, &str) + Send),
        cancel: &Cancel,
    ) -> Result<ModelSummary> {
        let ModelRef::Named(name) = model else {
            return Ok(ModelSummary::default());
        };
        for tensor in 0..4u8 {
            cancel.check()?;
            progress(f32::from(tensor) / 4.0, "dit.safetensors");
            if name == "slow" {
                self.pass();
            }
        }
        match name.as_str() {
            "broken" => Err(Error::Weights(
                "blocks.0.attn.to_q.weight is missing".into(),
            )),
            "panics" => panic!("load panicked on purpose"),
            _ => Ok(ModelSummary {
                name: name.clone(),
                ..ModelSummary::default()
            }),
        }
    }

    fn run(
        &mut self,
        job: &Job,
        attempt: Attempt,
        observer: &mut dyn Observer,
        cancel: &Cancel,
    ) -> Result<Vec<Picture>> {
        let image = || RgbImage {
            width: 1,
            height: 1,
            pixels: vec![1, 2, 3],
        };
        let memory = || Error::OutOfMemory {
            needed: 2,
            available: 1,
            hint: "set --size lower".into(),
        };
        let act = *ACTS
            .iter()
            .find(|act| format!("{act:?}") == job.prompt)
            .unwrap();
        if attempt.tiled_decoding {
            self.tiled.fetch_add(1, Ordering::Relaxed);
        }
        let steps = if act == Act::Long {
            10_000
        } else {
            job.total_steps()
        };
        for step in 1..=steps {
            cancel.check()?;
            self.steps.fetch_add(1, Ordering::Relaxed);
            if act == Act::Long {
                if self.gate.is_none() {
                    std::thread::sleep(Duration::from_micros(200));
                }
                self.pass();
            }
            observer.step(step, steps, 0.0, Some(image()));
        }
        if observer.trail_steps() > 0 {
            observer.trail(Trail {
                pixels: format!("{} steps", observer.trail_steps()),
                steps: Vec::new(),
            });
        }
        match act {
            Act::Fail => Err(Error::Argument("failed on purpose".into())),
            Act::Panic => panic!("panicked on purpose"),
            Act::OutOfMemory => Err(memory()),
            Act::OutOfMemoryOnce if !attempt.tiled_decoding => Err(memory()),
            _ => Ok(vec![Picture {
                seed: job.seed,
                image: image(),
                latent: vec![],
            }]),
        }
    }

    fn free_caches(&mut self) {
        self.freed.fetch_add(1, Ordering::Relaxed);
    }
}

/// An engine on a fake, with a loaded model.
fn engine(fake: &Fake) -> (Engine, Receiver<Event>) {
    let (sender, events) = unbounded();
    let fake = fake.clone();
    let engine = Engine::start_with(move || fake, sender, || {}).unwrap();
    engine.load(model("small"));
    (engine, events)
}

fn gated() -> (Fake, Sender<()>) {
    let (open, gate) = unbounded();
    (
        Fake {
            gate: Some(gate),
            ..Fake::default()
        },
        open,
    )
}

fn next_event(events: &Receiver<Event>) -> Event {
    events
        .recv_timeout(Duration::from_secs(20))
        .expect("an event within 20 s")
}

/// Reads events until one fits.
fn wait_for(events: &Receiver<Event>, fits: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = next_event(events);
        if fits(&event) {
            return event;
        }
    }
}

fn end_of(events: &Receiver<Event>, job: JobId) -> Event {
    wait_for(events, |event| event.ends() == Some(job))
}

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
        "out of memory: 2 bytes needed, 1 available; set --size lower"
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
    for _ in 0..50 {
        engine.submit(job(Act::Finish));
    }
    let last = engine.submit(job(Act::Finish));
    let began = Instant::now();
    let mut all = Vec::new();
    // Let everything run before the first event is read.
    while !events.is_empty() && began.elapsed() < Duration::from_secs(20) {
        let before = events.len();
        std::thread::sleep(Duration::from_millis(20));
        if events.len() == before {
            break;
        }
    }
    all.extend(events.try_iter());
    assert!(all.iter().any(|event| event.ends() == Some(last)));
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

#[derive(Clone, Debug)]
enum Command {
    Submit(Lane, usize),
    /// Cancels the n-th job from the end.
    Cancel(usize),
    Load(usize),
    Wait(u64),
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        6 => (any::<bool>(), 0..ACTS.len())
            .prop_map(|(live, act)| Command::Submit(if live { Lane::Live } else { Lane::Batch }, act)),
        3 => (0..6usize).prop_map(Command::Cancel),
        2 => (0..4usize).prop_map(Command::Load),
        2 => (0..1500u64).prop_map(Command::Wait),
    ];
    proptest::collection::vec(command, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_job_and_load_ends_exactly_once(commands in commands(), drain in any::<bool>()) {
        let (engine, events) = engine(&Fake::default());
        let (mut jobs, mut cancelled, mut loads) = (Vec::new(), Vec::new(), 1usize);
        for command in &commands {
            match command {
                Command::Submit(lane, act) => jobs.push((engine.submit_to(*lane, job(ACTS[*act])), *lane, ACTS[*act])),
                Command::Cancel(back) => {
                    if let Some((id, ..)) = jobs.len().checked_sub(1 + back).map(|at| jobs[at]) && engine.cancel(id) {
                        cancelled.push(id);
                    }
                }
                Command::Load(which) => {
                    engine.load(model(["small", "broken", "panics", "slow"][*which]));
                    loads += 1;
                }
                Command::Wait(micros) => std::thread::sleep(Duration::from_micros(*micros)),
            }
        }
        let mut all = Vec::new();
        if drain {
            // Long jobs end by cancel only; the others end by themselves.
            for (id, _, act) in &jobs {
                if *act == Act::Long && engine.cancel(*id) {
                    cancelled.push(*id);
                }
            }
            let mut open = jobs.len();
            while open > 0 {
                let event = next_event(&events);
                open -= usize::from(event.ends().is_some());
                all.push(event);
            }
        }
        drop(engine);
        all.extend(events.try_iter());

        let mut position: HashMap<JobId, (usize, Vec<usize>)> = HashMap::new();
        let (mut started, mut load_ends) = (Vec::new(), 0);
        for (at, event) in all.iter().enumerate() {
            match event {
                Event::Queued { job } => { position.insert(*job, (at, Vec::new())); }
                Event::Started { job, .. } => started.push(*job),
                Event::Step { job, .. } => prop_assert!(position[job].1.is_empty(), "a step after the end"),
                Event::Ready { .. } | Event::LoadFailed { .. } => load_ends += 1,
                _ => {}
            }
            if let Some(id) = event.ends() {
                position.get_mut(&id).expect("queued first").1.push(at);
            }
        }
        prop_assert_eq!(load_ends, loads);
        for (id, ..) in &jobs {
            prop_assert_eq!(position[id].1.len(), 1, "terminal events of {}", id);
        }
        for id in &cancelled {
            let end = &all[position[id].1[0]];
            let as_told = matches!(end, Event::Cancelled { .. });
            prop_assert!(as_told, "{:?} after a cancel that said true", end);
        }
        let order: Vec<JobId> = started
            .iter()
            .copied()
            .filter(|id| jobs.iter().any(|(job, lane, _)| job == id && *lane == Lane::Batch))
            .collect();
        prop_assert!(order.is_sorted(), "batch jobs keep their order: {:?}", order);
        // Only the newest live job may do more than be cancelled once a newer one is submitted.
        let live: Vec<JobId> = jobs.iter().filter(|(_, lane, _)| *lane == Lane::Live).map(|(id, ..)| *id).collect();
        for pair in live.windows(2) {
            let newer_queued = position[&pair[1]].0;
            let end = position[&pair[0]].1[0];
            let cancelled = matches!(all[end], Event::Cancelled { .. });
            prop_assert!(end < newer_queued || cancelled, "an older live job did more");
        }
    }
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
