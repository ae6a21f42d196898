//! The studio: the context and the state of every feature. Messages and events come to the one
//! feature that understands them, announcements to all. This is the only place that names all
//! features.

use std::path::PathBuf;

use mmface_engine::contract::{Event, LoadId, ModelRef};

use super::announcement::Announcement;
use super::command::{Command, ShellCommand};
use super::context::{self, Context};
use super::dialogs::Ask;
use super::engine_link::EngineLink;
use super::outbox::Message;
use super::services::Options;
use super::tasks::Inbox;
use super::toast::Toast;
use super::{
    canvas, generate, models, palette, persistence, photo, results, settings_window, sweep, tools,
    trainer,
};

/// What is left to a feature that still works on the whole studio.
type Legacy = Box<dyn FnOnce(&mut Studio) + Send>;

/// Everything a person sees, with the services behind it.
pub struct Studio {
    /// What features share.
    pub context: Context,
    /// The view of the drawing.
    pub canvas: canvas::State,
    /// What the tool panels remember.
    pub tools: tools::State,
    /// Prompt, queue, live mode.
    pub generate: generate::State,
    /// Finished pictures.
    pub results: results::State,
    /// The sweep on screen.
    pub sweep: sweep::State,
    /// The photo that becomes a drawing.
    pub photo: photo::State,
    /// Training runs.
    pub trainer: trainer::State,
    /// The model list and the loaded model.
    pub models: models::State,
    /// Project file, journal, recovery.
    pub persistence: persistence::State,
    /// The command palette.
    pub palette: palette::State,
    /// The settings window.
    pub settings_window: settings_window::State,
    legacy: Inbox<Legacy>,
}

impl Studio {
    /// Starts the services and loads what the last session left. Nothing here waits for a model.
    pub fn new(ctx: &egui::Context, options: Options) -> Self {
        let project = options.project.clone();
        let mut studio = Self {
            context: Context::new(ctx, options),
            canvas: canvas::State::default(),
            tools: tools::State::default(),
            generate: generate::State::default(),
            results: results::State::default(),
            sweep: sweep::State::default(),
            photo: photo::State::default(),
            trainer: trainer::State::default(),
            models: models::State::default(),
            persistence: persistence::State::default(),
            palette: palette::State::default(),
            settings_window: settings_window::State::default(),
            legacy: Inbox::default(),
        };
        settings_window::start(&studio.context);
        models::start(&mut studio);
        tools::start(&mut studio);
        generate::start(&mut studio.generate, &mut studio.context);
        results::start(&mut studio.results, &mut studio.context);
        persistence::start(&mut studio.persistence, project, &mut studio.context);
        studio
    }

    /// Asks for a command to be run in the next turn.
    pub fn emit(&self, command: impl Into<Command>) {
        self.context.emit(command);
    }

    /// Asks for a named action to be run; unknown ids do nothing.
    pub fn emit_action(&self, id: &str) {
        self.context.emit_action(id);
    }

    /// Shows a message.
    pub fn tell(&mut self, toast: Toast) {
        self.context.tell(toast);
    }

    /// Runs the messages that wait, and those that they cause; whether there were any.
    pub fn run_commands(&mut self) -> bool {
        let any = !self.context.outbox.is_empty();
        while let Some(message) = self.context.outbox.next() {
            match message {
                Message::Command(command) => self.handle(command),
                Message::Announcement(announcement) => self.announced(&announcement),
            }
        }
        any
    }

    fn handle(&mut self, command: Command) {
        let cx = &mut self.context;
        match command {
            Command::Shell(command) => shell(cx, command),
            Command::Canvas(command) => canvas::run(self, command),
            Command::Tools(command) => tools::run(self, command),
            Command::Generate(command) => generate::handle(&mut self.generate, command, cx),
            Command::Results(command) => results::handle(&mut self.results, command, cx),
            Command::Sweep(command) => sweep::handle(&mut self.sweep, command, cx),
            Command::Photo(command) => photo::handle(&mut self.photo, command, cx),
            Command::Trainer(command) => trainer::run(self, command),
            Command::Models(command) => models::run(self, command),
            Command::Persistence(command) => {
                persistence::handle(&mut self.persistence, command, cx)
            }
            Command::Settings(command) => {
                settings_window::handle(&mut self.settings_window, command, cx);
            }
            Command::Palette(command) => palette::handle(&mut self.palette, command, cx),
        }
        trainer::publish(self);
    }

    fn announced(&mut self, announcement: &Announcement) {
        let cx = &mut self.context;
        generate::announced(&mut self.generate, announcement, cx);
        sweep::announced(&mut self.sweep, announcement, cx);
        models::announced(self, announcement);
        results::announced(&mut self.results, announcement);
        persistence::announced(&mut self.persistence, announcement);
        trainer::announced(self, announcement);
    }

    /// Takes in what happened beside the GUI thread: engine events, ended tasks, answered dialogs.
    pub fn take_in(&mut self) {
        let events = self
            .context
            .services
            .engine
            .as_ref()
            .map(EngineLink::events)
            .unwrap_or_default();
        for event in events {
            self.on_event(event);
        }
        self.context.take_in();
        let cx = &mut self.context;
        context::settle(&mut self.generate, |state| &state.inbox, cx);
        context::settle(&mut self.sweep, |state| &state.inbox, cx);
        context::settle(&mut self.photo, |state| &state.inbox, cx);
        context::settle(&mut self.results, |state| &state.inbox, cx);
        context::settle(&mut self.persistence, |state| &state.inbox, cx);
        context::settle(&mut self.settings_window, |state| &state.inbox, cx);
        for then in self.legacy.take() {
            then(self);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Loading { .. } | Event::Ready { .. } | Event::LoadFailed { .. } => {
                models::on_event(self, event)
            }
            Event::Trail { trail, .. } => {
                sweep::run::on_trail(&mut self.sweep, &trail, &self.context);
                results::on_trail(trail, &mut self.context);
            }
            _ => generate::on_event(&mut self.generate, event, &mut self.context),
        }
    }

    /// As [`Context::spawn`], for features that still work on the whole studio.
    pub fn spawn<A: FnOnce(&mut Self) + Send + 'static>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> A + Send + 'static,
    ) {
        self.context
            .services
            .tasks
            .spawn(name, &self.legacy, move || -> Legacy { Box::new(work()) });
    }

    /// As [`Context::ask`], for features that still work on the whole studio.
    pub fn ask(&mut self, ask: &Ask, then: impl FnOnce(&mut Self, PathBuf) + Send + 'static) {
        let sender = self.legacy.sender();
        self.context.ask_then(ask, move |path| {
            // The studio may be gone by now; then nobody waits for the path.
            sender
                .send(Box::new(move |studio: &mut Self| then(studio, path)))
                .ok();
        });
    }

    /// Loads a model in the engine; the events come to [`models`].
    pub fn load_model(&mut self, model: ModelRef) -> Option<LoadId> {
        match &self.context.services.engine {
            Ok(engine) => Some(engine.load(model)),
            Err(why) => {
                let text = format!("the engine did not start: {why}");
                self.tell(Toast::Error(text));
                None
            }
        }
    }
}

fn shell(cx: &mut Context, command: ShellCommand) {
    match command {
        ShellCommand::Show(workspace) => cx.workspace = workspace,
        ShellCommand::ToggleLeft => cx.settings.show_left ^= true,
        ShellCommand::ToggleRight => cx.settings.show_right ^= true,
        ShellCommand::ToggleFilmstrip => cx.settings.show_filmstrip ^= true,
        ShellCommand::Tell(toast) => cx.tell(toast),
        ShellCommand::Quit => cx.wants_to_close = true,
    }
}
