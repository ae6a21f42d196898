//! The eframe application: takes in events, runs commands, draws.

use egui::{Context, Ui};

use super::dispatcher::Studio;
use super::services::Options;
use super::start_trace::StartTrace;
use super::{
    canvas, generate, layout, models, persistence, photo, results, settings_window, theme, trainer,
};

/// The program with a window.
pub struct StudioApp {
    /// All its state.
    pub studio: Studio,
    trace: StartTrace,
}

impl StudioApp {
    /// Starts the studio in an eframe window, or in a test's harness.
    pub fn new(cc: &eframe::CreationContext<'_>, options: Options) -> Self {
        egui_material_icons::initialize(&cc.egui_ctx);
        let mut studio = Studio::new(&cc.egui_ctx, options);
        theme::apply(&studio.context.theme, &cc.egui_ctx);
        if let Some(render) = &cc.wgpu_render_state {
            canvas::start_gpu(render);
            studio.models.adapter = Some(models::about::Adapter::of(&render.adapter.get_info()));
        }
        Self {
            studio,
            trace: StartTrace::default(),
        }
    }
}

impl eframe::App for StudioApp {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.studio.context.now = ctx.input(|input| input.time);
        self.studio.take_in();
        self.studio.run_commands();
        let studio = &mut self.studio;
        trainer::tick(&mut studio.trainer, &mut studio.context);
        models::tick(&mut studio.models, &mut studio.context);
        generate::tick(&mut self.studio.generate, &mut self.studio.context);
        persistence::tick(&mut self.studio.persistence, &mut self.studio.context);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        self.trace.frame(&ctx);
        take_keys(&mut self.studio, &ctx);
        // Keys act in the frame in which they were pressed.
        self.studio.run_commands();
        photo::tick(&mut self.studio.photo, &mut self.studio.context);
        results::tick(&mut self.studio.results, &mut self.studio.context);
        layout::show(ui, &mut self.studio);
        self.studio.context.toasts.show(&ctx);
        let changed = self.studio.run_commands();
        let studio = &mut self.studio;
        settings_window::tick(&mut studio.settings_window, &mut studio.context);
        persistence::show_close_question(&ctx, &mut studio.persistence, &mut studio.context);
        if changed || !self.studio.context.outbox.is_empty() {
            // What was asked for in this frame is seen in the next one.
            ctx.request_repaint();
        }
    }

    fn on_exit(&mut self) {
        persistence::on_exit(&mut self.studio.persistence, &self.studio.context);
        results::on_exit(&mut self.studio.results, &self.studio.context);
    }

    fn auto_save_interval(&self) -> std::time::Duration {
        // Only the window's place is kept here; the work has its own journal.
        std::time::Duration::from_secs(300)
    }
}

/// Turns pressed keys into commands before any widget sees them.
fn take_keys(studio: &mut Studio, ctx: &Context) {
    // A question comes first: its keys are its own, and nothing happens behind its back.
    let asked = ctx.memory(|memory| memory.top_modal_layer().is_some());
    if studio.palette.rebinding.is_some() || asked {
        return;
    }
    results::panel::take_keys(&mut studio.results, &studio.context, ctx);
    let typing = ctx.text_edit_focused();
    let by_position = studio.context.settings.keys_by_position;
    let commands = ctx.input_mut(|input| {
        studio
            .context
            .keymap
            .take(&mut input.events, typing, by_position)
    });
    for command in commands {
        studio.emit(command);
    }
}
