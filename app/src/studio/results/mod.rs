//! Finished pictures: the filmstrip, looking at one, comparing two, taking a recipe back, branching
//! off from a step, sharing.
//!
//! The library's folder is the truth. [`strip`] is what of it is shown and selected, [`pictures`]
//! what of it is in memory; everything that touches the disk runs beside the GUI thread.

pub mod about;
pub mod compare;
pub mod delete;
pub mod drops;
pub mod export;
pub mod panel;
pub mod pictures;
pub mod restore;
pub mod scrub;
pub mod strip;

use std::sync::Arc;

use mmface_engine::contract::Trail;
use mmface_engine::picture::RgbImage;

use super::announcement::{Announcement, Finished};
use super::command::SettingsCommand;
use super::command::Workspace;
use super::command::{CanvasCommand, ResultsCommand};
use super::dispatcher::Studio;
use super::document::{Owner, Work};
use super::show_folder;
use super::submit::submit;
use super::texture;
use super::toast::Toast;
use crate::project::{Library, trail};

/// The feature's state.
#[derive(Default)]
pub struct State {
    /// What is shown and selected.
    pub strip: strip::Strip,
    /// Why the folder could not be read, in one line.
    pub problem: Option<String>,
    /// The two pictures that are compared.
    pub compare: Option<compare::Compare>,
    /// The steps that are looked through.
    pub scrub: Option<scrub::Scrub>,
    /// The export dialog.
    pub export: Option<export::Export>,
    /// The recipe that is looked at.
    pub about: Option<about::Window>,
    /// Deletes into the library's own `.trash`, never into the system's.
    pub own_trash: bool,
    thumbnails: pictures::Thumbnails,
    pictures: pictures::Pictures,
    deleting: delete::Deleting,
    scanning: bool,
    scan_again: bool,
    had_focus: bool,
    focus_search: bool,
    focus_strip: bool,
}

use ResultsCommand as Do;

/// Does what the command says.
pub fn run(studio: &mut Studio, command: ResultsCommand) {
    match command {
        Do::Select(file) => {
            studio.results.strip.select(&file);
            show_current(studio);
        }
        Do::Toggle(file) => {
            studio.results.strip.toggle(&file);
            show_current(studio);
        }
        Do::SelectTo(file) => {
            studio.results.strip.select_to(&file);
            show_current(studio);
        }
        Do::Step(by, extend) => {
            studio.results.strip.step(by, extend);
            show_current(studio);
        }
        Do::Restore => restore::current(studio),
        Do::Again => again(studio),
        Do::Delete => delete::chosen(studio),
        Do::UndoDelete => delete::undo(studio),
        Do::Search => {
            studio.context.workspace = Workspace::Studio;
            studio.context.settings.show_filmstrip = true;
            studio.results.focus_search = true;
        }
        Do::Focus => {
            studio.context.workspace = Workspace::Studio;
            studio.context.settings.show_filmstrip = true;
            studio.results.focus_strip = true;
            if studio.results.strip.current.is_none() {
                run(studio, Do::Step(1, false));
            }
        }
        Do::Fold(template) => studio.results.strip.fold(&template),
        Do::Compare => compare::toggle(studio),
        Do::CompareChosen => {
            // An open comparison would be closed instead of replaced.
            studio.results.compare = None;
            compare::toggle(studio);
        }
        Do::CompareAs(mode) => compare::set_mode(studio, mode),
        Do::Swap => compare::swap(studio),
        Do::Steps => scrub::toggle(studio),
        Do::Branch => scrub::branch(studio),
        Do::KeepSteps(keep) => {
            let steps = if keep { scrub::STEPS } else { 0 };
            studio.emit(SettingsCommand::KeepSteps(steps));
        }
        Do::About => about::toggle(studio),
        Do::Export => export::toggle(studio),
        Do::SaveExport => export::save(studio),
        Do::Copy => copy(studio),
        Do::CopyPrompt => {
            let prompt = current(studio).map(|entry| entry.about.draw.prompt.clone());
            if let Some(prompt) = prompt {
                studio.context.ctx.copy_text(prompt);
                studio.tell(Toast::Success("the prompt is copied".into()));
            }
        }
        Do::CopyCommand => about::copy_command(studio),
        Do::OpenFolder => {
            let folder = studio.context.services.folders.results.clone();
            show_folder::show(&mut studio.context, folder);
        }
        Do::Rescan => scan(studio),
    }
}

/// The picture that commands are about; tells the person when there is none.
fn current(studio: &mut Studio) -> Option<crate::project::library::Entry> {
    let entry = studio.results.strip.current().cloned();
    if entry.is_none() {
        studio.tell(Toast::Info(
            "choose a picture in the filmstrip first".into(),
        ));
    }
    entry
}

/// The library on the disk.
pub fn library(studio: &Studio) -> Library {
    let folders = &studio.context.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    match studio.results.own_trash {
        true => library.with_own_trash(),
        false => library,
    }
}

/// Reads the results folder.
pub fn start(studio: &mut Studio) {
    studio.context.keep_trails(0);
    let library = library(studio);
    studio.spawn("reading the list of results", move || {
        let known = library.cached();
        move |studio: &mut Studio| {
            // Pictures may have been added meanwhile; the scan that follows finds them all.
            if studio.results.strip.listing.entries.is_empty() {
                studio.results.strip.set_listing(known);
            }
            scan(studio);
        }
    });
}

/// Looks at the folder, beside the GUI thread; one scan at a time.
pub fn scan(studio: &mut Studio) {
    if studio.results.scanning {
        studio.results.scan_again = true;
        return;
    }
    studio.results.scanning = true;
    let library = library(studio);
    let known = studio.results.strip.listing.clone();
    studio.spawn("looking at the folder of results", move || {
        let found = library.scan(&known);
        if let Ok(listing) = &found {
            // Thumbnails are a cache: those that stay too long cost disk, nothing else.
            let _ = library.prune_thumbnails(listing);
        }
        move |studio: &mut Studio| {
            studio.results.scanning = false;
            match found {
                // The result was right when it was made: saved pictures come after it, as another
                // scan was asked for when they did.
                Ok(listing) if !studio.results.scan_again => {
                    if studio.results.problem.take().is_some() {
                        studio.tell(Toast::Success("the folder of results is back".into()));
                    }
                    if listing != studio.results.strip.listing {
                        studio.results.pictures.clear();
                        studio.results.strip.set_listing(listing);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let text = error.to_string();
                    if studio.results.problem.as_ref() != Some(&text) {
                        studio.tell(Toast::Error(text.clone()));
                    }
                    studio.results.problem = Some(text);
                }
            }
            if std::mem::take(&mut studio.results.scan_again) {
                scan(studio);
            }
        }
    });
}

/// Takes in what has happened elsewhere.
pub fn announced(studio: &mut Studio, announcement: &Announcement) {
    if let Announcement::PictureSaved(finished) = announcement {
        add(studio, finished);
    }
}

/// Takes in a picture that was just saved.
fn add(studio: &mut Studio, finished: &Finished) {
    let state = &mut studio.results;
    state
        .pictures
        .put(&finished.entry.file, Arc::clone(&finished.picture));
    state.strip.add(finished.entry.clone());
    state.problem = None;
    if state.scanning {
        state.scan_again = true;
    }
}

/// Takes in the steps on the way to a picture.
pub fn on_trail(studio: &mut Studio, trail: Trail) {
    let cache = studio.context.services.folders.cache.clone();
    let most = studio.context.settings.trail_bytes();
    studio.spawn("keeping the steps of a picture", move || {
        let failed = trail::write(&cache, &trail, most).err();
        move |studio: &mut Studio| {
            if let Some(error) = failed {
                studio.tell(Toast::Warning(format!(
                    "the steps of a picture are not kept: {error}"
                )));
            }
        }
    });
}

/// Deletes for good what was deleted a moment ago; the program ends.
pub fn on_exit(studio: &mut Studio) {
    delete::before_the_end(studio);
}

/// Shows the current picture on the canvas.
fn show_current(studio: &mut Studio) {
    let Some(file) = studio.results.strip.current.clone() else {
        return;
    };
    about::follow(studio, &file);
    pictures::with_picture(studio, &file.clone(), move |studio, picture| {
        // Another one may have been chosen while this one was read.
        if studio.results.strip.current.as_ref() == Some(&file) {
            show_on_canvas(studio, picture);
        }
    });
}

/// Shows a picture on the canvas.
fn show_on_canvas(studio: &mut Studio, picture: Arc<RgbImage>) {
    studio.emit(CanvasCommand::Watch);
    studio.emit(CanvasCommand::ShowPicture(picture));
}

/// Draws the current picture again, as its recipe says.
fn again(studio: &mut Studio) {
    let Some(entry) = current(studio) else { return };
    restore::with_recipe(studio, &entry.file, |studio, recipe| {
        let (model, template) = (recipe.model.clone(), recipe.template.clone());
        let other = studio
            .context
            .facts
            .model
            .ready()
            .is_some_and(|loaded| loaded.sha256 != recipe.sha256);
        let work = Work {
            job: recipe.job,
            owner: Owner::Generate,
            template,
        };
        if submit(&mut studio.context, work).is_some() && other {
            studio.tell(Toast::Warning(format!(
                "the picture was made by {model}; the loaded model draws another one"
            )));
        }
    });
}

fn copy(studio: &mut Studio) {
    let Some(entry) = current(studio) else { return };
    pictures::with_picture(studio, &entry.file, |studio, picture| {
        studio
            .context
            .ctx
            .copy_image(texture::colour_image(&picture));
        studio.tell(Toast::Success(
            "the picture is copied; a clipboard carries no mark that an AI made it".into(),
        ));
    });
}

/// What only looks at time and window: called once a frame, whatever is on screen.
fn tick(studio: &mut Studio) {
    let focused = studio.context.ctx.input(|input| input.focused);
    // Somebody may have tidied up the folder with another program.
    if focused && !std::mem::replace(&mut studio.results.had_focus, focused) {
        scan(studio);
    }
    studio.results.had_focus = focused;
    delete::tick(studio);
    drops::take(studio);
}

/// A finished picture that is in memory, for others that show it.
pub fn in_memory(studio: &Studio, file: &str) -> Option<Arc<RgbImage>> {
    studio.results.pictures.get(file)
}
