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
use super::dialogs::{Ask, AskKind};
use super::dispatcher::Studio;
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
pub fn start(studio: &mut Studio) {
    load(studio, wanted(studio), false);
    refresh(studio);
}

/// The model that the settings name.
fn wanted(studio: &Studio) -> ModelRef {
    match studio.context.settings.model.as_str() {
        "" => ModelRef::Bundled,
        name => ModelRef::Named(name.into()),
    }
}

fn load(studio: &mut Studio, model: ModelRef, asked: bool) {
    let id = studio.load_model(model);
    studio.models.asked = asked;
    studio.models.load = id;
    studio.context.facts.model = match (id, &studio.context.services.engine) {
        (None, Err(why)) => ModelStatus::Failed(format!("the engine did not start: {why}")),
        _ => ModelStatus::Loading {
            fraction: 0.0,
            what: "the model".into(),
        },
    };
}

/// Loads the model in another engine, which knows none yet.
pub fn announced(studio: &mut Studio, announcement: &Announcement) {
    if let Announcement::EngineReplaced = announcement {
        load(studio, wanted(studio), true);
    }
}

/// Takes in an event of loading.
pub fn on_event(studio: &mut Studio, event: Event) {
    let expected = studio.models.load;
    match event {
        Event::Loading {
            load,
            fraction,
            what,
        } if expected == Some(load) => {
            studio.context.facts.model = ModelStatus::Loading { fraction, what }
        }
        Event::Ready { load, summary } if expected == Some(load) => {
            let text = format!("{} is ready on {}", summary.title, summary.device);
            studio.context.facts.model = ModelStatus::Ready(summary.into());
            if studio.models.asked {
                studio.tell(Toast::Success(text));
            }
            studio.context.announce(Announcement::ModelReady);
        }
        Event::LoadFailed { load, error } if expected == Some(load) => {
            if let Some(why) = studio.context.card_failure(&error) {
                studio.emit(SettingsCommand::FallBack(why));
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
            studio.context.facts.model = ModelStatus::Failed(why);
            studio.tell(Toast::Error(text));
        }
        _ => {}
    }
}

/// Tells others what the loaded model takes of the memory: once a frame.
pub fn tick(studio: &mut Studio) {
    let name = studio.context.facts.model.ready().map(|model| &model.name);
    let entries = studio.models.listing.iter().flat_map(|list| &list.entries);
    studio.context.facts.model_memory = entries
        .filter(|entry| Some(&entry.listed.name) == name)
        .find_map(|entry| entry.memory.clone());
}

/// Does what the command says.
pub fn run(studio: &mut Studio, command: ModelsCommand) {
    match command {
        ModelsCommand::Refresh => refresh(studio),
        ModelsCommand::Select(reference) => studio.models.selected = Some(reference),
        ModelsCommand::Use(reference) => {
            studio.models.selected = Some(reference.clone());
            studio.context.settings.model = reference;
            load(studio, wanted(studio), true);
        }
        ModelsCommand::Load(model) => load(studio, model, true),
        ModelsCommand::Reload => load(studio, wanted(studio), true),
        ModelsCommand::Verify(path) => start_verify(studio, path),
        ModelsCommand::StopWork => {
            if let Some((_, progress)) = &studio.models.work {
                progress.stop();
            }
        }
        ModelsCommand::AskImport => {
            studio.context.workspace = Workspace::Models;
            let ask = Ask {
                title: "The folder with the authors' weights".into(),
                kind: AskKind::Folder,
                filter: None,
                name: String::new(),
            };
            studio.models.import.get_or_insert_default();
            studio.ask(&ask, |studio, path| {
                studio.emit(ModelsCommand::PrepareImport(path));
            });
        }
        ModelsCommand::PrepareImport(path) => {
            let form = studio.models.import.get_or_insert_default();
            form.source = path.display().to_string();
            studio.context.workspace = Workspace::Models;
        }
        ModelsCommand::StartImport => start_import(studio),
        ModelsCommand::DropImport => studio.models.import = None,
        ModelsCommand::AskPackage => {
            studio.context.workspace = Workspace::Models;
            let ask = Ask {
                title: "A model package".into(),
                kind: AskKind::Open,
                filter: Some(("Model package".into(), vec!["mmface".into()])),
                name: String::new(),
            };
            studio.ask(&ask, |studio, path| {
                studio.emit(ModelsCommand::Install(path));
            });
        }
        ModelsCommand::Install(path) => start_install(studio, path),
        ModelsCommand::AskFolder => {
            studio.context.workspace = Workspace::Models;
            let ask = Ask {
                title: "A folder of models".into(),
                kind: AskKind::Folder,
                filter: None,
                name: String::new(),
            };
            studio.ask(&ask, |studio, path| {
                studio.emit(ModelsCommand::AddFolder(path));
            });
        }
        ModelsCommand::AddFolder(path) => {
            if !studio.context.settings.model_folders.contains(&path) {
                studio.context.settings.model_folders.push(path);
            }
            refresh(studio);
        }
        ModelsCommand::RemoveFolder(path) => {
            studio
                .context
                .settings
                .model_folders
                .retain(|known| *known != path);
            refresh(studio);
        }
        ModelsCommand::About => studio.models.about_open ^= true,
        ModelsCommand::Privacy => studio.models.privacy_open ^= true,
        ModelsCommand::CopyReport => report::copy(studio, studio.models.whole_report),
        ModelsCommand::ReadNotice => studio.context.settings.notice_read = true,
    }
}

fn refresh(studio: &mut Studio) {
    if std::mem::replace(&mut studio.models.reading, true) {
        return;
    }
    let registry = studio.context.registry();
    studio.spawn("reading the model folders", move || {
        let listing = list::read(&registry);
        move |studio: &mut Studio| {
            studio.models.reading = false;
            studio.models.listing = Some(listing);
        }
    });
}

/// Starts slow work on models, one at a time. `ended` hears how it went.
fn start_work<T: Send + 'static>(
    studio: &mut Studio,
    name: String,
    work: impl FnOnce(&Progress) -> Result<T> + Send + 'static,
    ended: impl FnOnce(&mut Studio, T) + Send + 'static,
) {
    if let Some((running, _)) = &studio.models.work {
        let text = format!("{running} is still going on; wait for it, or stop it");
        studio.tell(Toast::Warning(text));
        return;
    }
    let progress = Progress::default();
    studio.models.work = Some((name.clone(), progress.clone()));
    let label = name.clone();
    studio.spawn(&label, move || {
        // A panic must not leave the work standing.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&progress)))
            .unwrap_or_else(|_| Err(Error::Panic(name.clone())));
        move |studio: &mut Studio| {
            studio.models.work = None;
            match result {
                Ok(done) => ended(studio, done),
                Err(Error::Cancelled) => studio.tell(Toast::Info(format!("{name} was stopped"))),
                Err(error) => studio.tell(Toast::Error(format!("{name}: {error}"))),
            }
            refresh(studio);
        }
    });
}

fn start_verify(studio: &mut Studio, path: PathBuf) {
    let place = path.clone();
    let title = path.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("Verifying {title}");
    let work = move |progress: &Progress| {
        let package = Package::open(&path)?;
        verify(&package, &mut |part, done, of| {
            progress.tell(&format!("hashing {}", part.title()), done, of)
        })
    };
    start_work(studio, name, work, move |studio, states| {
        let problem = states.iter().find_map(|state| state.problem.clone());
        studio.tell(match problem {
            None => Toast::Success("every byte is as the package says".into()),
            Some(problem) => Toast::Error(problem),
        });
        studio.models.verified.insert(place, states);
    });
}

fn start_import(studio: &mut Studio) {
    let Some(form) = studio.models.import.clone() else {
        return;
    };
    let into = match studio.context.registry().target() {
        Ok(into) => into.to_path_buf(),
        Err(error) => return studio.tell(Toast::Error(error.to_string())),
    };
    let options = form.options(into);
    let work = move |progress: &Progress| {
        import(&options, &mut |what, done, of| {
            progress.tell(what, done, of)
        })
        .map(|done| (done.package.manifest().name.clone(), done.missing))
    };
    start_work(
        studio,
        "The import".into(),
        work,
        |studio, (name, missing)| {
            studio.models.import = None;
            studio.models.selected = Some(name.clone());
            studio.tell(if missing.is_empty() {
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

fn start_install(studio: &mut Studio, path: PathBuf) {
    let registry = studio.context.registry();
    let free_space = studio.context.services.free_space;
    let work = move |progress: &Progress| install::install(&path, &registry, free_space, progress);
    start_work(
        studio,
        "Installing the model".into(),
        work,
        |studio, target| {
            let stem = target.file_stem().unwrap_or_default().to_string_lossy();
            studio.models.selected = Some(stem.to_string());
            let text = format!("{stem} is installed and verified");
            studio.tell(Toast::Success(text));
        },
    );
}
