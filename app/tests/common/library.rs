//! A studio with pictures in its folder.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::Path;

use egui_kittest::Harness;
use mmface::project::Library;
use mmface::studio::StudioApp;
use mmface::studio::command::ResultsCommand as Do;
use mmface::studio::results::compare::Compare;
use mmface_engine::job::Job;
use mmface_engine::picture::RgbImage;

use super::common::{recipe, studio, wait_for};

pub(crate) type Studio = Harness<'static, StudioApp>;

pub(crate) fn library(home: &Path) -> Library {
    Library::new(home.join("results"), home.join("cache")).with_own_trash()
}

/// Saves a picture as the engine would have; returns its name.
pub(crate) fn keep(home: &Path, job: Job) -> String {
    let grey = (job.draw.seed % 200) as u8;
    let picture = RgbImage::filled(job.draw.size, job.draw.size, [grey, 90, 120]);
    library(home).save(&picture, &recipe(job)).unwrap().file
}

/// A studio that has read everything.
pub(crate) fn ready(home: &Path) -> Studio {
    let mut harness = studio(home);
    harness.state_mut().studio.results.own_trash = true;
    settle(&mut harness);
    harness
}

pub(crate) fn settle(harness: &mut Studio) {
    wait_for(harness, "model and tasks", |app| {
        app.studio.context.facts.model.ready().is_some()
            && app.studio.context.services.tasks.running().next().is_none()
    });
    harness.run_steps(2);
}

pub(crate) fn emit(harness: &mut Studio, command: Do) {
    harness.state_mut().studio.emit(command);
    harness.step();
    settle(harness);
}

pub(crate) fn shown(harness: &Studio) -> Vec<u64> {
    let strip = &harness.state().studio.results.strip;
    let entries = strip.cells().iter().filter_map(|cell| strip.entry(*cell));
    entries.map(|entry| entry.about.draw.seed).collect()
}

pub(crate) fn current(harness: &Studio) -> Option<u64> {
    let strip = &harness.state().studio.results.strip;
    strip.current().map(|entry| entry.about.draw.seed)
}

/// The comparison on screen.
pub(crate) fn comparison(harness: &Studio) -> &Compare {
    harness.state().studio.results.compare.as_ref().unwrap()
}

pub(crate) fn told(harness: &Studio, part: &str) -> bool {
    let log = &harness.state().studio.context.toasts.log;
    log.iter().any(|toast| toast.text().contains(part))
}
