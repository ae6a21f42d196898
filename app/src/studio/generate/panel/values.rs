//! Seed, size, steps, guidance, sampler, number of pictures, live mode.

use egui::{ComboBox, DragValue, Grid, Response, Slider, Ui, WidgetText};
use egui_material_icons::icons;
use mmface_engine::job::{Draw, Guide, MAX_STEPS, Named, SIZE_STEP, SIZES, near_size};

use super::State;
use crate::studio::command::GenerateCommand as Do;
use crate::studio::context::Context;
use crate::studio::document::request::MAX_PICTURES;
use crate::studio::widgets::{icon_button, icon_toggle};

/// Sides that the menu offers besides the model's own.
const OFFERED: [usize; 7] = [128, 192, 256, 384, 512, 768, 1024];

/// Draws the values.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.add_space(6.0);
    let model = cx.facts.model.ready().cloned();
    let mut commands = Vec::new();
    let last_seed = state.last_seed;
    let mut request = cx.document.request.clone();
    // Whole, so that a value which is added is shown, too.
    let Draw {
        // The fields above.
        prompt: _,
        negative: _,
        seed,
        count,
        size,
        steps,
        sampler,
        guidance,
        interval,
        guide,
    } = &mut request.draw;
    Grid::new("generate_values").num_columns(2).show(ui, |ui| {
        row(ui, "Seed", |ui| {
            seed_row(ui, seed, request.seed_locked, last_seed, &mut commands)
        });
        row(ui, "Size", |ui| {
            size_row(ui, size, model.as_ref().map(|model| model.resolution))
        });
        row(ui, "Steps", |ui| {
            let slider = Slider::new(steps, 1..=100).clamping(
                // More may be typed in.
                egui::SliderClamping::Never,
            );
            let response = ui.add(slider);
            *steps = (*steps).clamp(1, MAX_STEPS);
            response
        });
        row(ui, "Guidance", |ui| {
            let slider = Slider::new(guidance, 1.0..=15.0)
                .step_by(0.1)
                .clamping(egui::SliderClamping::Never);
            let response = ui
                .add(slider)
                .on_hover_text("How strongly the face follows the prompt; 1 is without guidance");
            if let Some(suggested) = model.as_ref().and_then(|model| model.suggested.guidance)
                && response.double_clicked()
            {
                *guidance = suggested;
            }
            response
        });
        row(ui, "Sampler", |ui| {
            let objective = model.as_ref().map(|model| model.objective);
            choice(
                ui,
                "sampler",
                sampler,
                objective.unwrap_or_default().samplers(),
            )
        });
        row(ui, "Pictures", |ui| {
            ui.add(DragValue::new(count).range(1..=MAX_PICTURES))
        });
    });
    egui::CollapsingHeader::new("Advanced").show(ui, |ui| {
        Grid::new("generate_advanced")
            .num_columns(2)
            .show(ui, |ui| {
                interval_rows(ui, interval);
                row(ui, "Strengthen", |ui| {
                    choice(ui, "guide", guide, Guide::ALL.iter().copied())
                        .on_hover_text("What guidance pushes the face towards")
                });
                row(ui, "Live steps", |ui| {
                    ui.add(DragValue::new(&mut state.live.steps).range(1..=50))
                });
            });
    });
    if request != cx.document.request {
        cx.emit(Do::Values(Box::new(request)));
    }
    live(ui, state, cx, &mut commands);
    for command in commands {
        cx.emit(command);
    }
}

/// A menu of values.
fn choice<T: Named>(
    ui: &mut Ui,
    id: &str,
    chosen: &mut T,
    offered: impl Iterator<Item = T>,
) -> Response {
    ComboBox::from_id_salt(id)
        .selected_text(chosen.title())
        .show_ui(ui, |ui| {
            for value in offered {
                ui.selectable_value(chosen, value, value.title())
                    .on_hover_text(value.about());
            }
        })
        .response
}

/// A named row of the grid; the widget is called by its name.
fn row(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui) -> Response) {
    let label = ui.label(WidgetText::from(name));
    ui.horizontal(|ui| add(ui)).inner.labelled_by(label.id);
    ui.end_row();
}

fn seed_row(
    ui: &mut Ui,
    seed: &mut u64,
    locked: bool,
    last: Option<u64>,
    commands: &mut Vec<Do>,
) -> Response {
    let field = DragValue::new(seed)
        .range(0..=u64::MAX - MAX_PICTURES as u64 - 1)
        .speed(1.0);
    let response = ui.add_sized([96.0, ui.spacing().interact_size.y], field);
    let (icon, name) = match locked {
        true => (icons::ICON_LOCK, "Lock the seed"),
        false => (icons::ICON_LOCK_OPEN, "Lock the seed"),
    };
    let tip = match locked {
        true => "Locked: every generation begins with the same noise",
        false => "Unlocked: every generation takes another seed",
    };
    if icon_toggle(ui, locked, icon, name)
        .on_hover_text(tip)
        .clicked()
    {
        commands.push(Do::LockSeed);
    }
    if icon_button(ui, icons::ICON_CASINO, "Roll the seed").clicked() {
        commands.push(Do::Dice);
    }
    if let Some(last) = last {
        let button = icon_button(ui, icons::ICON_REPLAY, "Use the last seed again");
        if button
            .on_hover_text(format!("The last was {last}"))
            .clicked()
        {
            commands.push(Do::LastSeed);
        }
    }
    response
}

fn size_row(ui: &mut Ui, size: &mut usize, trained: Option<usize>) -> Response {
    let field = DragValue::new(&mut *size)
        .range(SIZES)
        .speed(SIZE_STEP as f64 / 4.0)
        .suffix(" px");
    let response = ui.add(field);
    // While a number is typed it may be anything.
    if !response.has_focus() && !response.dragged() {
        *size = near_size(*size);
    }
    let mut sizes = OFFERED.to_vec();
    sizes.extend(trained);
    sizes.sort_unstable();
    sizes.dedup();
    let menu = ComboBox::from_id_salt("sizes")
        .width(20.0)
        .selected_text("")
        .show_ui(ui, |ui| {
            for side in sizes {
                let text = match Some(side) == trained {
                    true => format!("{side} px, trained"),
                    false => format!("{side} px"),
                };
                ui.selectable_value(size, side, text);
            }
        });
    menu.response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::ComboBox, true, "Sizes to choose from")
    });
    match trained {
        Some(trained) if trained != *size => {
            ui.weak(format!("trained: {trained}"))
                .on_hover_text("Other sizes than the model was trained for look worse");
        }
        Some(_) => {
            ui.weak("trained");
        }
        None => {}
    }
    response
}

fn interval_rows(ui: &mut Ui, (from, to): &mut (f64, f64)) {
    row(ui, "Guide from", |ui| {
        ui.add(Slider::new(from, 0.0..=1.0).step_by(0.05))
            .on_hover_text("Guidance acts in this part of the sampling; less of it is quicker")
    });
    *to = to.max(*from);
    row(ui, "Guide to", |ui| {
        ui.add(Slider::new(to, 0.0..=1.0).step_by(0.05))
    });
    *to = to.max(*from);
}

fn live(ui: &mut Ui, state: &mut State, cx: &Context, commands: &mut Vec<Do>) {
    ui.horizontal(|ui| {
        let on = state.live.on;
        let key = cx.keymap.hint("generate.live").unwrap_or_default();
        let tip = format!("Draw again with every change  ({key})");
        let toggle = icon_toggle(ui, on, icons::ICON_BOLT, "Live preview");
        if toggle.on_hover_text(tip).clicked() {
            commands.push(Do::Live);
        }
        ui.label("Live");
        let there = state.live_picture.is_some();
        if on
            && ui
                .add_enabled(there, egui::Button::new("Keep this picture"))
                .clicked()
        {
            commands.push(Do::KeepLive);
        }
    });
}
