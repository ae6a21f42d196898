//! What every feature works with: the document, the settings, the facts of other features, the
//! services, and the outbox.
//!
//! A handler takes its own state and `&mut Context`. A panel takes its own state and `&Context`, so
//! it can read everything here and change nothing but by a message.

use std::path::PathBuf;

use mmface_engine::weights::Registry;
use mmface_engine::{Error, device};

use super::announcement::Announcement;
use super::command::{self, Command, Workspace};
use super::dialogs::{Answer, Ask};
use super::document::Document;
use super::engine_link::EngineLink;
use super::facts::Facts;
use super::keymap::KeyMap;
use super::outbox::Outbox;
use super::services::{Options, Services};
use super::settings::{self, EngineSettings, Processor, Settings};
use super::tasks::{self, Tasks};
use super::theme::Theme;
use super::toast::{Toast, Toasts};

/// What is to be done on the GUI thread when slow work of a feature has ended: it gets the
/// feature's state and the context, nothing else.
pub type Then<S> = Box<dyn FnOnce(&mut S, &mut Context) + Send>;

/// Where slow work of a feature with state `S` leaves what is to be done.
pub type Inbox<S> = tasks::Inbox<Then<S>>;

/// What is to be done when slow work that belongs to no feature has ended.
type ThenShared = Box<dyn FnOnce(&mut Context) + Send>;

/// A dialog that is open, and who waits for its answer.
type Asked = (Answer, Box<dyn FnOnce(PathBuf)>);

/// Everything but the features' own states.
pub struct Context {
    /// What a person is making.
    pub document: Document,
    /// What features tell of themselves.
    pub facts: Facts,
    /// What a person has set.
    pub settings: Settings,
    /// The keys of every action.
    pub keymap: KeyMap,
    /// Colours and distances.
    pub theme: Theme,
    /// The part of the program on screen.
    pub workspace: Workspace,
    /// Engine, dialogs, tasks, folders.
    pub services: Services,
    /// What is to be done next.
    pub outbox: Outbox,
    /// What was told to the person.
    pub toasts: Toasts,
    /// Seconds since the program started, as of this frame.
    pub now: f64,
    /// Set to end the program; the feature that knows of unsaved work may object.
    pub wants_to_close: bool,
    /// Asks for frames; also from other threads.
    pub ctx: egui::Context,
    shared: tasks::Inbox<ThenShared>,
    asked: Vec<Asked>,
}

impl Context {
    /// Reads the settings and starts the services. Nothing here waits for a model.
    pub fn new(ctx: &egui::Context, options: Options) -> Self {
        let (settings, mut problems) = settings::load(&options.folders);
        let (keymap, wrong_keys) = KeyMap::load(&options.folders, &mut problems);
        problems.extend(wrong_keys);
        let start_engine = options
            .engine
            .unwrap_or_else(|| Box::new(EngineLink::start));
        let setup = EngineSettings::of(&settings).setup();
        let engine = start_engine(setup, ctx.clone()).map_err(|error| error.to_string());
        let frame = ctx.clone();
        let mut context = Self {
            document: Document::new(settings.canvas_side),
            facts: Facts::default(),
            settings,
            keymap,
            theme: Theme::bundled(),
            workspace: Workspace::default(),
            services: Services {
                engine,
                start_engine,
                dialogs: options.dialogs,
                tasks: Tasks::new(move || frame.request_repaint()),
                folders: options.folders,
                registry: Registry::standard(),
                free_space: mmface_engine::system::disk::free,
                free_memory: mmface_engine::system::memory::available,
            },
            outbox: Outbox::default(),
            toasts: Toasts::default(),
            now: 0.0,
            wants_to_close: false,
            ctx: ctx.clone(),
            shared: tasks::Inbox::default(),
            asked: Vec::new(),
        };
        for problem in problems {
            context.tell(Toast::Warning(problem));
        }
        context
    }

    /// Asks for a command to be run in the next turn.
    pub fn emit(&self, command: impl Into<Command>) {
        self.outbox.command(command);
    }

    /// Asks for a named action to be run; unknown ids do nothing.
    pub fn emit_action(&self, id: &str) {
        if let Some(action) = command::find(id) {
            self.emit((action.command)());
        }
    }

    /// Tells all features what has happened, in the next turn.
    pub fn announce(&self, announcement: Announcement) {
        self.outbox.announce(announcement);
    }

    /// Shows a message. A panel emits [`command::ShellCommand::Tell`] instead.
    pub fn tell(&mut self, toast: Toast) {
        self.toasts.tell(toast);
        self.ctx.request_repaint();
    }

    /// Runs `work` beside the GUI thread; what it returns is done on the GUI thread with the
    /// feature's state. `name` is for people: "saving the project".
    pub fn spawn<S: 'static, A: FnOnce(&mut S, &mut Self) + Send + 'static>(
        &mut self,
        inbox: &Inbox<S>,
        name: &str,
        work: impl FnOnce() -> A + Send + 'static,
    ) {
        self.services
            .tasks
            .spawn(name, inbox, move || -> Then<S> { Box::new(work()) });
    }

    /// Runs `work` that belongs to no feature beside the GUI thread; what it returns is done on the
    /// GUI thread.
    pub fn spawn_shared<A: FnOnce(&mut Self) + Send + 'static>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> A + Send + 'static,
    ) {
        self.services
            .tasks
            .spawn(name, &self.shared, move || -> ThenShared {
                Box::new(work())
            });
    }

    /// Asks for a file; `then` gets the path unless the person cancels.
    pub fn ask<S: 'static>(
        &mut self,
        inbox: &Inbox<S>,
        ask: &Ask,
        then: impl FnOnce(&mut S, &mut Self, PathBuf) + Send + 'static,
    ) {
        let inbox = inbox.sender();
        self.ask_then(ask, move |path| {
            let then: Then<S> = Box::new(move |state, cx| then(state, cx, path));
            // The feature may be gone by now; then nobody waits for the path.
            inbox.send(then).ok();
        });
    }

    /// Asks for a file; `then` gets the path unless the person cancels.
    fn ask_then(&mut self, ask: &Ask, then: impl FnOnce(PathBuf) + 'static) {
        let frame = self.ctx.clone();
        let answer = self
            .services
            .dialogs
            .ask(ask, Box::new(move || frame.request_repaint()));
        self.asked.push((answer, Box::new(then)));
    }

    /// Takes in what happened beside the GUI thread: tasks that ended, dialogs that were answered.
    /// What it means for a feature lies in the feature's inbox afterwards, see [`settle`].
    pub fn take_in(&mut self) {
        for problem in self.services.tasks.take_in() {
            self.tell(Toast::Error(problem));
        }
        for then in self.shared.take() {
            then(self);
        }
        let mut answered = Vec::new();
        self.asked
            .retain_mut(|(answer, then)| match answer.try_recv() {
                Ok(path) => {
                    answered.push((path, std::mem::replace(then, Box::new(|_| {}))));
                    false
                }
                Err(error) => error.is_empty(),
            });
        for (path, then) in answered {
            if let Some(path) = path {
                then(path);
            }
        }
    }

    /// Whether pictures are drawn, or will be as soon as possible, live ones included.
    pub fn is_drawing(&self) -> bool {
        self.is_busy() || self.facts.drawing.live
    }

    /// Whether a picture is drawn or saved, or will be as soon as possible.
    pub fn is_busy(&self) -> bool {
        let drawing = &self.facts.drawing;
        drawing.running.is_some() || drawing.unsaved > 0 || self.document.works.next().is_some()
    }

    /// The folders that are searched for models, those of the settings last.
    pub fn registry(&self) -> Registry {
        let chosen = &self.settings.model_folders;
        self.services.registry.clone().with(chosen)
    }

    /// Tells the engine how many steps of each picture to keep: as the settings say, but no fewer
    /// than `least`.
    pub fn keep_trails(&self, least: usize) {
        if let Ok(engine) = &self.services.engine {
            engine.keep_trails(self.settings.trail_steps.max(least));
        }
    }

    /// Why the chosen card does not answer, when that is what the error says and the CPU has not
    /// taken its place yet.
    pub fn card_failure(&self, error: &Error) -> Option<String> {
        match (error, self.settings.processor, &self.facts.no_card) {
            (Error::Device(why), Processor::Cuda(_), None) => {
                let why = why.strip_suffix(device::ADVICE).unwrap_or(why);
                Some(why.to_owned())
            }
            _ => None,
        }
    }

    /// Starts an engine as the settings say, but on the CPU in place of a card that did not answer;
    /// the engine before is the caller's to end. Its events are heard no more.
    pub fn restart_engine(&mut self) -> Option<EngineLink> {
        let mut settings = EngineSettings::of(&self.settings);
        if self.facts.no_card.is_some() {
            settings.processor = Processor::Cpu;
        }
        let engine = (self.services.start_engine)(settings.setup(), self.ctx.clone());
        let engine = engine.map_err(|error| error.to_string());
        std::mem::replace(&mut self.services.engine, engine).ok()
    }
}

/// Does what ended work of a feature left to be done.
pub fn settle<S>(state: &mut S, inbox: impl Fn(&S) -> &Inbox<S>, cx: &mut Context) {
    for then in inbox(state).take() {
        then(state, cx);
    }
}
