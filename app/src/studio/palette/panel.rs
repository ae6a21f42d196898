//! The palette's window: a field, and the actions that match.

use egui::{Align2, Event, Id, Key, RichText, ScrollArea, TextEdit, Ui, Window, vec2};

use super::{PaletteCommand, State, matches};
use crate::studio::command::SettingsCommand;
use crate::studio::context::Context;
use crate::studio::keymap::Chord;
use crate::studio::widgets::icon_button;

/// Draws the palette when it is open.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    if !state.open {
        return;
    }
    let ctx = ui.ctx().clone();
    take_new_key(&ctx, state, cx);
    let found = matches(&state.query);
    let (up, down, enter, escape) = ctx.input_mut(|input| {
        let mut hit = |key| input.consume_key(egui::Modifiers::NONE, key);
        (
            hit(Key::ArrowUp),
            hit(Key::ArrowDown),
            hit(Key::Enter),
            hit(Key::Escape),
        )
    });
    let last = found.len().saturating_sub(1);
    state.row = (state.row + usize::from(down))
        .saturating_sub(usize::from(up))
        .min(last);
    if escape {
        cx.emit(PaletteCommand::Toggle);
    }
    if enter && let Some(action) = found.get(state.row) {
        cx.emit(PaletteCommand::Run(action.id));
    }
    Window::new("All actions")
        .title_bar(false)
        .resizable(false)
        .anchor(Align2::CENTER_TOP, vec2(0.0, 80.0))
        .fixed_size(vec2(460.0, 380.0))
        .show(&ctx, |ui| {
            let field = TextEdit::singleline(&mut state.query)
                .id(Id::unique("palette_query"))
                .hint_text("What do you want to do?")
                .desired_width(f32::INFINITY);
            let response = ui.add(field);
            response.widget_info(|| {
                egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Search actions")
            });
            if response.changed() {
                state.row = 0;
            }
            response.request_focus();
            ui.separator();
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                if found.is_empty() {
                    ui.weak("No action has these words.");
                }
                for (row, action) in found.iter().enumerate() {
                    ui.horizontal(|ui| {
                        let chosen = row == state.row;
                        let label = ui.selectable_label(chosen, action.title);
                        if chosen && (up || down) {
                            label.scroll_to_me(None);
                        }
                        if label.clicked() {
                            cx.emit(PaletteCommand::Run(action.id));
                        }
                        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                            keys(ui, state, cx, action.id, action.title);
                        });
                    });
                }
            });
        });
}

/// The keys of an action and the button that changes them.
fn keys(ui: &mut Ui, state: &mut State, cx: &Context, id: &'static str, title: &str) {
    if state.rebinding == Some(id) {
        ui.label(RichText::new("press a key, Escape for none").italics());
        return;
    }
    let changed = cx.keymap.changes().0.contains_key(id);
    if changed
        && icon_button(
            ui,
            egui_material_icons::icons::ICON_RESTART_ALT,
            &format!("Default key of {title}"),
        )
        .clicked()
    {
        cx.emit(SettingsCommand::Bind(id, None));
    }
    if icon_button(
        ui,
        egui_material_icons::icons::ICON_KEYBOARD,
        &format!("Change key of {title}"),
    )
    .clicked()
    {
        cx.emit(PaletteCommand::Rebind(id));
    }
    let conflicts = cx.keymap.conflicts(id);
    let text: Vec<String> = cx.keymap.keys(id).iter().map(Chord::to_string).collect();
    let text = RichText::new(text.join(", ")).weak();
    if conflicts.is_empty() {
        ui.label(text);
    } else {
        let others: Vec<&str> = conflicts.iter().map(|action| action.title).collect();
        ui.label(text.color(ui.visuals().warn_fg_color))
            .on_hover_text(format!("Also: {}", others.join(", ")));
    }
}

/// Binds the action that waits to the next key.
fn take_new_key(ctx: &egui::Context, state: &mut State, cx: &Context) {
    let Some(id) = state.rebinding else {
        return;
    };
    let pressed = ctx.input_mut(|input| {
        let mut pressed = None;
        input.events.retain(|event| match event {
            Event::Key {
                key,
                pressed: true,
                modifiers,
                ..
            } => {
                pressed = Some((*key, *modifiers));
                false
            }
            Event::Text(_) => false,
            _ => true,
        });
        pressed
    });
    if let Some((key, modifiers)) = pressed {
        let chord = Chord {
            ctrl: modifiers.command,
            alt: modifiers.alt,
            shift: modifiers.shift,
            key,
        };
        let keys = if key == Key::Escape {
            vec![]
        } else {
            vec![chord.to_string()]
        };
        state.rebinding = None;
        cx.emit(SettingsCommand::Bind(id, Some(keys)));
    }
}
