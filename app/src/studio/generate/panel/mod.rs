//! What is drawn of it: the settings of the next pictures, the Generate button, the queue.

mod button;
mod prompt;
mod queue;
mod room;
mod values;

use egui::Ui;
use mmface_engine::job::{ConditionKind, Named as _};

use super::State;
use crate::studio::command::GenerateCommand;
use crate::studio::context::Context;
use crate::studio::widgets::heading;

pub use button::show as show_button;
pub use queue::show as show_queue;
pub use values::show as show_values;

/// What the panel remembers besides the values.
#[derive(Default)]
pub struct View {
    /// The prompt gets the cursor with the next frame.
    pub focus_prompt: bool,
    /// The prompt history is open.
    pub history_open: bool,
    /// Escape meant something else in the last frame.
    escape_taken: bool,
    /// What is free of the memory.
    free: room::Asked,
    /// What is searched in the history.
    history_query: String,
}

/// Draws what the face follows, and the prompt.
pub fn show_prompt(ui: &mut Ui, state: &mut State, cx: &Context) {
    heading(ui, "Follow");
    ui.horizontal(|ui| {
        for &follow in ConditionKind::ALL {
            let chosen = cx.document.request.follow == follow;
            let label = ui
                .selectable_label(chosen, follow.title())
                .on_hover_text(follow.about());
            label.widget_info(|| {
                let name = format!("Follow: {}", follow.title());
                egui::WidgetInfo::selected(egui::Role::Button, true, chosen, name)
            });
            if label.clicked() {
                cx.emit(GenerateCommand::Follow(follow));
            }
        }
    });
    prompt::show(ui, state, cx);
}
