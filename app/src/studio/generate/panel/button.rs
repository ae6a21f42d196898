//! The foot of the panel: the Generate button, and what the engine is at.

use egui::{Button, Key, Popup, ProgressBar, RichText, Ui, Widget, vec2};
use egui_material_icons::icons;
use mmface_engine::format::duration;

use super::super::start;
use super::State;
use super::room::{self, Room};
use crate::studio::command::{GenerateCommand as Do, ShellCommand, Workspace};
use crate::studio::context::Context;
use crate::studio::facts::ModelStatus;
use crate::studio::widgets::icon_button;

/// Height of the Generate button, points.
const HEIGHT: f32 = 34.0;

/// Draws the button and the line above it.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context, elsewhere: bool) {
    take_escape(ui, state, cx, elsewhere);
    let room = room::next(state, cx);
    ui.add_space(4.0);
    match &cx.facts.model {
        ModelStatus::Failed(why) => {
            let (why, colour) = (why.clone(), cx.theme.colours(ui).error);
            let text = RichText::new(&why).small().color(colour);
            ui.add(egui::Label::new(text).truncate())
                .on_hover_text(&why);
            if ui.button("Choose another model").clicked() {
                cx.emit(ShellCommand::Show(Workspace::Models));
            }
        }
        ModelStatus::Loading { fraction, what } => {
            ProgressBar::new(*fraction)
                .desired_height(8.0)
                .ui(ui)
                .on_hover_text(what);
            ui.weak(format!("Loading the model: {what}"));
        }
        ModelStatus::Nothing | ModelStatus::Ready(_) => progress(ui, state, cx, room.as_ref()),
    }
    button(ui, state, cx, room.as_ref());
    ui.add_space(6.0);
}

/// Progress of the work at hand, or what the next picture lacks. As high when nothing runs, so that
/// nothing jumps.
fn progress(ui: &mut Ui, state: &mut State, cx: &Context, room: Option<&Room>) {
    let lacking = room.and_then(Room::warning);
    let running = state.running.clone();
    let fraction = state.fraction();
    let bar = ProgressBar::new(fraction).desired_height(8.0).ui(ui);
    bar.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ProgressIndicator, true, "Progress");
        info.value = Some(f64::from(fraction));
        info
    });
    let rate = state.step_seconds.map(duration);
    let left = state.seconds_left().map(duration);
    let request = &cx.document.request;
    let warns = running.is_none() && state.saver.unsaved() == 0 && lacking.is_some();
    let line = match &running {
        Some(running) if running.cancelling => "Cancelling…".to_string(),
        Some(running) => {
            let (step, steps) = running.step;
            let mut parts = Vec::new();
            if running.picture.1 > 1 {
                parts.push(format!(
                    "{} of {}",
                    running.picture.0 + 1,
                    running.picture.1
                ));
            }
            parts.push(format!("step {step} of {steps}"));
            parts.extend(rate.map(|rate| format!("{rate} a step")));
            parts.extend(left.map(|left| format!("{left} left")));
            parts.join(" · ")
        }
        None if state.saver.unsaved() > 0 => "Saving…".to_string(),
        None if warns => lacking
            .as_ref()
            .map_or_else(String::new, |(short, _)| short.clone()),
        None if cx.document.works.queue.paused => "The queue is paused".to_string(),
        None => match state.step_seconds {
            Some(step) => {
                let pictures = start::pictures(&request.draw.prompt, request.draw.count);
                let all = step * (request.draw.steps * pictures) as f64;
                format!("About {} at the last pace", duration(all))
            }
            None => " ".to_string(),
        },
    };
    let text = RichText::new(line).small();
    let text = match warns {
        true => text.color(cx.theme.colours(ui).warning),
        false => text.weak(),
    };
    ui.horizontal(|ui| {
        let response = ui.add(egui::Label::new(text).truncate());
        if let Some((_, whole)) = lacking.filter(|_| warns) {
            response.on_hover_text(whole);
        }
    });
}

fn button(ui: &mut Ui, state: &mut State, cx: &Context, room: Option<&Room>) {
    let colours = cx.theme.colours(ui);
    let (accent, on_accent) = (colours.accent, colours.on_accent);
    let busy = state.running.is_some();
    let count = start::pictures(
        &cx.document.request.draw.prompt,
        cx.document.request.draw.count,
    );
    let ready = !matches!(
        cx.facts.model,
        ModelStatus::Loading { .. } | ModelStatus::Failed(_)
    );
    let text = match count {
        1 => "Generate".to_string(),
        _ => format!("Generate {count} pictures"),
    };
    let key = cx.keymap.hint("generate.start").unwrap_or_default();
    ui.horizontal(|ui| {
        // Beside it is always room for two icon buttons, whether they are there or not.
        let width = (ui.available_width() - 72.0).max(80.0);
        let button = Button::new(RichText::new(&text).size(15.0).strong().color(on_accent))
            .fill(accent)
            .min_size(vec2(width, HEIGHT));
        let response = ui.add_enabled(ready, button);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, ready, "Generate"));
        let tip = match room {
            Some(room) => format!("{text}  ({key})\n{}", room.words()),
            None => format!("{text}  ({key})"),
        };
        if response.on_hover_text(tip).clicked() {
            cx.emit(Do::Start);
        }
        ui.add_enabled_ui(busy, |ui| {
            if icon_button(ui, icons::ICON_CLOSE, "Cancel")
                .on_hover_text("Cancel  (Escape)")
                .clicked()
            {
                cx.emit(Do::Cancel);
            }
            if icon_button(ui, icons::ICON_STOP, "Stop after this picture").clicked() {
                cx.emit(Do::StopAfter);
            }
        });
    });
}

/// Escape cancels, when it means nothing else: no gesture, no open window, no text field. A field
/// has lost the focus by now if it took this key, so the frame before counts too.
fn take_escape(ui: &Ui, state: &mut State, cx: &Context, elsewhere: bool) {
    let ctx = ui.ctx();
    let elsewhere = elsewhere
        || state.view.history_open
        || Popup::is_any_open(ctx)
        || ctx.text_edit_focused()
        || cx.document.painter.busy()
        || cx.facts.canvas.in_gesture;
    let before = std::mem::replace(&mut state.view.escape_taken, elsewhere);
    if state.running.is_some()
        && !elsewhere
        && !before
        && ctx.input(|input| input.key_pressed(Key::Escape))
    {
        cx.emit(Do::Cancel);
    }
}
