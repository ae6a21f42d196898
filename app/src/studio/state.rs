//! Everything a person sees, and the services behind it.

use std::collections::VecDeque;
use std::path::PathBuf;

use mmface_engine::contract::{Event, LoadId};

use super::command::{self, Command};
use super::dialogs::{Answer, Ask, Desktop, Dialogs};
use super::engine_link::{EngineLink, StartEngine};
use super::folders::Folders;
use super::keymap::KeyMap;
use super::settings::{self, Settings};
use super::tasks::Tasks;
use super::theme::Theme;
use super::toast::{Toast, Toasts};
use super::{
    actions, canvas, generate, keeping, models, palette, photo, results, sweep, tools, trainer,
};
use crate::paint::{Drawing, Painter};

/// The parts of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workspace {
    /// Canvas, prompt, results.
    #[default]
    Studio,
    /// Training runs.
    Trainer,
    /// Installed models.
    Models,
}

/// What the studio is started with; tests replace each service.
pub struct Options {
    /// The project to open.
    pub project: Option<PathBuf>,
    /// Where things are kept.
    pub folders: Folders,
    /// Asks for files.
    pub dialogs: Box<dyn Dialogs>,
    /// Starts the engine; `None` starts the real one with the settings' options.
    pub engine: Option<StartEngine>,
}

impl Options {
    /// What a person gets.
    pub fn standard(project: Option<PathBuf>) -> Self {
        Self {
            project,
            folders: Folders::standard(),
            dialogs: Box::new(Desktop),
            engine: None,
        }
    }
}

/// What works behind the studio.
pub struct Services {
    /// The engine; `None` with the reason when its thread could not start.
    pub engine: Result<EngineLink, String>,
    /// Starts another engine.
    start_engine: StartEngine,
    /// Asks for files.
    pub dialogs: Box<dyn Dialogs>,
    /// Slow work beside the GUI thread.
    pub tasks: Tasks,
    /// Where things are kept.
    pub folders: Folders,
}

/// A closure that takes the answer of a dialog.
type OnAnswer = Box<dyn FnOnce(&mut Studio, PathBuf)>;

/// Everything a person sees, as plain data, with the services behind it.
pub struct Studio {
    /// The drawing, its history, and the tools' settings.
    pub painter: Painter,
    /// The view of the drawing.
    pub canvas: canvas::State,
    /// What the tool panels remember.
    pub tools: tools::State,
    /// Prompt, queue, live mode.
    pub generate: generate::State,
    /// Finished pictures.
    pub results: results::State,
    /// The sweep at hand.
    pub sweep: sweep::State,
    /// The photo at hand.
    pub photo: photo::State,
    /// Training runs.
    pub trainer: trainer::State,
    /// The model list and the loaded model.
    pub models: models::State,
    /// Project file, journal, recovery.
    pub keeping: keeping::State,
    /// The command palette.
    pub palette: palette::State,
    /// What a person has set.
    pub settings: Settings,
    /// The settings window.
    pub settings_window: settings::State,
    /// The keys of every action.
    pub keymap: KeyMap,
    /// Colours and distances.
    pub theme: Theme,
    /// The part of the program on screen.
    pub workspace: Workspace,
    /// Messages.
    pub toasts: Toasts,
    /// Engine, dialogs, tasks, folders.
    pub services: Services,
    /// Seconds since the program started, as of this frame.
    pub now: f64,
    /// Set to end the program; [`keeping`] may object.
    pub wants_to_close: bool,
    /// Asks for frames; also from other threads.
    pub ctx: egui::Context,
    commands: VecDeque<Command>,
    asking: Vec<(Answer, OnAnswer)>,
}

impl Studio {
    /// Starts the services and loads what the last session left. Nothing here waits for a model.
    pub fn new(ctx: &egui::Context, options: Options) -> Self {
        let theme = Theme::bundled();
        let (settings, mut problems) = settings::load(&options.folders);
        let (keymap, wrong_keys) =
            KeyMap::new(settings::load_keys(&options.folders, &mut problems));
        problems.extend(wrong_keys);
        let start_engine = options
            .engine
            .unwrap_or_else(|| Box::new(EngineLink::start));
        let setup = settings::EngineSettings::of(&settings).setup();
        let engine = start_engine(setup, ctx.clone()).map_err(|error| error.to_string());
        let frame = ctx.clone();
        let services = Services {
            engine,
            start_engine,
            dialogs: options.dialogs,
            tasks: Tasks::new(move || frame.request_repaint()),
            folders: options.folders,
        };
        let mut studio = Self {
            painter: Painter::new(Drawing::new(settings.canvas_side)),
            canvas: canvas::State::default(),
            tools: tools::State::default(),
            generate: generate::State::default(),
            results: results::State::default(),
            sweep: sweep::State::default(),
            photo: photo::State::default(),
            trainer: trainer::State::default(),
            models: models::State::default(),
            keeping: keeping::State::default(),
            palette: palette::State::default(),
            settings,
            settings_window: settings::State::default(),
            keymap,
            theme,
            workspace: Workspace::default(),
            toasts: Toasts::default(),
            services,
            now: 0.0,
            wants_to_close: false,
            ctx: ctx.clone(),
            commands: VecDeque::new(),
            asking: Vec::new(),
        };
        for problem in problems {
            studio.tell(Toast::Warning(problem));
        }
        settings::apply(&studio);
        models::start(&mut studio);
        tools::start(&mut studio);
        generate::start(&mut studio);
        results::start(&mut studio);
        keeping::start(&mut studio, options.project);
        studio
    }

    /// Asks for a command to be run before the next frame.
    pub fn emit(&mut self, command: impl Into<Command>) {
        self.commands.push_back(command.into());
    }

    /// Asks for a named action to be run; unknown ids do nothing.
    pub fn emit_action(&mut self, id: &str) {
        if let Some(action) = actions::find(id) {
            self.emit((action.command)());
        }
    }

    /// Shows a message.
    pub fn tell(&mut self, toast: Toast) {
        self.toasts.tell(toast);
        self.ctx.request_repaint();
    }

    /// Asks for a file; `then` gets the path unless the person cancels.
    pub fn ask(&mut self, ask: &Ask, then: impl FnOnce(&mut Self, PathBuf) + 'static) {
        let frame = self.ctx.clone();
        let answer = self
            .services
            .dialogs
            .ask(ask, Box::new(move || frame.request_repaint()));
        self.asking.push((answer, Box::new(then)));
    }

    /// Runs the commands that wait, and those that they emit.
    pub fn run_commands(&mut self) {
        while let Some(command) = self.commands.pop_front() {
            command::run(self, command);
        }
    }

    /// Takes in what happened beside the GUI thread: engine events, ended tasks, answered dialogs.
    pub fn take_in(&mut self) {
        let events = self
            .services
            .engine
            .as_ref()
            .map(EngineLink::events)
            .unwrap_or_default();
        for event in events {
            self.on_event(event);
        }
        for apply in self.services.tasks.finished() {
            apply(self);
        }
        let mut answered = Vec::new();
        self.asking
            .retain_mut(|(answer, then)| match answer.try_recv() {
                Ok(path) => {
                    answered.push((path, std::mem::replace(then, Box::new(|_, _| {}))));
                    false
                }
                Err(error) => error.is_empty(),
            });
        for (path, then) in answered {
            if let Some(path) = path {
                then(self, path);
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Loading { .. } | Event::Ready { .. } | Event::LoadFailed { .. } => {
                models::on_event(self, event)
            }
            Event::Trail { trail, .. } => {
                sweep::run::on_trail(self, &trail);
                results::on_trail(self, trail);
            }
            _ => generate::on_event(self, event),
        }
    }

    /// Starts an engine as the settings say; the one before is the caller's to end. Its events are
    /// heard no more.
    pub fn restart_engine(&mut self) -> Option<EngineLink> {
        let setup = settings::engine::setup(self);
        let engine = (self.services.start_engine)(setup, self.ctx.clone());
        let engine = engine.map_err(|error| error.to_string());
        std::mem::replace(&mut self.services.engine, engine).ok()
    }

    /// Loads a model in the engine; the events come to [`models`].
    pub fn load_model(&mut self, model: mmface_engine::contract::ModelRef) -> Option<LoadId> {
        match &self.services.engine {
            Ok(engine) => Some(engine.load(model)),
            Err(why) => {
                let text = format!("the engine did not start: {why}");
                self.tell(Toast::Error(text));
                None
            }
        }
    }
}
