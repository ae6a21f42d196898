//! The list of work: what runs, what waits, what failed.

use egui::{Button, Label, RichText, Sense, Ui};
use egui_material_icons::icons;

use super::State;
use crate::studio::command::GenerateCommand as Do;
use crate::studio::context::Context;
use crate::studio::document::{WorkId, title};
use crate::studio::widgets::{heading, icon_button, icon_toggle};

/// A row of the list.
struct Row {
    work: WorkId,
    title: String,
    template: bool,
    about: String,
    running: bool,
    held: bool,
}

/// Draws the queue.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.horizontal(|ui| {
        heading(ui, "Queue");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let paused = cx.document.works.queue.paused;
            let (icon, name) = match paused {
                true => (icons::ICON_PLAY_ARROW, "Resume the queue"),
                false => (icons::ICON_PAUSE, "Pause the queue"),
            };
            if icon_toggle(ui, paused, icon, name).clicked() {
                cx.emit(Do::Pause);
            }
            let any = cx.document.works.next().is_some()
                || paused && !cx.document.works.queue.is_empty()
                || !cx.document.works.failures.is_empty();
            ui.add_enabled_ui(any, |ui| {
                if icon_button(ui, icons::ICON_DELETE, "Clear the queue").clicked() {
                    cx.emit(Do::Clear);
                }
            });
        });
    });
    unsaved(ui, state, cx);
    held(ui, cx);
    let rows = rows(cx);
    if rows.is_empty() && cx.document.works.failures.is_empty() {
        // In a low window two lines fit here, a picture does not.
        ui.weak("Press Generate as often as you like: pictures are drawn one after the other.");
    }
    for (place, row) in rows.iter().enumerate() {
        show_row(ui, cx, row, place);
    }
    failures(ui, cx);
}

fn rows(cx: &Context) -> Vec<Row> {
    let works = &cx.document.works;
    let about = |waiting: &crate::project::Waiting| {
        let (drawn, all) = works.pictures(WorkId(waiting.id));
        let size = waiting.job.draw.size;
        match all {
            1 => format!("{size} px · seed {}", waiting.job.draw.seed),
            _ => format!("{size} px · {drawn} of {all}"),
        }
    };
    let jobs = works.queue.jobs().iter();
    jobs.map(|waiting| Row {
        work: WorkId(waiting.id),
        title: title(&waiting.job.draw.prompt),
        template: waiting.template.is_some(),
        about: about(waiting),
        running: waiting.running,
        held: works.is_held(WorkId(waiting.id)),
    })
    .collect()
}

fn show_row(ui: &mut Ui, cx: &Context, row: &Row, place: usize) {
    let id = ui.scope_id().with(("work", row.work.0));
    let frame = egui::Frame::group(ui.style()).inner_margin(4.0);
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            if row.running {
                ui.label(icons::ICON_PLAY_ARROW.rich_text());
            } else {
                let handle = Label::new(icons::ICON_DRAG_INDICATOR.rich_text().weak());
                let handle = ui.add(handle.selectable(false).sense(Sense::drag()));
                handle.dnd_set_drag_payload(row.work);
                handle.on_hover_text("Drag to another place");
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let name = format!("Remove “{}”", row.title);
                if icon_button(ui, icons::ICON_CLOSE, &name).clicked() {
                    cx.emit(Do::Remove(row.work));
                }
                if !row.running {
                    let down = format!("Later “{}”", row.title);
                    if icon_button(ui, icons::ICON_ARROW_DOWNWARD, &down).clicked() {
                        cx.emit(Do::Shift(row.work, 1));
                    }
                    let up = format!("Sooner “{}”", row.title);
                    if icon_button(ui, icons::ICON_ARROW_UPWARD, &up).clicked() {
                        cx.emit(Do::Shift(row.work, -1));
                    }
                }
                ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    let text = RichText::new(&row.title);
                    let text = if row.held { text.weak() } else { text };
                    ui.add(Label::new(text).truncate())
                        .on_hover_text(&row.title);
                    let sweep = if row.template { "sweep · " } else { "" };
                    let held = if row.held { " · from last time" } else { "" };
                    let about = format!("{sweep}{}{held}", row.about);
                    ui.add(Label::new(RichText::new(about).small().weak()).truncate());
                });
            });
        });
    });
    let target = ui.interact(shown.response.rect, id, Sense::hover());
    if let Some(dragged) = target.dnd_release_payload::<WorkId>() {
        cx.emit(Do::Place(*dragged, place));
    } else if target.dnd_hover_payload::<WorkId>().is_some() {
        let stroke = ui.visuals().selection.stroke;
        let rect = shown.response.rect;
        ui.painter().hline(rect.x_range(), rect.top(), stroke);
    }
}

/// What could not be saved.
fn unsaved(ui: &mut Ui, state: &mut State, cx: &Context) {
    let Some(why) = state.saver.problem.clone() else {
        return;
    };
    let count = state.saver.unsaved();
    let text = match count {
        1 => format!("One picture is not saved: {why}"),
        _ => format!("{count} pictures are not saved: {why}"),
    };
    let colour = cx.theme.colours(ui).error;
    ui.label(RichText::new(text).small().color(colour));
    if ui.button("Save again").clicked() {
        cx.emit(Do::SaveAgain);
    }
}

/// What the last session left.
fn held(ui: &mut Ui, cx: &Context) {
    let count = cx.document.works.held();
    if count == 0 {
        return;
    }
    let text = match count {
        1 => "One job was waiting when the program last ended.".to_string(),
        _ => format!("{count} jobs were waiting when the program last ended."),
    };
    ui.label(RichText::new(text).small());
    ui.horizontal(|ui| {
        if ui.button("Continue").clicked() {
            cx.emit(Do::Continue);
        }
        if ui.button("Discard").clicked() {
            cx.emit(Do::Discard);
        }
    });
}

fn failures(ui: &mut Ui, cx: &Context) {
    let colour = cx.theme.colours(ui).error;
    for failure in cx.document.works.failures.clone() {
        egui::Frame::group(ui.style())
            .inner_margin(4.0)
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                let name = title(&failure.job.draw.prompt);
                ui.add(Label::new(&name).truncate());
                let why = RichText::new(&failure.why).small().color(colour);
                ui.add(Label::new(why).wrap());
                ui.horizontal(|ui| {
                    if ui.button("Retry").clicked() {
                        cx.emit(Do::Retry(failure.work));
                    }
                    if let Some(size) = failure.smaller
                        && ui.add(Button::new(format!("Try at {size} px"))).clicked()
                    {
                        cx.emit(Do::RetrySmaller(failure.work));
                    }
                    if icon_button(ui, icons::ICON_CLOSE, &format!("Forget “{name}”")).clicked()
                    {
                        cx.emit(Do::Remove(failure.work));
                    }
                });
            });
    }
}
