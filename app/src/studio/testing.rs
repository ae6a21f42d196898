//! Stand-ins for the studio's services: tests of this package drive the real studio with them.

use std::path::Path;
use std::time::Duration;

use mmface_engine::contract::{
    Attempt, Backend, Cancel, ModelRef, ModelSummary, Observer, Picture, Trail, TrailStep,
};
use mmface_engine::device::{self, DeviceChoice};
use mmface_engine::job::{Condition, DrawChanges, Fork, Guide, Job, Objective};
use mmface_engine::picture::RgbImage;
use mmface_engine::provenance::pixel_hash;
use mmface_engine::{Error, Result};

use super::context::{Context, Inbox, settle};
use super::dialogs::Prepared;
use super::engine_link::EngineLink;
use super::folders::Folders;
use super::outbox::Message;
use super::services::Options;

/// An engine that computes nothing: its pictures are painted from mask and seed, so that a test
/// can tell which job made which.
#[derive(Clone, Copy, Debug)]
pub struct FakeBackend {
    /// How long a step takes.
    pub step: Duration,
    /// Loading fails; loading a model called `broken` always does.
    pub load_fails: bool,
    /// What it says that it computes on; empty for what the studio asks for.
    pub device: &'static str,
    /// No card answers: loading fails while one is asked for.
    pub no_card: bool,
    /// Jobs whose prompt contains `fail` fail, those with `panic` panic, those with `memory` have
    /// none above 128 pixels a side, those with `endless` wait after their last step until they
    /// are cancelled.
    pub obeys_prompts: bool,
}

impl Default for FakeBackend {
    fn default() -> Self {
        Self {
            step: Duration::from_millis(1),
            load_fails: false,
            device: "",
            no_card: false,
            obeys_prompts: true,
        }
    }
}

impl Backend for FakeBackend {
    fn load(
        &mut self,
        model: &ModelRef,
        progress: &mut (dyn FnMut(f32, &str) + Send),
        _cancel: &Cancel,
    ) -> Result<ModelSummary> {
        progress(0.5, "nothing");
        let name = match model {
            ModelRef::Bundled => "fake",
            ModelRef::Named(name) => name,
        };
        if self.no_card {
            return Err(Error::Device(format!("no card{}", device::ADVICE)));
        }
        if self.load_fails || name == "broken" {
            return Err(Error::Input(
                "the model is broken; choose another in Models".into(),
            ));
        }
        Ok(ModelSummary {
            name: name.into(),
            title: "Fake model".into(),
            licence: "none".into(),
            sha256: "0".repeat(64),
            resolution: 256,
            suggested: DrawChanges {
                size: Some(256),
                guidance: Some(2.5),
                guide: Some(Guide::default()),
                sampler: Some(Objective::default().default_sampler()),
                ..DrawChanges::default()
            },
            parameters: 1,
            device: self.device.into(),
            ..ModelSummary::default()
        })
    }

    fn run(
        &mut self,
        job: &Job,
        _attempt: Attempt,
        observer: &mut dyn Observer,
        cancel: &Cancel,
    ) -> Result<Vec<Picture>> {
        job.validate()?;
        if self.obeys_prompts && job.draw.prompt.contains("fail") {
            return Err(Error::Input(
                "the job failed as its prompt says; change the prompt".into(),
            ));
        }
        if self.obeys_prompts && job.draw.prompt.contains("memory") && job.draw.size > 128 {
            return Err(Error::OutOfMemory {
                needed: Some(2000),
                available: Some(1000),
                hint: "use a smaller size".into(),
            });
        }
        assert!(
            !(self.obeys_prompts && job.draw.prompt.contains("panic")),
            "as the prompt says"
        );
        let total = job.total_steps();
        let image = |seed: u64| {
            let mut image =
                RgbImage::filled(job.draw.size, job.draw.size, [(seed % 251) as u8, 90, 140]);
            if let Condition::Mask(mask) = &job.condition {
                let mask = mask.resized(job.draw.size, job.draw.size);
                for (pixel, class) in image.pixels.chunks_exact_mut(3).zip(&mask.labels) {
                    pixel[1] = class * 13;
                }
            }
            image
        };
        for index in 1..=total {
            if cancel.raised() {
                return Err(Error::Cancelled);
            }
            std::thread::sleep(self.step);
            observer.step(
                index,
                total,
                self.step.as_secs_f64(),
                Some(image(job.draw.seed)),
            );
        }
        while self.obeys_prompts && job.draw.prompt.contains("endless") {
            if cancel.raised() {
                return Err(Error::Cancelled);
            }
            std::thread::sleep(self.step);
        }
        for i in 0..job.draw.count {
            if observer.trail_steps() > 0 && job.draw.steps > 1 {
                let at = |step: usize| TrailStep {
                    fork: Fork {
                        step,
                        latent: vec![step as f32; 4],
                    },
                    preview: Some(RgbImage::filled(8, 8, [(step % 251) as u8, 0, 0])),
                };
                observer.trail(Trail {
                    pixels: pixel_hash(&image(job.draw.seed + i as u64)),
                    steps: vec![at(1), at(job.draw.steps - 1)],
                });
            }
        }
        let picture = |i: usize| Picture {
            seed: job.draw.seed + i as u64,
            image: image(job.draw.seed + i as u64),
            latent: vec![0.0; 4],
        };
        Ok((0..job.draw.count).map(picture).collect())
    }

    fn free_caches(&mut self) {}
}

/// Options with a fake engine, prepared dialogs, and everything kept under `home`. The notice of
/// the first start counts as read unless `home` has settings of its own.
pub fn options(home: &Path, backend: FakeBackend) -> Options {
    let settings = home.join("config/settings.ron");
    if !settings.exists() {
        let written = std::fs::create_dir_all(home.join("config"))
            .and_then(|()| std::fs::write(&settings, "(notice_read: true)"));
        assert!(written.is_ok(), "a test's home must be writable");
    }
    Options {
        project: None,
        folders: Folders::under(home),
        dialogs: Box::new(Prepared::default()),
        engine: Some(Box::new(move |setup, ctx| {
            let device = match (backend.device, setup.options.device) {
                ("", DeviceChoice::Cpu) => "cpu",
                ("", _) => "nowhere",
                (own, _) => own,
            };
            let no_card = backend.no_card && matches!(setup.options.device, DeviceChoice::Cuda(_));
            let backend = FakeBackend {
                device,
                no_card,
                ..backend
            };
            EngineLink::start_with(move || backend, ctx)
        })),
    }
}

/// What a feature works with, without a window, an engine or any other feature; everything is kept
/// under `home`.
pub fn context(home: &Path) -> Context {
    Context::new(
        &egui::Context::default(),
        options(home, FakeBackend::default()),
    )
}

/// Waits until no slow work runs and nothing is left to be done of it for this feature.
///
/// # Panics
/// When the work does not end.
pub fn finish<S>(state: &mut S, inbox: impl Fn(&S) -> &Inbox<S>, cx: &mut Context) {
    cx.take_in();
    settle(state, &inbox, cx);
    while cx.services.tasks.running().next().is_some() {
        assert!(cx.services.tasks.wait(PATIENCE), "slow work does not end");
        cx.take_in();
        settle(state, &inbox, cx);
    }
}

/// What the feature asked for and announced, oldest first.
pub fn sent(cx: &Context) -> Vec<Message> {
    std::iter::from_fn(|| cx.outbox.next()).collect()
}

/// How long slow work of a test may take.
const PATIENCE: Duration = Duration::from_secs(60);
