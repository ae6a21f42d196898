//! The words of the prompt as chips, the alternatives of one, and the button that draws them all.

use egui::{Button, RichText, Slider, TextEdit, Ui, WidgetInfo};
use mmface_engine::format::duration;

use super::State;
use super::{SweepCommand, chips, grid_view, run};
use crate::studio::context::Context;

/// Words that nobody compares with others.
const GLUE: [&str; 18] = [
    "a", "an", "the", "and", "or", "with", "without", "of", "in", "on", "at", "to", "is", "has",
    "her", "his", "their", "who",
];

/// Draws the part of the panel that belongs under the prompt, and the grid.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    words(ui, state, cx);
    start(ui, state, cx);
    grid_view::show(ui, state, cx);
    question(ui, state, cx);
}

fn words(ui: &mut Ui, state: &mut State, cx: &Context) {
    let prompt = &cx.document.request.draw.prompt;
    let mut chips = chips::chips(prompt);
    chips.retain(|chip| chip.group || !GLUE.contains(&chip.text().to_lowercase().as_str()));
    if state
        .editing
        .as_ref()
        .is_some_and(|editing| editing.prompt != *prompt)
    {
        // The prompt was typed into: the place of the word is unknown now.
        state.editing = None;
    }
    if chips.is_empty() {
        return;
    }
    let edited = state.editing.as_ref().map(|editing| editing.range.clone());
    // A phrase comes first: it is what the person has just selected, or is editing.
    let selected = cx
        .facts
        .prompt_selection
        .as_ref()
        .filter(|(of, _)| of == prompt);
    let selected = selected.and_then(|(_, range)| chips::phrase(prompt, range));
    let phrase = edited
        .clone()
        .and_then(|range| chips::phrase(prompt, &range));
    let phrase = phrase.filter(|phrase| edited.as_ref() == Some(phrase));
    if let Some(range) = phrase.or(selected) {
        chips.insert(
            0,
            chips::Chip {
                alternatives: vec![prompt[range.clone()].to_string()],
                range,
                group: false,
            },
        );
    }
    let accent = cx.theme.colours(ui).accent;
    let on_accent = cx.theme.colours(ui).on_accent;
    let mut wanted = None;
    let mut anchor: Option<egui::Response> = None;
    // A long prompt must not push everything else away.
    let scroll = egui::ScrollArea::vertical()
        .id_salt("chips")
        .max_height(58.0);
    scroll.show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = egui::vec2(4.0, 4.0);
            ui.weak("Vary")
                .on_hover_text(
                    "Click a word to compare it with others; for several words at once, select them in the prompt",
                );
            for chip in chips {
                let text = chip.text();
                let chosen = edited.as_ref() == Some(&chip.range);
                let (button, name) = if chip.group {
                    let text = RichText::new(&text).color(on_accent);
                    let name = format!("Alternatives: {}", chip.text());
                    (Button::new(text).fill(accent).truncate(), name)
                } else {
                    let kind = match text.contains(char::is_whitespace) {
                        true => "Phrase",
                        false => "Word",
                    };
                    (
                        Button::selectable(chosen, &text).frame(true),
                        format!("{kind}: {text}"),
                    )
                };
                let response = ui.add(button);
                response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, &name));
                let response = response.on_hover_text("Compare it with other words");
                if response.clicked() {
                    wanted = Some(match chosen {
                        true => SweepCommand::CloseEditor,
                        false => SweepCommand::Edit(chip.range),
                    });
                }
                if chosen {
                    anchor = Some(response);
                }
            }
        });
    });
    if let Some(chip) = anchor {
        let mut open = true;
        egui::Popup::from_response(&chip)
            .open_bool(&mut open)
            .width(270.0)
            .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
            .show(|ui| editor(ui, state, cx));
        // A click on the chip itself closes by its command.
        if !open && wanted.is_none() {
            wanted = Some(SweepCommand::CloseEditor);
        }
    }
    if let Some(command) = wanted {
        cx.emit(command);
    }
}

fn editor(ui: &mut Ui, state: &mut State, cx: &Context) {
    let Some(editing) = &mut state.editing else {
        return;
    };
    let mut commands = Vec::new();
    let label = ui.label("Alternatives, one a line");
    let field = TextEdit::multiline(&mut editing.lines)
        .desired_rows(3)
        .desired_width(f32::INFINITY);
    ui.add(field).labelled_by(label.id);
    let list = editing.alternatives();
    ui.weak(editing.kind);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(4.0, 4.0);
        for word in &editing.suggestions {
            let on = list.iter().any(|known| known == word);
            let response = ui.add(Button::selectable(on, *word).frame(true));
            response.widget_info(|| {
                WidgetInfo::selected(egui::Role::Button, true, on, format!("Suggest: {word}"))
            });
            if response.clicked() {
                commands.push(SweepCommand::Toggle(word.to_string()));
            }
        }
    });
    ui.horizontal_wrapped(|ui| {
        let several = list.len() > 1;
        if ui
            .add_enabled(several, Button::new("Put into the prompt"))
            .on_disabled_hover_text("Two alternatives at least")
            .clicked()
        {
            commands.push(SweepCommand::Use);
        }
        if ui
            .add_enabled(!list.is_empty(), Button::new("First only"))
            .on_hover_text("Back to a single word")
            .clicked()
        {
            commands.push(SweepCommand::UseFirst);
        }
        if ui.button("From a text file…").clicked() {
            commands.push(SweepCommand::AskList);
        }
    });
    for command in commands {
        cx.emit(command);
    }
}

fn start(ui: &mut Ui, state: &mut State, cx: &Context) {
    let prompt = &cx.document.request.draw.prompt;
    let has_groups = chips::chips(prompt).iter().any(|chip| chip.group);
    let has_run = state.run.is_some();
    if has_groups {
        match run::count(prompt) {
            Ok((rows, columns)) => plan(ui, state, cx, rows, columns),
            Err(why) => {
                let warning = cx.theme.colours(ui).warning;
                ui.add(egui::Label::new(RichText::new(why).color(warning)).wrap());
            }
        }
    }
    if has_run {
        let (finished, all) = state
            .run
            .as_ref()
            .map_or((0, 0), |run| (run.finished(), run.cells.len()));
        ui.horizontal(|ui| {
            let text = match state.open {
                true => "Hide the grid",
                false => "Show the grid",
            };
            if ui.button(text).clicked() {
                cx.emit(SweepCommand::Show);
            }
            ui.weak(format!("{finished} of {all} pictures"));
        });
    }
}

fn plan(ui: &mut Ui, state: &mut State, cx: &Context, rows: usize, columns: usize) {
    let count = rows * columns;
    let mut text = match rows {
        1 => format!("{count} pictures"),
        _ => format!("{count} pictures ({rows} × {columns})"),
    };
    if let Some(seconds) = run::estimate(cx, count) {
        text.push_str(&format!(", about {}", duration(seconds)));
    }
    ui.label(text);
    let steps = cx.document.request.draw.steps;
    let most = steps.saturating_sub(1);
    let mut shared = cx.document.fork_step.min(most);
    if most > 0 {
        ui.add(
            Slider::new(&mut shared, 0..=most)
                .text("Shared steps")
                .integer(),
        )
        .on_hover_text(
            "0: the pictures share the noise only. More: they also share the first steps of the first picture, so that less of the face changes, and later ones are done sooner",
        );
    }
    if shared != cx.document.fork_step {
        cx.emit(SweepCommand::ShareSteps(shared));
    }
    let busy = state.is_busy();
    ui.horizontal(|ui| {
        let tip = match cx.keymap.hint("sweep.start") {
            Some(key) => format!("All pictures with one seed  ({key})"),
            None => "All pictures with one seed".into(),
        };
        if ui
            .add_enabled(!busy, Button::new("Draw the sweep"))
            .on_hover_text(tip)
            .clicked()
        {
            cx.emit(SweepCommand::Start);
        }
        if busy && ui.button("Cancel the sweep").clicked() {
            cx.emit(SweepCommand::Cancel);
        }
    });
}

/// Asks before many pictures.
fn question(ui: &mut Ui, state: &mut State, cx: &Context) {
    let Some(count) = state.asking else {
        return;
    };
    let time = run::estimate(cx, count);
    let mut command = None;
    egui::Modal::new(egui::Id::unique("many_pictures")).show(ui.ctx(), |ui| {
        ui.set_width(340.0);
        ui.heading(format!("Draw {count} pictures?"));
        ui.label(match time {
            Some(seconds) => format!("This takes about {}.", duration(seconds)),
            None => "How long this takes is known after the first picture.".into(),
        });
        ui.weak("You can cancel at any time; finished pictures stay.");
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            if ui.button("Draw them all").clicked() {
                command = Some(SweepCommand::Confirm);
            }
            if ui.button("Never mind").clicked()
                || ui.input(|input| input.key_pressed(egui::Key::Escape))
            {
                command = Some(SweepCommand::NeverMind);
            }
        });
    });
    if let Some(command) = command {
        cx.emit(command);
    }
}
