//! The prompt with its token counter and history, and the negative prompt.

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::{
    Color32, FontSelection, Galley, Id, Key, Popup, PopupCloseBehavior, RichText, ScrollArea,
    Stroke, TextBuffer, TextEdit, Ui,
};
use egui_material_icons::icons;

use super::State;
use crate::studio::command::GenerateCommand as Do;
use crate::studio::context::Context;
use crate::studio::widgets::{icon_button, icon_toggle};

/// Draws both prompts.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.add_space(6.0);
    let label = ui
        .horizontal(|ui| {
            let label = ui.label(RichText::new("Prompt").strong());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                history(ui, state, cx);
            });
            label
        })
        .inner;
    field(ui, state, cx, label.id);
    counter(ui, state, cx);
    negative(ui, cx);
}

fn field(ui: &mut Ui, state: &mut State, cx: &Context, label: Id) {
    let weak = cx.theme.colours(ui).weak;
    let mut typed = cx.document.request.draw.prompt.clone();
    let lost = state
        .counter
        .count(&typed)
        .and_then(|count| count.lost_from);
    let mut layouter =
        |ui: &Ui, text: &dyn TextBuffer, width: f32| lay_out(ui, text.as_str(), lost, weak, width);
    let edit = TextEdit::multiline(&mut typed)
        .hint_text("A young woman with long red hair, smiling")
        .desired_rows(4)
        .desired_width(f32::INFINITY)
        .layouter(&mut layouter);
    let output = edit.show(ui);
    let response = output.response.response.labelled_by(label);
    if std::mem::take(&mut state.view.focus_prompt) {
        response.request_focus();
    }
    // Kept when the field loses the focus: the button that varies the words is elsewhere.
    if let Some(range) = output.cursor_range.filter(|_| response.has_focus()) {
        let prompt = &typed;
        let words = range.slice_str(prompt);
        let start = words.as_ptr() as usize - prompt.as_ptr() as usize;
        let selected = start..start + words.len();
        let selection = (!selected.is_empty()).then(|| (prompt.clone(), selected));
        if selection != cx.facts.prompt_selection {
            cx.emit(Do::Select(selection));
        }
    }
    if typed != cx.document.request.draw.prompt {
        cx.emit(Do::Prompt(typed));
    }
}

/// Lays the prompt out with the words that the model does not read greyed and struck through.
fn lay_out(ui: &Ui, text: &str, lost: Option<usize>, weak: Color32, width: f32) -> Arc<Galley> {
    let font = FontSelection::Default.resolve(ui.style());
    let plain = TextFormat::simple(font.clone(), ui.visuals().text_color());
    let mut grey = TextFormat::simple(font, weak);
    grey.strikethrough = Stroke::new(1.0, weak);
    // The text may have changed since it was counted; a boundary of then may be none now.
    let cut = lost
        .filter(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    let mut job = LayoutJob::default();
    job.append(&text[..cut], 0.0, plain);
    job.append(&text[cut..], 0.0, grey);
    job.wrap.max_width = width;
    ui.fonts_mut(|fonts| fonts.layout_job(job))
}

fn counter(ui: &mut Ui, state: &mut State, cx: &Context) {
    let warning = cx.theme.colours(ui).warning;
    // The line is always there, so that nothing moves when the first word is lost.
    ui.horizontal(
        |ui| match state.counter.count(&cx.document.request.draw.prompt) {
            Some(count) => {
                let text = format!("{} / {}", count.used, count.length);
                match &count.warning {
                    None => {
                        ui.weak(text)
                            .on_hover_text("Tokens of the prompt that the model reads");
                    }
                    Some(why) => {
                        ui.label(RichText::new(text).color(warning));
                        let line = egui::Label::new(RichText::new(why).small().color(warning));
                        ui.add(line.truncate()).on_hover_text(why);
                    }
                }
            }
            None => {
                ui.weak(" ");
            }
        },
    );
}

fn history(ui: &mut Ui, state: &mut State, cx: &Context) {
    let hint = cx.keymap.hint("generate.history");
    let tip = format!(
        "Prompts that were used ({}); Alt+Up and Alt+Down walk through them",
        hint.unwrap_or_default()
    );
    let open = state.view.history_open;
    let button = icon_toggle(ui, open, icons::ICON_HISTORY, "Prompt history").on_hover_text(tip);
    if button.clicked() {
        cx.emit(Do::ToggleHistory);
    }
    let mut stays = open;
    let popup = Popup::from_response(&button)
        .open_bool(&mut stays)
        .width(280.0)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    popup.show(|ui| {
        let field = TextEdit::singleline(&mut state.view.history_query)
            .hint_text("Search")
            .desired_width(f32::INFINITY);
        let field = ui.add(field);
        field.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Search prompts")
        });
        if ui.input(|input| input.key_pressed(Key::Escape)) {
            cx.emit(Do::ToggleHistory);
        }
        let found: Vec<(String, bool)> = state
            .history
            .search(&state.view.history_query)
            .into_iter()
            .take(100)
            .map(|used| (used.prompt.clone(), used.pinned))
            .collect();
        if found.is_empty() {
            ui.weak("Prompts appear here when they are used.");
        }
        ScrollArea::vertical().max_height(260.0).show(ui, |ui| {
            for (prompt, pinned) in found {
                row(ui, cx, &prompt, pinned);
            }
        });
    });
    // A click on the button itself toggles by its command.
    if open && !stays && !button.clicked() {
        state.view.history_open = false;
    }
}

fn row(ui: &mut Ui, cx: &Context, prompt: &str, pinned: bool) {
    ui.horizontal(|ui| {
        if icon_toggle(ui, pinned, icons::ICON_KEEP, "Pin prompt").clicked() {
            cx.emit(Do::PinPrompt(prompt.to_string()));
        }
        if icon_button(ui, icons::ICON_CLOSE, "Forget prompt").clicked() {
            cx.emit(Do::ForgetPrompt(prompt.to_string()));
        }
        let label = egui::Button::selectable(false, prompt).truncate();
        if ui.add(label).on_hover_text(prompt).clicked() {
            cx.emit(Do::UsePrompt(prompt.to_string()));
        }
    });
}

fn negative(ui: &mut Ui, cx: &Context) {
    egui::CollapsingHeader::new("Negative prompt")
        .id_salt("negative_prompt")
        .show(ui, |ui| {
            let mut typed = cx.document.request.draw.negative.clone();
            let edit = TextEdit::multiline(&mut typed)
                .hint_text("What the face should not look like")
                .desired_rows(2)
                .desired_width(f32::INFINITY);
            let field = ui.add(edit);
            field.widget_info(|| {
                egui::WidgetInfo::labeled(
                    egui::Role::MultilineTextInput,
                    true,
                    "Negative prompt text",
                )
            });
            if typed != cx.document.request.draw.negative {
                cx.emit(Do::Negative(typed));
            }
        });
}
