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
pub mod trail;

use std::sync::Arc;

use mmface_engine::contract::Trail;
use mmface_engine::picture::RgbImage;

use super::actions::Action;
use super::folders;
use super::generate::{self, Finished, Owner, Work};
use super::keeping;
use super::settings::SettingsCommand;
use super::state::{Studio, Workspace};
use super::toast::Toast;
use crate::project::Library;

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

/// The feature's actions.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultsCommand {
    /// Looks at a picture.
    Select(String),
    /// Adds a picture to the selection, or takes it out.
    Toggle(String),
    /// Selects everything up to a picture.
    SelectTo(String),
    /// Moves by places, to the right for positive numbers; the selection may grow.
    Step(isize, bool),
    /// Brings prompt, seed, drawing and settings of the picture back.
    Restore,
    /// Draws the picture again exactly as its recipe says.
    Again,
    /// Deletes the selected pictures, after a moment in which it can be taken back.
    Delete,
    /// Takes the deletion back.
    UndoDelete,
    /// Moves the cursor into the search field.
    Search,
    /// Lets the keys act on the filmstrip.
    Focus,
    /// Folds or unfolds a sweep.
    Fold(String),
    /// Compares the selected pictures, or the current one with its neighbour.
    Compare,
    /// Compares in another way.
    CompareAs(compare::Mode),
    /// Exchanges the compared pictures.
    Swap,
    /// Opens or closes the steps on the way to the picture.
    Steps,
    /// Draws a branch from the step at hand.
    Branch,
    /// Keeps steps of new pictures, or none.
    KeepSteps(bool),
    /// Opens or closes the picture's recipe.
    About,
    /// Opens or closes the export dialog.
    Export,
    /// Asks for a file and exports into it.
    SaveExport,
    /// Copies the picture.
    Copy,
    /// Copies the picture's prompt.
    CopyPrompt,
    /// Copies a command line that draws the picture.
    CopyCommand,
    /// Shows the folder in the file manager.
    OpenFolder,
    /// Looks at the folder again.
    Rescan,
}

use ResultsCommand as Do;

/// Named actions.
pub const ACTIONS: &[Action] = &[
    Action::new("results.next", "Next result", &["Alt+Right"], || {
        Do::Step(1, false).into()
    })
    .in_text(),
    Action::new("results.previous", "Previous result", &["Alt+Left"], || {
        Do::Step(-1, false).into()
    })
    .in_text(),
    Action::new(
        "results.restore",
        "Bring the recipe of the result back",
        &["Alt+Enter"],
        || Do::Restore.into(),
    )
    .in_text(),
    Action::new(
        "results.again",
        "Draw the result again exactly",
        &[],
        || Do::Again.into(),
    ),
    Action::new("results.focus", "Go to the filmstrip", &["F9"], || {
        Do::Focus.into()
    })
    .in_text(),
    Action::new("results.search", "Search the results", &["Ctrl+F"], || {
        Do::Search.into()
    })
    .in_text(),
    Action::new("results.compare", "Compare two results", &["Alt+C"], || {
        Do::Compare.into()
    })
    .in_text(),
    Action::new("results.steps", "Steps of the result", &["Alt+S"], || {
        Do::Steps.into()
    })
    .in_text(),
    Action::new("results.about", "About the result", &["Alt+I"], || {
        Do::About.into()
    })
    .in_text(),
    Action::new("results.export", "Export the result", &["Alt+E"], || {
        Do::Export.into()
    })
    .in_text(),
    Action::new("results.copy", "Copy the result", &["Ctrl+Shift+C"], || {
        Do::Copy.into()
    })
    .in_text(),
    Action::new(
        "results.copy_prompt",
        "Copy the prompt of the result",
        &[],
        || Do::CopyPrompt.into(),
    ),
    Action::new(
        "results.copy_command",
        "Copy a command line for the result",
        &[],
        || Do::CopyCommand.into(),
    ),
    Action::new("results.delete", "Delete the selected results", &[], || {
        Do::Delete.into()
    }),
    Action::new(
        "results.undo_delete",
        "Bring deleted results back",
        &[],
        || Do::UndoDelete.into(),
    ),
    Action::new("results.folder", "Open the folder of results", &[], || {
        Do::OpenFolder.into()
    }),
    Action::new(
        "results.rescan",
        "Look at the folder of results again",
        &["F5"],
        || Do::Rescan.into(),
    )
    .in_text(),
];

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
            studio.workspace = Workspace::Studio;
            studio.settings.show_filmstrip = true;
            studio.results.focus_search = true;
        }
        Do::Focus => {
            studio.workspace = Workspace::Studio;
            studio.settings.show_filmstrip = true;
            studio.results.focus_strip = true;
            if studio.results.strip.current.is_none() {
                run(studio, Do::Step(1, false));
            }
        }
        Do::Fold(template) => studio.results.strip.fold(&template),
        Do::Compare => compare::toggle(studio),
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
                studio.ctx.copy_text(prompt);
                studio.tell(Toast::Success("the prompt is copied".into()));
            }
        }
        Do::CopyCommand => about::copy_command(studio),
        Do::OpenFolder => {
            let folder = studio.services.folders.results.clone();
            folders::show(studio, folder);
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
    let folders = &studio.services.folders;
    let library = Library::new(&folders.results, &folders.cache);
    match studio.results.own_trash {
        true => library.with_own_trash(),
        false => library,
    }
}

/// Reads the results folder.
pub fn start(studio: &mut Studio) {
    keep_trails(studio);
    let library = library(studio);
    studio
        .services
        .tasks
        .spawn("reading the list of results", move || {
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
    studio
        .services
        .tasks
        .spawn("looking at the folder of results", move || {
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

/// Takes in a picture that was just saved.
pub fn add(studio: &mut Studio, finished: Finished) {
    keeping::add_result(studio, &finished.entry.file, &finished.entry.about.id);
    let state = &mut studio.results;
    state.pictures.put(&finished.entry.file, finished.picture);
    state.strip.add(finished.entry);
    state.problem = None;
    if state.scanning {
        state.scan_again = true;
    }
}

/// Takes in the steps on the way to a picture.
pub fn on_trail(studio: &mut Studio, trail: Trail) {
    let cache = studio.services.folders.cache.clone();
    let most = studio.settings.trail_megabytes << 20;
    studio
        .services
        .tasks
        .spawn("keeping the steps of a picture", move || {
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

/// Tells the engine how many steps of each picture to keep.
pub(super) fn keep_trails(studio: &Studio) {
    if let Ok(engine) = &studio.services.engine {
        engine.keep_trails(studio.settings.trail_steps);
    }
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
            show_on_canvas(studio, &picture);
        }
    });
}

/// Shows a picture on the canvas.
fn show_on_canvas(studio: &mut Studio, picture: &RgbImage) {
    let ctx = studio.ctx.clone();
    studio.canvas.watch();
    studio.canvas.show_picture(&ctx, picture);
}

/// Draws the current picture again, as its recipe says.
fn again(studio: &mut Studio) {
    let Some(entry) = current(studio) else { return };
    restore::with_recipe(studio, &entry.file, |studio, recipe| {
        let (model, template) = (recipe.model.clone(), recipe.template.clone());
        let other = studio
            .models
            .ready()
            .is_some_and(|loaded| loaded.sha256 != recipe.sha256);
        let work = Work {
            job: recipe.job,
            owner: Owner::Generate,
            template,
        };
        if generate::submit(studio, work).is_some() && other {
            studio.tell(Toast::Warning(format!(
                "the picture was made by {model}; the loaded model draws another one"
            )));
        }
    });
}

fn copy(studio: &mut Studio) {
    let Some(entry) = current(studio) else { return };
    pictures::with_picture(studio, &entry.file, |studio, picture| {
        studio.ctx.copy_image(pictures::colour_image(&picture));
        studio.tell(Toast::Success(
            "the picture is copied; a clipboard carries no mark that an AI made it".into(),
        ));
    });
}

/// What only looks at time and window: called once a frame, whatever is on screen.
fn tick(studio: &mut Studio) {
    let focused = studio.ctx.input(|input| input.focused);
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
