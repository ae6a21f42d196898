//! Whatever is asked in whatever order: everything ends exactly once.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::fake::{ACTS, Act, Fake, engine, job, model, next_event};
use crate::contract::*;

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
