//! The studio: the context and the state of every feature. Messages and events come to the one
//! feature that understands them, announcements to all. This is the only place that names all
//! features.

use mmface_engine::contract::Event;

use super::announcement::Announcement;
use super::command::{Command, ShellCommand};
use super::context::{self, Context};
use super::engine_link::EngineLink;
use super::outbox::Message;
use super::services::Options;
use super::{
    canvas, generate, models, palette, persistence, photo, results, settings_window, sweep, tools,
    trainer,
};

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
        };
        settings_window::start(&studio.context);
        models::start(&mut studio.models, &mut studio.context);
        tools::start(&mut studio.context);
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
            Command::Canvas(command) => canvas::handle(&mut self.canvas, command, cx),
            Command::Tools(command) => tools::handle(&mut self.tools, command, cx),
            Command::Generate(command) => generate::handle(&mut self.generate, command, cx),
            Command::Results(command) => results::handle(&mut self.results, command, cx),
            Command::Sweep(command) => sweep::handle(&mut self.sweep, command, cx),
            Command::Photo(command) => photo::handle(&mut self.photo, command, cx),
            Command::Trainer(command) => trainer::handle(&mut self.trainer, command, cx),
            Command::Models(command) => models::handle(&mut self.models, command, cx),
            Command::Persistence(command) => {
                persistence::handle(&mut self.persistence, command, cx)
            }
            Command::Settings(command) => {
                settings_window::handle(&mut self.settings_window, command, cx);
            }
            Command::Palette(command) => palette::handle(&mut self.palette, command, cx),
        }
    }

    fn announced(&mut self, announcement: &Announcement) {
        let cx = &mut self.context;
        generate::announced(&mut self.generate, announcement, cx);
        sweep::announced(&mut self.sweep, announcement, cx);
        models::announced(&mut self.models, announcement, cx);
        results::announced(&mut self.results, announcement);
        persistence::announced(&mut self.persistence, announcement);
        trainer::announced(&mut self.trainer, announcement, cx);
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
        context::settle(&mut self.models, |state| &state.inbox, cx);
        context::settle(&mut self.trainer, |state| &state.inbox, cx);
        context::settle(&mut self.canvas, |state| &state.inbox, cx);
        context::settle(&mut self.tools, |state| &state.inbox, cx);
        context::settle(&mut self.photo, |state| &state.inbox, cx);
        context::settle(&mut self.results, |state| &state.inbox, cx);
        context::settle(&mut self.persistence, |state| &state.inbox, cx);
        context::settle(&mut self.settings_window, |state| &state.inbox, cx);
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Loading { .. } | Event::Ready { .. } | Event::LoadFailed { .. } => {
                models::on_event(&mut self.models, event, &mut self.context)
            }
            Event::Trail { trail, .. } => {
                sweep::run::on_trail(&mut self.sweep, &trail, &self.context);
                results::on_trail(trail, &mut self.context);
            }
            _ => generate::on_event(&mut self.generate, event, &mut self.context),
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
