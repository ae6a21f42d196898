//! The run on screen: its state, its curves, its samples and checkpoints.

use egui::{Align, Button, ComboBox, Label, Layout, ProgressBar, RichText, ScrollArea, Ui, vec2};
use egui_material_icons::icons;

use super::State;
use super::view::{Phase, View};
use super::{TrainerCommand as Do, format, plots, sheets, table};
use crate::studio::command::Sharing;
use crate::studio::context::Context;
use crate::studio::theme::Colours;
use crate::studio::widgets::{action_button, empty_state, icon_button};

/// Height of the strip with state and figures.
const HEAD: f32 = 80.0;

/// Draws the run.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    if state.view.phase == Phase::None {
        ui.add_space((ui.available_height() * 0.3).min(220.0));
        ui.vertical_centered(|ui| {
            ui.set_max_width(460.0);
            empty_state(
            ui,
            icons::ICON_MODEL_TRAINING,
            "Name the folders on the left and make the plan: curves, samples and checkpoints of the run appear here. A run that exists already is opened with “Open a run…”.",
            );
        });
        return;
    }
    let colours = cx.theme.colours(ui).clone();
    head(ui, state, cx, &colours);
    if matches!(state.view.phase, Phase::Failed(_)) {
        failure(ui, state, &colours);
    }
    let room = ui.available_height() - 24.0;
    let upper = (room * 0.46).max(150.0);
    curves(ui, &state.view, &colours, upper);
    ui.add_space(2.0);
    ui.separator();
    let lower = (ui.available_height() - 4.0).max(120.0);
    let width = ui.available_width();
    let left = (width * 0.46).min(lower * 1.36).max(220.0);
    ui.horizontal_top(|ui| {
        ui.allocate_ui_with_layout(vec2(left, lower), Layout::top_down(Align::Min), |ui| {
            ui.set_min_width(left);
            sheets::show(ui, state, cx, lower);
        });
        ui.separator();
        ui.allocate_ui_with_layout(
            vec2(ui.available_width(), lower),
            Layout::top_down(Align::Min),
            |ui| {
                let notes = state.view.notes.len();
                let table_height = if notes > 0 { lower * 0.6 } else { lower };
                table::show(ui, state, cx, table_height);
                if notes > 0 {
                    notes_list(ui, &state.view);
                }
            },
        );
    });
}

fn colour(phase: &Phase, colours: &Colours) -> egui::Color32 {
    match phase {
        Phase::Running | Phase::Finished => colours.good,
        Phase::Paused(_) | Phase::Stopping => colours.warning,
        Phase::Failed(_) => colours.error,
        _ => colours.text,
    }
}

fn head(ui: &mut Ui, state: &mut State, cx: &Context, colours: &Colours) {
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), HEAD),
        Layout::top_down(Align::Min),
        |ui| {
            ui.set_min_height(HEAD);
            ui.horizontal(|ui| {
                title(ui, state, colours);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    buttons(ui, state, cx);
                });
            });
            progress(ui, &state.view);
            figures(ui, &state.view);
        },
    );
}

fn title(ui: &mut Ui, state: &State, colours: &Colours) {
    let view = &state.view;
    let pausing = state.own.as_ref().is_some_and(|own| own.pausing)
        || state.follow.is_some_and(|follow| follow.pausing);
    let phase = match (&view.phase, &view.preparing) {
        (Phase::Running, _) if pausing => "Pausing",
        (Phase::Starting, Some(_)) => "Preparing",
        (phase, _) => phase.title(),
    };
    ui.label(
        RichText::new(phase)
            .size(16.0)
            .strong()
            .color(colour(&view.phase, colours)),
    );
    let name = match &view.started {
        Some(started) if !started.name.is_empty() => started.name.clone(),
        _ => String::new(),
    };
    ui.label(RichText::new(name).strong());
    let why = match &view.phase {
        Phase::Paused(_) if state.sharing.pauses() => {
            "Waits while pictures are drawn; goes on by itself".to_owned()
        }
        Phase::Paused(why) | Phase::Stopped(why) => why.clone(),
        _ if state.is_foreign() => match state.follow.and_then(|follow| follow.id) {
            Some(id) => format!("under process {id}, outside this window"),
            None => "under another process".to_owned(),
        },
        _ => String::new(),
    };
    // Room for the buttons on the right.
    let room = (ui.available_width() - 320.0).max(40.0);
    ui.scope(|ui| {
        ui.set_max_width(room);
        ui.add(Label::new(RichText::new(&why).weak()).truncate());
    });
}

fn buttons(ui: &mut Ui, state: &mut State, cx: &Context) {
    let folder = state.view.out.clone();
    let tip = format!("Open folder {}", folder.display());
    let opened = icon_button(ui, icons::ICON_FOLDER_OPEN, "Open folder of the run");
    if opened.on_hover_text(tip).clicked() {
        cx.emit(Do::ShowFolder(folder));
    }
    let phase = state.view.phase.clone();
    let foreign = state.is_foreign();
    if state.has_child() || foreign {
        sharing(ui, state, cx);
        ui.add_enabled_ui(phase != Phase::Stopping, |ui| {
            let follow = state.follow;
            let steered = follow.is_none_or(|follow| follow.listens);
            let stop = steered || follow.is_some_and(|follow| follow.id.is_some());
            ui.add_enabled_ui(stop, |ui| {
                action_button(ui, cx, icons::ICON_STOP, "trainer.stop");
            });
            ui.add_enabled_ui(steered, |ui| {
                let icon = match phase {
                    Phase::Paused(_) => icons::ICON_PLAY_ARROW,
                    _ => icons::ICON_PAUSE,
                };
                action_button(ui, cx, icon, "trainer.pause");
                action_button(ui, cx, icons::ICON_SAVE, "trainer.checkpoint");
                action_button(ui, cx, icons::ICON_PHOTO_LIBRARY, "trainer.sample");
            });
        });
    } else if !matches!(phase, Phase::Finished) {
        let there = !state.view.checkpoints.list.is_empty();
        let button = ui.add_enabled(there, Button::new("Resume"));
        let button = button
            .on_hover_text("Goes on from the last checkpoint")
            .on_disabled_hover_text("There is no checkpoint to go on from");
        if button.clicked() {
            cx.emit(Do::Resume);
        }
    }
}

fn sharing(ui: &mut Ui, state: &mut State, cx: &Context) {
    let title = |choice: Option<Sharing>| match choice {
        None => "Ask before drawing",
        Some(Sharing::Pause) => "Pause while drawing",
        Some(Sharing::Beside) => "Draw beside it",
    };
    let now = state.sharing.choice;
    let mut wanted = now;
    let combo = ComboBox::from_id_salt("trainer_sharing")
        .selected_text(title(now))
        .width(150.0)
        .show_ui(ui, |ui| {
            for choice in [None, Some(Sharing::Pause), Some(Sharing::Beside)] {
                ui.selectable_value(&mut wanted, choice, title(choice));
            }
        });
    combo.response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "While pictures are drawn")
    });
    if wanted != now {
        cx.emit(Do::SetSharing(wanted));
    }
}

fn progress(ui: &mut Ui, view: &View) {
    let (share, text) = match (&view.preparing, &view.started) {
        (Some(preparing), None) => format::preparing(preparing),
        (_, Some(started)) => (
            view.step() as f32 / started.steps.max(1) as f32,
            format!(
                "Update {} of {}",
                format::grouped(view.step()),
                format::grouped(started.steps)
            ),
        ),
        (None, None) => (0.0, String::from("reading the data")),
    };
    let bar = ProgressBar::new(share.clamp(0.0, 1.0)).desired_height(16.0);
    ui.add(bar.text(RichText::new(text).small()));
}

/// The figures in columns of fixed width: nothing moves while they count.
fn figures(ui: &mut Ui, view: &View) {
    let last = view.last.clone().unwrap_or_default();
    let known = view.last.is_some();
    let value = |text: String| if known { text } else { "–".into() };
    let left = match view.phase {
        Phase::Running | Phase::Stopping => value(format::duration(last.eta_seconds)),
        _ => "–".into(),
    };
    let heldout = view
        .heldout
        .as_ref()
        .map_or("–".into(), |report| format::short(report.loss));
    let memory = match last.memory {
        0 => "–".into(),
        bytes => format::bytes(bytes),
    };
    let columns = [
        ("Loss", value(format::short(last.smooth))),
        ("Held out", heldout),
        ("Updates/s", value(format::short(last.updates_per_second))),
        ("Samples/s", value(format::short(last.samples_per_second))),
        ("Time left", left),
        ("Epoch", value(format!("{:.1}", last.epoch))),
        ("Memory", memory),
        ("Left out", view.skipped.to_string()),
    ];
    let width = ui.available_width() / columns.len() as f32 - ui.spacing().item_spacing.x;
    ui.horizontal(|ui| {
        for (name, value) in columns {
            ui.allocate_ui_with_layout(vec2(width, 34.0), Layout::top_down(Align::Min), |ui| {
                ui.set_min_width(width);
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.add(Label::new(RichText::new(name).small().weak()).truncate());
                let label = ui.add(Label::new(RichText::new(&value).monospace()).truncate());
                label.widget_info(|| {
                    let text = format!("{name}: {value}");
                    egui::WidgetInfo::labeled(egui::Role::Label, true, text)
                });
            });
        }
    });
}

fn failure(ui: &mut Ui, state: &State, colours: &Colours) {
    let Phase::Failed(why) = &state.view.phase else {
        return;
    };
    ui.add(Label::new(RichText::new(why).color(colours.error)).wrap());
    let words = state.last_words.trim();
    if !words.is_empty() {
        ScrollArea::vertical()
            .id_salt("trainer_last_words")
            .max_height(70.0)
            .show(ui, |ui| {
                ui.add(Label::new(RichText::new(words).monospace().small()).wrap());
            });
    }
    let there = !state.view.checkpoints.list.is_empty();
    ui.weak(match there {
        true => "The checkpoints are whole; Resume goes on from the last one.",
        false => "No checkpoint was written yet; put right what is said above, and start again.",
    });
}

fn curves(ui: &mut Ui, view: &View, colours: &Colours, height: f32) {
    let gap = ui.spacing().item_spacing;
    let width = ui.available_width();
    let right = (width * 0.36).max(200.0);
    let left = width - right - gap.x;
    let name = ui.text_style_height(&egui::TextStyle::Small) + 2.0;
    ui.horizontal_top(|ui| {
        ui.allocate_ui_with_layout(vec2(left, height), Layout::top_down(Align::Min), |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.label(RichText::new("Loss").small().weak());
            plots::loss(ui, view, colours, vec2(left, height - name - 4.0));
        });
        ui.allocate_ui_with_layout(vec2(right, height), Layout::top_down(Align::Min), |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            let each = vec2(right, (height - 2.0 * name - 8.0) / 2.0);
            ui.label(RichText::new("Learning rate").small().weak());
            plots::small(
                ui,
                "learning rate",
                &view.rate,
                (colours.accent, colours.line),
                each,
            );
            ui.label(RichText::new("Gradient norm").small().weak());
            plots::small(
                ui,
                "gradient norm",
                &view.grad_norm,
                (colours.weak, colours.line),
                each,
            );
        });
    });
}

fn notes_list(ui: &mut Ui, view: &View) {
    ui.add_space(4.0);
    ui.strong("Messages");
    ScrollArea::vertical()
        .id_salt("trainer_notes")
        .auto_shrink([false, false])
        .stick_to_bottom(true)
        .show(ui, |ui| {
            for note in &view.notes {
                ui.add(Label::new(RichText::new(note).small()).wrap());
            }
        });
}
