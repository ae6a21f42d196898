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
mod window_place;

use std::sync::Arc;

use mmface_engine::contract::Trail;
use mmface_engine::picture::RgbImage;

use super::announcement::{Announcement, Finished};
use super::command::SettingsCommand;
use super::command::Workspace;
use super::command::{CanvasCommand, ResultsCommand};
use super::context::{Context, Inbox};
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
    /// What came of slow work.
    pub inbox: Inbox<State>,
}

use ResultsCommand as Do;

/// Does what the command says.
pub fn handle(state: &mut State, command: ResultsCommand, cx: &mut Context) {
    match command {
        Do::Select(file) => {
            state.strip.select(&file);
            show_current(state, cx);
        }
        Do::Toggle(file) => {
            state.strip.toggle(&file);
            show_current(state, cx);
        }
        Do::SelectTo(file) => {
            state.strip.select_to(&file);
            show_current(state, cx);
        }
        Do::Step(by, extend) => {
            state.strip.step(by, extend);
            show_current(state, cx);
        }
        Do::Restore => restore::current(state, cx),
        Do::Again => again(state, cx),
        Do::Delete => delete::chosen(state, cx),
        Do::UndoDelete => delete::undo(state, cx),
        Do::Search => {
            cx.workspace = Workspace::Studio;
            cx.settings.show_filmstrip = true;
            state.focus_search = true;
        }
        Do::Focus => {
            cx.workspace = Workspace::Studio;
            cx.settings.show_filmstrip = true;
            state.focus_strip = true;
            if state.strip.current.is_none() {
                handle(state, Do::Step(1, false), cx);
            }
        }
        Do::Fold(template) => state.strip.fold(&template),
        Do::Compare => compare::toggle(state, cx),
        Do::CompareChosen => {
            // An open comparison would be closed instead of replaced.
            state.compare = None;
            compare::toggle(state, cx);
        }
        Do::CompareAs(mode) => compare::set_mode(state, cx, mode),
        Do::Swap => compare::swap(state),
        Do::Steps => scrub::toggle(state, cx),
        Do::Branch => scrub::branch(state, cx),
        Do::KeepSteps(keep) => {
            let steps = if keep { scrub::STEPS } else { 0 };
            cx.emit(SettingsCommand::KeepSteps(steps));
        }
        Do::About => about::toggle(state, cx),
        Do::Export => export::toggle(state, cx),
        Do::SaveExport => export::save(state, cx),
        Do::Copy => copy(state, cx),
        Do::CopyPrompt => {
            let prompt = current(state, cx).map(|entry| entry.about.draw.prompt.clone());
            if let Some(prompt) = prompt {
                cx.ctx.copy_text(prompt);
                cx.tell(Toast::Success("the prompt is copied".into()));
            }
        }
        Do::CopyCommand => about::copy_command(state, cx),
        Do::OpenFolder => {
            let folder = cx.services.folders.results.clone();
            show_folder::show(cx, folder);
        }
        Do::Rescan => scan(state, cx),
    }
}

/// The picture that commands are about; tells the person when there is none.
fn current(state: &State, cx: &mut Context) -> Option<crate::project::library::Entry> {
    let entry = state.strip.current().cloned();
    if entry.is_none() {
        cx.tell(Toast::Info(
            "choose a picture in the filmstrip first".into(),
        ));
    }
    entry
}

/// The library on the disk.
pub fn library(state: &State, cx: &Context) -> Library {
    let folders = &cx.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    match state.own_trash {
        true => library.with_own_trash(),
        false => library,
    }
}

/// Reads the results folder.
pub fn start(state: &mut State, cx: &mut Context) {
    cx.keep_trails(0);
    let library = library(state, cx);
    cx.spawn(&state.inbox, "reading the list of results", move || {
        let known = library.cached();
        move |state: &mut State, cx: &mut Context| {
            // Pictures may have been added meanwhile; the scan that follows finds them all.
            if state.strip.listing.entries.is_empty() {
                state.strip.set_listing(known);
            }
            scan(state, cx);
        }
    });
}

/// Looks at the folder, beside the GUI thread; one scan at a time.
pub fn scan(state: &mut State, cx: &mut Context) {
    if state.scanning {
        state.scan_again = true;
        return;
    }
    state.scanning = true;
    let library = library(state, cx);
    let known = state.strip.listing.clone();
    cx.spawn(
        &state.inbox,
        "looking at the folder of results",
        move || {
            let found = library.scan(&known);
            if let Ok(listing) = &found {
                // Thumbnails are a cache: those that stay too long cost disk, nothing else.
                library.prune_thumbnails(listing).ok();
            }
            move |state: &mut State, cx: &mut Context| {
                state.scanning = false;
                match found {
                    // The result was right when it was made: saved pictures come after it, as another
                    // scan was asked for when they did.
                    Ok(listing) if !state.scan_again => {
                        if state.problem.take().is_some() {
                            cx.tell(Toast::Success("the folder of results is back".into()));
                        }
                        if listing != state.strip.listing {
                            state.pictures.clear();
                            state.strip.set_listing(listing);
                        }
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let text = error.to_string();
                        if state.problem.as_ref() != Some(&text) {
                            cx.tell(Toast::Error(text.clone()));
                        }
                        state.problem = Some(text);
                    }
                }
                if std::mem::take(&mut state.scan_again) {
                    scan(state, cx);
                }
            }
        },
    );
}

/// Takes in what has happened elsewhere.
pub fn announced(state: &mut State, announcement: &Announcement) {
    if let Announcement::PictureSaved(finished) = announcement {
        add(state, finished);
    }
}

/// Takes in a picture that was just saved.
fn add(state: &mut State, finished: &Finished) {
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
pub fn on_trail(trail: Trail, cx: &mut Context) {
    let cache = cx.services.folders.cache.clone();
    let most = cx.settings.trail_bytes();
    cx.spawn_shared("keeping the steps of a picture", move || {
        let failed = trail::write(&cache, &trail, most).err();
        move |cx: &mut Context| {
            if let Some(error) = failed {
                cx.tell(Toast::Warning(format!(
                    "the steps of a picture are not kept: {error}"
                )));
            }
        }
    });
}

/// Deletes for good what was deleted a moment ago; the program ends.
pub fn on_exit(state: &mut State, cx: &Context) {
    delete::before_the_end(state, cx);
}

/// Shows the current picture on the canvas.
fn show_current(state: &mut State, cx: &mut Context) {
    let Some(file) = state.strip.current.clone() else {
        return;
    };
    about::follow(state, cx, &file);
    pictures::with_picture(state, cx, &file.clone(), move |state, cx, picture| {
        // Another one may have been chosen while this one was read.
        if state.strip.current.as_ref() == Some(&file) {
            show_on_canvas(cx, picture);
        }
    });
}

/// Shows a picture on the canvas.
fn show_on_canvas(cx: &Context, picture: Arc<RgbImage>) {
    cx.emit(CanvasCommand::Watch);
    cx.emit(CanvasCommand::ShowPicture(picture));
}

/// Draws the current picture again, as its recipe says.
fn again(state: &mut State, cx: &mut Context) {
    let Some(entry) = current(state, cx) else {
        return;
    };
    restore::with_recipe(state, cx, &entry.file, |_, cx, recipe| {
        let (model, template) = (recipe.model.clone(), recipe.template.clone());
        let other = cx
            .facts
            .model
            .ready()
            .is_some_and(|loaded| loaded.sha256 != recipe.sha256);
        let work = Work {
            job: recipe.job,
            owner: Owner::Generate,
            template,
        };
        if submit(cx, work).is_some() && other {
            cx.tell(Toast::Warning(format!(
                "the picture was made by {model}; the loaded model draws another one"
            )));
        }
    });
}

fn copy(state: &mut State, cx: &mut Context) {
    let Some(entry) = current(state, cx) else {
        return;
    };
    pictures::with_picture(state, cx, &entry.file, |_, cx, picture| {
        cx.ctx.copy_image(texture::colour_image(&picture));
        cx.tell(Toast::Success(
            "the picture is copied; a clipboard carries no mark that an AI made it".into(),
        ));
    });
}

/// What only looks at time and window: called once a frame, whatever is on screen, before panels
/// are drawn.
pub fn tick(state: &mut State, cx: &mut Context) {
    let focused = cx.ctx.input(|input| input.focused);
    // Somebody may have tidied up the folder with another program.
    if focused && !std::mem::replace(&mut state.had_focus, focused) {
        scan(state, cx);
    }
    state.had_focus = focused;
    pictures::read_wanted(state, cx);
    delete::tick(state, cx);
    drops::take(cx);
}

#[cfg(test)]
mod tests {
    use mmface_engine::contract::ModelSummary;
    use mmface_engine::job::{Draw, Job};
    use mmface_engine::provenance::Recipe;

    use super::*;
    use crate::studio::testing;

    #[test]
    fn a_deleted_picture_comes_back_and_its_recipe_goes_into_the_document() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State {
            own_trash: true,
            ..State::default()
        };
        let job = Job {
            draw: Draw {
                prompt: "a young woman".into(),
                seed: 41,
                ..Draw::default()
            },
            ..Job::default()
        };
        let recipe = Recipe::new(job, &ModelSummary::default());
        let picture = RgbImage::filled(64, 64, [90; 3]);
        let entry = library(&state, &cx)
            .save(&picture, &recipe)
            .expect("a picture in the library");
        start(&mut state, &mut cx);
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        assert_eq!(state.strip.cells().len(), 1);

        handle(&mut state, Do::Select(entry.file.clone()), &mut cx);
        handle(&mut state, Do::Delete, &mut cx);
        assert!(state.strip.cells().is_empty());
        handle(&mut state, Do::UndoDelete, &mut cx);
        assert_eq!(state.strip.cells().len(), 1);

        handle(&mut state, Do::Select(entry.file), &mut cx);
        handle(&mut state, Do::Restore, &mut cx);
        testing::finish(&mut state, |state| &state.inbox, &mut cx);
        assert_eq!(cx.document.request.draw.prompt, "a young woman");
        assert_eq!(cx.document.request.draw.seed, 41);
        let sent = format!("{:?}", testing::sent(&cx));
        assert!(sent.contains("ShowPicture"), "{sent}");
    }
}
