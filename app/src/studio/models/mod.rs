//! Installed models, and the one that is loaded. Nothing here knows a network.

pub mod about;
pub mod card;
mod details;
pub mod install;
pub mod list;
pub mod panel;
pub mod progress;
pub mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;

use mmface_engine::contract::{Event, LoadId, ModelRef};
use mmface_engine::job::Objective;
use mmface_engine::weights::import::{ImportOptions, import};
use mmface_engine::weights::upstream::Hints;
use mmface_engine::weights::{Package, PartState, verify};
use mmface_engine::{Error, Result};

use super::announcement::Announcement;
use super::command::Workspace;
use super::command::{ModelsCommand, SettingsCommand};
use super::context::{Context, Inbox};
use super::dialogs::{Ask, AskKind};
use super::facts::ModelStatus;
use super::toast::Toast;
use list::Listing;
use progress::Progress;

/// The loaded model, and what is known of the others.
#[derive(Debug, Default)]
pub struct State {
    /// What was found; `None` until the folders were read.
    pub listing: Option<Listing>,
    /// The model whose details are shown, by reference.
    pub selected: Option<String>,
    /// Parts of verified models, by path.
    pub verified: BTreeMap<PathBuf, Vec<PartState>>,
    /// The slow work at hand: its name and how far it is.
    pub work: Option<(String, Progress)>,
    /// The import that is being prepared.
    pub import: Option<ImportForm>,
    /// The card of the model is shown.
    pub about_open: bool,
    /// The page on privacy is shown.
    pub privacy_open: bool,
    /// A report may name folders and prompts.
    pub whole_report: bool,
    /// What draws the window.
    pub adapter: Option<about::Adapter>,
    load: Option<LoadId>,
    /// The load was asked for by the person, who wants to hear how it went.
    asked: bool,
    reading: bool,
    /// What came of slow work.
    pub inbox: Inbox<State>,
}

/// What a person says about weights in the authors' layout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportForm {
    /// The folder, or the transformer's file.
    pub source: String,
    /// Name of the package; empty for the source's.
    pub name: String,
    /// Folder of the autoencoder when it is elsewhere.
    pub vae: String,
    /// Folder of the text tower when it is elsewhere.
    pub text: String,
    /// Folder of the tokenizer when it is elsewhere.
    pub tokenizer: String,
    /// Copies the files.
    pub copy: bool,
    /// Stores the transformer in 8 bits.
    pub quantise: bool,
    /// Side in pixels that it was trained for; 0 when unknown.
    pub resolution: usize,
    /// What it predicts, when the weights do not say.
    pub objective: Option<Objective>,
}

impl ImportForm {
    fn options(&self, into: PathBuf) -> ImportOptions {
        let path = |text: &str| (!text.trim().is_empty()).then(|| PathBuf::from(text.trim()));
        ImportOptions {
            source: PathBuf::from(self.source.trim()),
            into,
            name: (!self.name.trim().is_empty()).then(|| self.name.trim().to_string()),
            resolution: (self.resolution > 0).then_some(self.resolution),
            hints: Hints {
                objective: self.objective,
                ..Hints::default()
            },
            vae: path(&self.vae),
            text: path(&self.text),
            tokenizer: path(&self.tokenizer),
            copy: self.copy,
            quantise: self.quantise,
        }
    }
}

/// Loads the model of the settings, and looks what else there is.
pub fn start(state: &mut State, cx: &mut Context) {
    load(state, cx, wanted(cx), false);
    refresh(state, cx);
}

/// The model that the settings name.
fn wanted(cx: &Context) -> ModelRef {
    match cx.settings.model.as_str() {
        "" => ModelRef::Bundled,
        name => ModelRef::Named(name.into()),
    }
}

fn load(state: &mut State, cx: &mut Context, model: ModelRef, asked: bool) {
    let id = match &cx.services.engine {
        Ok(engine) => Some(engine.load(model)),
        Err(why) => {
            let text = format!("the engine did not start: {why}");
            cx.tell(Toast::Error(text));
            None
        }
    };
    state.asked = asked;
    state.load = id;
    cx.facts.model = match (id, &cx.services.engine) {
        (None, Err(why)) => ModelStatus::Failed(format!("the engine did not start: {why}")),
        _ => ModelStatus::Loading {
            fraction: 0.0,
            what: "the model".into(),
        },
    };
}

/// Loads the model in another engine, which knows none yet.
pub fn announced(state: &mut State, announcement: &Announcement, cx: &mut Context) {
    if let Announcement::EngineReplaced = announcement {
        load(state, cx, wanted(cx), true);
    }
}

/// Takes in an event of loading.
pub fn on_event(state: &mut State, event: Event, cx: &mut Context) {
    let expected = state.load;
    match event {
        Event::Loading {
            load,
            fraction,
            what,
        } if expected == Some(load) => cx.facts.model = ModelStatus::Loading { fraction, what },
        Event::Ready { load, summary } if expected == Some(load) => {
            let text = format!("{} is ready on {}", summary.title, summary.device);
            cx.facts.model = ModelStatus::Ready(summary.into());
            if state.asked {
                cx.tell(Toast::Success(text));
            }
            cx.announce(Announcement::ModelReady);
        }
        Event::LoadFailed { load, error } if expected == Some(load) => {
            if let Some(why) = cx.card_failure(&error) {
                cx.emit(SettingsCommand::FallBack(why));
                return;
            }
            let why = match error {
                Error::Cancelled => "loading was given up".to_string(),
                error => error.to_string(),
            };
            // The engine's own advice may already say it.
            let advice = if why.contains("in Models") {
                ""
            } else {
                "; choose another in Models"
            };
            let text = format!("no model is loaded: {why}{advice}");
            cx.facts.model = ModelStatus::Failed(why);
            cx.tell(Toast::Error(text));
        }
        _ => {}
    }
}

/// Tells others what the loaded model takes of the memory: once a frame.
pub fn tick(state: &mut State, cx: &mut Context) {
    let name = cx.facts.model.ready().map(|model| &model.name);
    let entries = state.listing.iter().flat_map(|list| &list.entries);
    cx.facts.model_memory = entries
        .filter(|entry| Some(&entry.listed.name) == name)
        .find_map(|entry| entry.memory.clone());
}

/// Does what the command says.
pub fn handle(state: &mut State, command: ModelsCommand, cx: &mut Context) {
    match command {
        ModelsCommand::Refresh => refresh(state, cx),
        ModelsCommand::Select(reference) => state.selected = Some(reference),
        ModelsCommand::Use(reference) => {
            state.selected = Some(reference.clone());
            cx.settings.model = reference;
            load(state, cx, wanted(cx), true);
        }
        ModelsCommand::Load(model) => load(state, cx, model, true),
        ModelsCommand::Reload => load(state, cx, wanted(cx), true),
        ModelsCommand::Verify(path) => start_verify(state, cx, path),
        ModelsCommand::StopWork => {
            if let Some((_, progress)) = &state.work {
                progress.stop();
            }
        }
        ModelsCommand::AskImport => {
            cx.workspace = Workspace::Models;
            let ask = Ask {
                title: "The folder with the authors' weights".into(),
                kind: AskKind::Folder,
                filter: None,
                name: String::new(),
            };
            state.import.get_or_insert_default();
            cx.ask(&state.inbox, &ask, |_: &mut State, cx, path| {
                cx.emit(ModelsCommand::PrepareImport(path));
            });
        }
        ModelsCommand::PrepareImport(path) => {
            let form = state.import.get_or_insert_default();
            form.source = path.display().to_string();
            cx.workspace = Workspace::Models;
        }
        ModelsCommand::StartImport => start_import(state, cx),
        ModelsCommand::DropImport => state.import = None,
        ModelsCommand::AskPackage => {
            cx.workspace = Workspace::Models;
            let ask = Ask {
                title: "A model package".into(),
                kind: AskKind::Open,
                filter: Some(("Model package".into(), vec!["mmface".into()])),
                name: String::new(),
            };
            cx.ask(&state.inbox, &ask, |_: &mut State, cx, path| {
                cx.emit(ModelsCommand::Install(path));
            });
        }
        ModelsCommand::Install(path) => start_install(state, cx, path),
        ModelsCommand::AskFolder => {
            cx.workspace = Workspace::Models;
            let ask = Ask {
                title: "A folder of models".into(),
                kind: AskKind::Folder,
                filter: None,
                name: String::new(),
            };
            cx.ask(&state.inbox, &ask, |_: &mut State, cx, path| {
                cx.emit(ModelsCommand::AddFolder(path));
            });
        }
        ModelsCommand::AddFolder(path) => {
            if !cx.settings.model_folders.contains(&path) {
                cx.settings.model_folders.push(path);
            }
            refresh(state, cx);
        }
        ModelsCommand::RemoveFolder(path) => {
            cx.settings.model_folders.retain(|known| *known != path);
            refresh(state, cx);
        }
        ModelsCommand::About => state.about_open ^= true,
        ModelsCommand::Privacy => state.privacy_open ^= true,
        ModelsCommand::CopyReport => report::copy(state, cx, state.whole_report),
        ModelsCommand::ReadNotice => cx.settings.notice_read = true,
    }
}

fn refresh(state: &mut State, cx: &mut Context) {
    if std::mem::replace(&mut state.reading, true) {
        return;
    }
    let registry = cx.registry();
    cx.spawn(&state.inbox, "reading the model folders", move || {
        let listing = list::read(&registry);
        move |state: &mut State, _: &mut Context| {
            state.reading = false;
            state.listing = Some(listing);
        }
    });
}

/// Starts slow work on models, one at a time. `ended` hears how it went.
fn start_work<T: Send + 'static>(
    state: &mut State,
    cx: &mut Context,
    name: String,
    work: impl FnOnce(&Progress) -> Result<T> + Send + 'static,
    ended: impl FnOnce(&mut State, &mut Context, T) + Send + 'static,
) {
    if let Some((running, _)) = &state.work {
        let text = format!("{running} is still going on; wait for it, or stop it");
        cx.tell(Toast::Warning(text));
        return;
    }
    let progress = Progress::default();
    state.work = Some((name.clone(), progress.clone()));
    let label = name.clone();
    cx.spawn(&state.inbox, &label, move || {
        // A panic must not leave the work standing.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&progress)))
            .unwrap_or_else(|_| Err(Error::Panic(name.clone())));
        move |state: &mut State, cx: &mut Context| {
            state.work = None;
            match result {
                Ok(done) => ended(state, cx, done),
                Err(Error::Cancelled) => cx.tell(Toast::Info(format!("{name} was stopped"))),
                Err(error) => cx.tell(Toast::Error(format!("{name}: {error}"))),
            }
            refresh(state, cx);
        }
    });
}

fn start_verify(state: &mut State, cx: &mut Context, path: PathBuf) {
    let place = path.clone();
    let title = path.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("Verifying {title}");
    let work = move |progress: &Progress| {
        let package = Package::open(&path)?;
        verify(&package, &mut |part, done, of| {
            progress.tell(&format!("hashing {}", part.title()), done, of)
        })
    };
    start_work(state, cx, name, work, move |state, cx, states| {
        let problem = states.iter().find_map(|state| state.problem.clone());
        cx.tell(match problem {
            None => Toast::Success("every byte is as the package says".into()),
            Some(problem) => Toast::Error(problem),
        });
        state.verified.insert(place, states);
    });
}

fn start_import(state: &mut State, cx: &mut Context) {
    let Some(form) = state.import.clone() else {
        return;
    };
    let into = match cx.registry().target() {
        Ok(into) => into.to_path_buf(),
        Err(error) => return cx.tell(Toast::Error(error.to_string())),
    };
    let options = form.options(into);
    let work = move |progress: &Progress| {
        import(&options, &mut |what, done, of| {
            progress.tell(what, done, of)
        })
        .map(|done| (done.package.manifest().name.clone(), done.missing))
    };
    start_work(
        state,
        cx,
        "The import".into(),
        work,
        |state, cx, (name, missing)| {
            state.import = None;
            state.selected = Some(name.clone());
            cx.tell(if missing.is_empty() {
                Toast::Success(format!("{name} is imported"))
            } else {
                Toast::Warning(format!(
                    "{name} is imported, but it cannot draw yet: {} not found; import again and name their folders",
                    missing.join(", ")
                ))
            });
        },
    );
}

fn start_install(state: &mut State, cx: &mut Context, path: PathBuf) {
    let registry = cx.registry();
    let free_space = cx.services.free_space;
    let work = move |progress: &Progress| install::install(&path, &registry, free_space, progress);
    start_work(
        state,
        cx,
        "Installing the model".into(),
        work,
        |state, cx, target| {
            let stem = target.file_stem().unwrap_or_default().to_string_lossy();
            state.selected = Some(stem.to_string());
            let text = format!("{stem} is installed and verified");
            cx.tell(Toast::Success(text));
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::command::Command;
    use crate::studio::outbox::Message;
    use crate::studio::settings::Processor;
    use crate::studio::testing;

    #[test]
    fn a_card_that_does_not_answer_is_no_failure_of_the_model() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        cx.settings.processor = Processor::Cuda(0);
        load(&mut state, &mut cx, ModelRef::Bundled, false);
        let event = Event::LoadFailed {
            load: state.load.expect("an engine"),
            error: Error::Device("no card".into()),
        };
        on_event(&mut state, event, &mut cx);
        let fall_back = Command::Settings(SettingsCommand::FallBack("no card".into()));
        let sent = testing::sent(&cx);
        assert!(
            matches!(&sent[..], [Message::Command(command)] if *command == fall_back),
            "{sent:?}"
        );
        assert!(!matches!(cx.facts.model, ModelStatus::Failed(_)));
    }

    #[test]
    fn a_model_that_is_ready_is_announced_and_an_old_load_is_not_heard() {
        let home = tempfile::tempdir().expect("a folder");
        let mut cx = testing::context(home.path());
        let mut state = State::default();
        let ready = |state: &State| Event::Ready {
            load: state.load.expect("an engine"),
            summary: Box::default(),
        };
        load(&mut state, &mut cx, ModelRef::Bundled, false);
        let old = ready(&state);
        load(&mut state, &mut cx, ModelRef::Bundled, false);
        on_event(&mut state, old, &mut cx);
        assert!(cx.facts.model.ready().is_none() && cx.outbox.is_empty());
        let new = ready(&state);
        on_event(&mut state, new, &mut cx);
        assert!(cx.facts.model.ready().is_some());
        let sent = testing::sent(&cx);
        assert!(
            matches!(sent[..], [Message::Announcement(Announcement::ModelReady)]),
            "{sent:?}"
        );
    }
}
