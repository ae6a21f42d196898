//! The form, the plan, and the button that starts.

use egui::{
    Button, ComboBox, DragValue, Grid, Label, ProgressBar, RichText, Role, TextEdit, Ui,
    WidgetInfo, vec2,
};
use egui_material_icons::icons;

use super::State;
use super::helper::Kind;
use super::requests::Planned;
use super::{TrainerCommand as Do, format, plots};
use crate::studio::context::Context;
use crate::studio::settings::training::Field;
use crate::studio::widgets::{heading, icon_button};

/// Width of the names in front of the fields.
const NAMES: f32 = 92.0;

/// Draws the form and the plan.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.horizontal(|ui| {
        heading(ui, "New run");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if icon_button(ui, icons::ICON_SETTINGS_APPLICATIONS, "Choose program…").clicked() {
                cx.emit(Do::Choose(Field::Program));
            }
            if ui
                .button("Open a run…")
                .on_hover_text("Shows a run that was started before, or on the command line")
                .clicked()
            {
                cx.emit(Do::Open);
            }
        });
    });
    configuration(ui, state, cx);
    for field in [
        Field::Data,
        Field::Weights,
        Field::Work,
        Field::Out,
        Field::InitFrom,
    ] {
        path_field(ui, state, cx, field);
    }
    options(ui, cx);
    plan(ui, state, cx);
}

fn name(ui: &mut Ui, text: &str, tip: &str) -> egui::Response {
    let size = vec2(NAMES, ui.spacing().interact_size.y);
    ui.allocate_ui_with_layout(
        size,
        egui::Layout::left_to_right(egui::Align::Center),
        |ui| {
            ui.set_min_width(NAMES);
            ui.label(text).on_hover_text(tip)
        },
    )
    .inner
}

fn configuration(ui: &mut Ui, state: &mut State, cx: &Context) {
    let mut form = cx.settings.trainer.clone();
    ui.horizontal(|ui| {
        let label = name(ui, "Preset", "What is trained, and how");
        let shown = match (form.from_file, form.preset.is_empty()) {
            (true, _) => "From a file",
            (false, true) => "Choose one",
            (false, false) => &form.preset,
        };
        let shown = shown.to_owned();
        let combo = ComboBox::from_id_salt("trainer_preset")
            .selected_text(&shown)
            .width(ui.available_width() - 8.0)
            .show_ui(ui, |ui| {
                for preset in &state.presets {
                    let text = format!(
                        "{}   {}², batch {}",
                        preset.name, preset.resolution, preset.batch
                    );
                    let chosen = !form.from_file && form.preset == preset.name;
                    let row = ui.selectable_label(chosen, text);
                    row.widget_info(|| {
                        WidgetInfo::selected(Role::Button, true, chosen, &preset.name)
                    });
                    if row.clicked() {
                        form.preset.clone_from(&preset.name);
                        form.from_file = false;
                    }
                }
                if ui.selectable_label(form.from_file, "From a file").clicked() {
                    form.from_file = true;
                }
            });
        combo
            .response
            .labelled_by(label.id)
            .widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Preset"));
    });
    if form != cx.settings.trainer {
        cx.emit(Do::Form(Box::new(form)));
    }
    if cx.settings.trainer.from_file {
        path_field(ui, state, cx, Field::Config);
    }
}

fn path_field(ui: &mut Ui, state: &mut State, cx: &Context, field: Field) {
    let error = cx.theme.colours(ui).error;
    let title = field.title();
    let mut form = cx.settings.trainer.clone();
    ui.horizontal(|ui| {
        let label = name(ui, title, field.help());
        let width = (ui.available_width() - 40.0).max(60.0);
        let edit = TextEdit::singleline(form.text(field))
            .hint_text(field.hint())
            .desired_width(width);
        ui.add_sized(vec2(width, ui.spacing().interact_size.y), edit)
            .labelled_by(label.id)
            .on_hover_text(field.help());
        if icon_button(
            ui,
            icons::ICON_FOLDER_OPEN,
            &format!("Choose {}…", title.to_lowercase()),
        )
        .clicked()
        {
            cx.emit(Do::Choose(field));
        }
    });
    if form != cx.settings.trainer {
        cx.emit(Do::Form(Box::new(form)));
    }
    // The run's folder is full of checkpoints as soon as it runs: that is no mistake then.
    let own = field == Field::Out
        && cx
            .settings
            .trainer
            .out()
            .is_some_and(|out| super::same_place(&out, &state.view.out));
    let problem = state.problems.iter().find(|(of, _)| *of == field);
    if let Some((_, what)) = problem.filter(|_| !own) {
        ui.horizontal(|ui| {
            ui.add_space(NAMES + ui.spacing().item_spacing.x);
            ui.add(Label::new(RichText::new(what).small().color(error)).wrap());
        });
    }
}

fn options(ui: &mut Ui, cx: &Context) {
    let mut form = cx.settings.trainer.clone();
    ui.horizontal(|ui| {
        let label = name(ui, "Threads", "0 takes all cores");
        ui.add(DragValue::new(&mut form.threads).range(0..=256))
            .labelled_by(label.id)
            .on_hover_text("0 takes all cores; fewer leave room for drawing");
        ui.checkbox(&mut form.allow_missing, "Allow missing parts")
            .on_hover_text(
                "Prepares the data without the samples that lack a photo, mask or sketch",
            );
    });
    if form != cx.settings.trainer {
        cx.emit(Do::Form(Box::new(form)));
    }
}

fn plan(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.add_space(4.0);
    ui.separator();
    let planning = super::helper::is_busy(state, |kind| matches!(kind, Kind::Plan(..)));
    ui.horizontal(|ui| {
        heading(ui, "Plan");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let text = if planning { "Planning…" } else { "Plan" };
            let button = Button::new(text).min_size(vec2(84.0, 0.0));
            let button = ui.add_enabled(!planning, button);
            button.widget_info(|| WidgetInfo::labeled(Role::Button, !planning, "Make the plan"));
            if button
                .on_hover_text("Says what the run will take; nothing starts")
                .clicked()
            {
                cx.emit(Do::Plan);
            }
        });
    });
    let colours = cx.theme.colours(ui).clone();
    if let Some(problem) = &state.problem {
        ui.add(Label::new(RichText::new(problem).color(colours.error)).wrap());
    }
    let Some(planned) = state.plan.clone() else {
        if state.problem.is_none() {
            ui.weak(
                "Says updates, batch, learning rate, memory, disk and time before anything starts.",
            );
        }
        preparing(ui, state, cx);
        return;
    };
    if planned.form != cx.settings.trainer {
        ui.add(
            Label::new(RichText::new("The form has changed: plan again.").color(colours.warning))
                .wrap(),
        );
    }
    figures(ui, &planned, colours.accent);
    if let Some(why) = &planned.unprepared {
        ui.add_space(4.0);
        let text =
            format!("The data is not prepared yet ({why}); the number of samples is assumed.");
        ui.add(Label::new(RichText::new(text).color(colours.warning)).wrap());
    }
    preparing(ui, state, cx);
}

fn figures(ui: &mut Ui, planned: &Planned, colour: egui::Color32) {
    let plan = &planned.plan;
    let time = match (plan.seconds, planned.measuring) {
        (Some(seconds), _) => format!(
            "{} ({} s an update)",
            format::duration(seconds),
            format::short(plan.seconds_per_update.unwrap_or(f64::NAN))
        ),
        (None, true) => "measuring…".into(),
        (None, false) => "not measured".into(),
    };
    let rows = [
        (
            "Updates",
            format!("{}, {:.1} epochs", format::grouped(plan.steps), plan.epochs),
        ),
        (
            "Samples",
            format!(
                "{}, {} updates an epoch",
                format::grouped(plan.samples),
                format::grouped(plan.steps_per_epoch)
            ),
        ),
        (
            "Batch",
            match plan.accumulation {
                0 | 1 => plan.batch.to_string(),
                parts => format!("{} in {parts} parts", plan.batch),
            },
        ),
        (
            "Model",
            format!(
                "{} parameters, {}², {}",
                format::parameters(plan.parameters),
                plan.resolution,
                plan.objective
            ),
        ),
        (
            "Memory",
            format!("about {}", format::bytes(plan.memory_total)),
        ),
        (
            "Disk",
            format!(
                "{} for checkpoints, {} for latents",
                format::bytes(plan.disk_checkpoints),
                format::bytes(plan.disk_latents)
            ),
        ),
        ("Time", time),
    ];
    Grid::new("trainer_plan")
        .num_columns(2)
        .spacing([12.0, 3.0])
        .show(ui, |ui| {
            for (title, value) in rows {
                ui.weak(title);
                ui.add(Label::new(value).wrap());
                ui.end_row();
            }
            ui.weak("Rate");
            plots::plan_rate(ui, &plan.rates, colour);
            ui.end_row();
        });
}

/// Says that something waits, and offers to drop it.
fn waits(ui: &mut Ui, cx: &Context, text: &str, drop: &str) {
    ui.horizontal(|ui| {
        ui.weak(text);
        let cancel = ui.button("Cancel");
        cancel.widget_info(|| WidgetInfo::labeled(Role::Button, true, drop));
        if cancel.clicked() {
            cx.emit(Do::DropWaiting);
        }
    });
}

/// Offers to prepare the data, or shows how far that is.
fn preparing(ui: &mut Ui, state: &mut State, cx: &Context) {
    let at = state
        .helpers
        .iter()
        .position(|helper| helper.kind == Kind::Latents);
    let Some(index) = at else {
        if super::deferred::prepares(state) {
            ui.add_space(4.0);
            waits(
                ui,
                cx,
                "Goes on when the pictures are drawn",
                "Do not prepare",
            );
            return;
        }
        let form = &cx.settings.trainer;
        let unprepared = state
            .plan_of(form)
            .is_some_and(|planned| planned.unprepared.is_some());
        if unprepared || state.plan.is_none() && !form.data.trim().is_empty() {
            ui.add_space(4.0);
            let ready = !form.data.trim().is_empty() && !form.weights.trim().is_empty();
            let button = ui.add_enabled(ready, Button::new("Prepare the data"));
            let tip = "Encodes photos, masks, sketches and captions once, into the folder of prepared data";
            let button = button.on_hover_text(tip).on_disabled_hover_text(
                "Name the folders of the data and of the frozen parts first",
            );
            if button.clicked() {
                cx.emit(Do::Prepare);
            }
        }
        return;
    };
    ui.add_space(4.0);
    let progress = state.helpers[index].progress.as_ref();
    let (share, text) =
        progress.map_or_else(|| (0.0, "looking at the data".into()), format::preparing);
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 64.0).max(60.0);
        ui.add(
            ProgressBar::new(share)
                .desired_width(width)
                .text(RichText::new(text).small()),
        );
        let stop = ui.button("Stop");
        stop.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Stop preparing"));
        if stop.clicked() {
            cx.emit(Do::StopHelper(index));
        }
    });
    for table in &state.view.tables {
        ui.weak(format!(
            "{}: {} samples",
            table.split,
            format::grouped(table.samples)
        ));
    }
}

/// Draws the button that starts, and what it waits for.
pub(super) fn show_start(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.add_space(6.0);
    let colours = cx.theme.colours(ui).clone();
    if state.waiting.is_some() {
        waits(ui, cx, "Begins when the pictures are drawn", "Do not begin");
        ui.add_space(4.0);
        return;
    }
    let form = &cx.settings.trainer;
    let problem = state.problems.first();
    let why_not: Option<String> = match (state.plan_of(form), problem) {
        _ if state.has_child() => Some("A run is under way".into()),
        (_, Some((field, what))) => Some(format!("{}: {what}", field.title())),
        (None, _) => Some("Make the plan first: it says what the run will take".into()),
        (Some(planned), _) if planned.unprepared.is_some() => Some("Prepare the data first".into()),
        (Some(_), None) => None,
    };
    let ready = why_not.is_none();
    let text = RichText::new("Start training").size(15.0).strong();
    let button = match ready {
        true => Button::new(text.color(colours.on_accent)).fill(colours.accent),
        false => Button::new(text),
    };
    let size = vec2(ui.available_width(), 34.0);
    // In a row the text of a button stands in its middle.
    let button = ui.horizontal(|ui| ui.add_enabled(ready, button.min_size(size)));
    let button = button.inner;
    let line = why_not.unwrap_or_else(|| " ".into());
    let button = button.on_disabled_hover_text(&line);
    if button.clicked() {
        cx.emit(Do::Start);
    }
    ui.add(Label::new(RichText::new(line).small().weak()).truncate());
}
