//! A backend that computes nothing, and a patient reader of events.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::contract::*;
use crate::job::Draw;
use crate::picture::RgbImage;
use crate::worker::*;

/// What a fake job does; it rides in the job's prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Finish,
    Fail,
    Panic,
    OutOfMemoryOnce,
    OutOfMemory,
    /// Steps until cancelled; each step waits for the gate when there is one.
    Long,
}

pub(super) const ACTS: [Act; 6] = [
    Act::Finish,
    Act::Fail,
    Act::Panic,
    Act::OutOfMemoryOnce,
    Act::OutOfMemory,
    Act::Long,
];

pub(super) fn job(act: Act) -> Job {
    Job {
        draw: Draw {
            prompt: format!("{act:?}"),
            steps: 3,
            ..Draw::default()
        },
        ..Job::default()
    }
}

pub(super) fn model(name: &str) -> ModelRef {
    ModelRef::Named(name.into())
}

/// A backend that follows the prompt, and counts what the worker asks of it.
#[derive(Clone, Default)]
pub(super) struct Fake {
    /// Each message lets one step, or one tensor of a load, go on.
    pub(super) gate: Option<Receiver<()>>,
    pub(super) freed: Arc<AtomicUsize>,
    pub(super) tiled: Arc<AtomicUsize>,
    pub(super) steps: Arc<AtomicUsize>,
}

impl Fake {
    fn pass(&self) {
        if let Some(gate) = &self.gate {
            gate.recv().ok();
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
            needed: Some(2),
            available: Some(1),
            hint: "set --size lower".into(),
        };
        let act = *ACTS
            .iter()
            .find(|act| format!("{act:?}") == job.draw.prompt)
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
                seed: job.draw.seed,
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
pub(super) fn engine(fake: &Fake) -> (Engine, Receiver<Event>) {
    let (sender, events) = unbounded();
    let fake = fake.clone();
    let engine = Engine::start_with(move || fake, sender, || {}).unwrap();
    engine.load(model("small"));
    (engine, events)
}

pub(super) fn gated() -> (Fake, Sender<()>) {
    let (open, gate) = unbounded();
    (
        Fake {
            gate: Some(gate),
            ..Fake::default()
        },
        open,
    )
}

pub(super) fn next_event(events: &Receiver<Event>) -> Event {
    events
        .recv_timeout(Duration::from_secs(60))
        .expect("an event within a minute")
}

/// Reads events until one fits.
pub(super) fn wait_for(events: &Receiver<Event>, fits: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = next_event(events);
        if fits(&event) {
            return event;
        }
    }
}

pub(super) fn end_of(events: &Receiver<Event>, job: JobId) -> Event {
    wait_for(events, |event| event.ends() == Some(job))
}
