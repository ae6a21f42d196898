//! The trainer's workspace: what is to be trained on the left, the run on the right.

use egui::{Button, CentralPanel, Panel, RichText, ScrollArea, Ui};
use egui_material_icons::icons;

use super::State;
use super::view::Phase;
use super::{Field, TrainerCommand, closing, device_sharing, form_panel, format, run_panel};
use crate::studio::command::ShellCommand;
use crate::studio::command::Workspace;
use crate::studio::context::Context;
use crate::studio::widgets::empty_state;

/// What to do when there is no trainer.
pub const ABSENT: &str = "The trainer is a program of its own, and mmface-trainer is neither beside this one nor on the PATH: build it with `cargo build --release -p mmface-trainer`, or choose it.";

/// Draws the workspace.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    if state.program.is_none() && state.view.phase == Phase::None {
        CentralPanel::default_margins().show(ui, |ui| absent(ui, cx));
        return;
    }
    Panel::left("trainer_form")
        .default_size(340.0)
        .size_range(300.0..=460.0)
        .show(ui, |ui| {
            Panel::bottom("trainer_start")
                .show_separator_line(false)
                .show(ui, |ui| form_panel::show_start(ui, state, cx));
            ScrollArea::vertical()
                .auto_shrink(false)
                .show(ui, |ui| form_panel::show(ui, state, cx));
        });
    CentralPanel::default_margins().show(ui, |ui| run_panel::show(ui, state, cx));
}

fn absent(ui: &mut Ui, cx: &Context) {
    ui.add_space((ui.available_height() * 0.28).min(200.0));
    ui.vertical_centered(|ui| {
        ui.set_max_width(460.0);
        empty_state(ui, icons::ICON_MODEL_TRAINING, ABSENT);
        let chosen = cx.settings.trainer.program.trim();
        if !chosen.is_empty() {
            let error = cx.theme.colours(ui).error;
            ui.label(RichText::new(format!("{chosen} is not there")).color(error));
        }
        if ui.button("Choose program…").clicked() {
            cx.emit(TrainerCommand::Choose(Field::Program));
        }
        if ui.button("Look again").clicked() {
            cx.emit(TrainerCommand::Find);
        }
        if ui.button("Open a run…").clicked() {
            cx.emit(TrainerCommand::Open);
        }
    });
}

/// Draws the two questions when they are due.
pub fn show_windows(ui: &mut Ui, state: &mut State, cx: &Context) {
    closing::show(ui, state, cx);
    device_sharing::show(ui, state, cx);
}

/// Draws how far the run is, in the top bar, wherever the person works.
pub fn show_status(ui: &mut Ui, state: &mut State, cx: &Context) {
    if !state.has_child() && !state.is_foreign() {
        return;
    }
    let view = &state.view;
    let steps = view.started.as_ref().map_or(0, |started| started.steps);
    let text = match (&view.phase, steps) {
        (Phase::Running, 1..) => format!(
            "Training {:>3} %",
            (view.step() * 100).checked_div(steps).unwrap_or(0)
        ),
        (phase, _) => format!("Training: {}", phase.title().to_lowercase()),
    };
    let tip = format!(
        "Update {} of {}",
        format::grouped(view.step()),
        format::grouped(steps)
    );
    let button = Button::new(RichText::new(text)).frame(false);
    if ui.add(button).on_hover_text(tip).clicked() {
        cx.emit(ShellCommand::Show(Workspace::Trainer));
    }
    ui.separator();
}
