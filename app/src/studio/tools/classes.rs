//! The list of classes: which one is painted, which are seen, which are protected.

use egui::{
    Align, Align2, FontId, Layout, Rect, Role, ScrollArea, Sense, TextEdit, Ui, WidgetInfo, pos2,
    vec2,
};
use egui_material_icons::{MaterialIcon, icons};
use mmface_engine::labels::{class, palette};

use super::State;
use super::{ToolsCommand, class_action};
use crate::paint::Layer;
use crate::studio::class_colours as colours;
use crate::studio::command::CanvasCommand;
use crate::studio::context::Context;
use crate::studio::widgets::icon_toggle;

/// Classes that belong together. The right side of a pair comes first, as on the canvas.
const GROUPS: [&[u8]; 6] = [
    &[class::BACKGROUND, class::SKIN, class::NOSE],
    &[
        class::RIGHT_BROW,
        class::LEFT_BROW,
        class::RIGHT_EYE,
        class::LEFT_EYE,
    ],
    &[class::UPPER_LIP, class::MOUTH, class::LOWER_LIP],
    &[class::RIGHT_EAR, class::LEFT_EAR],
    &[class::HAIR, class::HAT, class::GLASSES],
    &[class::EARRING, class::NECKLACE, class::NECK, class::CLOTH],
];

const ROW: f32 = 22.0;

/// Draws the list.
pub(super) fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.add_space(4.0);
    // From the right: a row wider than the panel would make it grow with every frame.
    let size = vec2(ui.available_width(), ROW + 2.0);
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        let friendly = cx.settings.friendly_colours;
        let name = "Colours for colour-blind eyes";
        if icon_toggle(ui, friendly, icons::ICON_PALETTE, name).clicked() {
            cx.emit(CanvasCommand::ToggleColours);
        }
        let hatch = cx.settings.hatch;
        if icon_toggle(ui, hatch, icons::ICON_TEXTURE, "Stripes on classes").clicked() {
            cx.emit(CanvasCommand::ToggleHatch);
        }
        let field = TextEdit::singleline(&mut state.search)
            .hint_text("Find a class")
            .desired_width(f32::INFINITY);
        let response = ui.add(field);
        response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Find a class"));
    });
    ui.add_space(2.0);
    let query = state.search.trim().to_lowercase();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let mut any = false;
        for group in GROUPS {
            let found: Vec<u8> = group
                .iter()
                .copied()
                .filter(|&class| matches(class, &query))
                .collect();
            if found.is_empty() {
                continue;
            }
            if any {
                ui.add_space(5.0);
            }
            any = true;
            for class in found {
                row(ui, state, cx, class);
            }
        }
        if !any {
            ui.weak("No class has this name.");
        }
    });
}

fn matches(class: u8, query: &str) -> bool {
    let Some(entry) = palette().classes.get(usize::from(class)) else {
        return false;
    };
    query.is_empty()
        || entry.title.to_lowercase().contains(query)
        || entry.name.contains(query)
        || class.to_string() == query
}

fn row(ui: &mut Ui, state: &mut State, cx: &Context, class: u8) {
    let Some(entry) = palette().classes.get(usize::from(class)) else {
        return;
    };
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let marks = 44.0;
    let name_rect = Rect::from_min_max(rect.min, pos2(rect.max.x - marks, rect.max.y));
    let response = ui.interact(
        name_rect,
        ui.scope_id().with(("class", class)),
        Sense::click(),
    );
    let settings = &cx.document.painter.settings;
    let current = settings.class == class;
    let (hidden, locked) = (
        settings.hidden.contains(class),
        settings.locked.contains(class),
    );
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, current, &entry.title));
    let theme = cx.theme.colours(ui);
    let over = ui.rect_contains_pointer(rect);
    let on_mask = settings.layer == Layer::Mask;
    let fill = match (current, over) {
        (true, _) => Some(theme.chosen),
        (false, true) => Some(theme.hovered),
        _ => None,
    };
    if let Some(fill) = fill {
        ui.painter().rect_filled(rect, 4.0, fill);
    }
    if current {
        // Not by colour alone.
        let bar = Rect::from_min_size(rect.min, vec2(3.0, ROW));
        ui.painter().rect_filled(bar, 1.5, theme.accent);
    }
    let swatch = Rect::from_center_size(pos2(rect.min.x + 15.0, rect.center().y), vec2(14.0, 14.0));
    let colour = colours::colour(cx.settings.friendly_colours, class);
    ui.painter().rect(
        swatch,
        3.0,
        colour,
        egui::Stroke::new(1.0, theme.weak),
        egui::StrokeKind::Inside,
    );
    let text = if hidden || !on_mask {
        theme.weak
    } else {
        theme.text
    };
    // The key gives way to the marks, so that long names have room.
    let marked = over || current || hidden || locked;
    let key = cx.keymap.hint(&class_action(class)).unwrap_or_default();
    let end = if marked {
        name_rect.max.x
    } else {
        let at = pos2(rect.max.x - 4.0, rect.center().y);
        let font = FontId::proportional(11.0);
        let text = ui
            .painter()
            .text(at, Align2::RIGHT_CENTER, &key, font, theme.weak);
        text.min.x
    };
    let room = end - 6.0 - (rect.min.x + 28.0);
    let galley = ui.painter().layout_job({
        let mut job = egui::text::LayoutJob::simple_singleline(
            entry.title.clone(),
            egui::TextStyle::Body.resolve(ui.style()),
            text,
        );
        job.wrap = egui::text::TextWrapping::truncate_at_width(room);
        job
    });
    let at = pos2(rect.min.x + 28.0, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, text);
    if response.clicked() {
        cx.emit(ToolsCommand::Class(class));
    }
    if response.hovered() {
        state.lit = Some(class);
    }
    response.on_hover_text(format!("{}, class {class}  ({key})", entry.title));
    let title = entry.title.to_lowercase();
    let marks = [
        (
            hidden,
            icons::ICON_VISIBILITY_OFF,
            icons::ICON_VISIBILITY,
            format!("Hide {title}"),
            ToolsCommand::ToggleHidden(class),
        ),
        (
            locked,
            icons::ICON_LOCK,
            icons::ICON_LOCK_OPEN,
            format!("Lock {title}"),
            ToolsCommand::ToggleLocked(class),
        ),
    ];
    for (i, (on, icon_on, icon_off, name, command)) in marks.into_iter().enumerate() {
        let place = Rect::from_min_size(
            pos2(rect.max.x - 42.0 + 21.0 * i as f32, rect.min.y),
            vec2(21.0, ROW),
        );
        // At rest an unset mark would be noise on nineteen rows.
        let icon = (on || over || current).then_some(if on { icon_on } else { icon_off });
        if mark(ui, cx, place, on, icon, &name) {
            cx.emit(command);
        }
    }
}

/// An eye or a lock; whether it was clicked.
fn mark(
    ui: &mut Ui,
    cx: &Context,
    place: Rect,
    on: bool,
    icon: Option<MaterialIcon>,
    name: &str,
) -> bool {
    let response = ui.interact(place, ui.scope_id().with(name), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, on, name));
    let theme = cx.theme.colours(ui);
    if let Some(icon) = icon {
        let colour = if on || response.hovered() {
            theme.text
        } else {
            theme.weak
        };
        let text = icon.rich_text().size(14.0).color(colour);
        ui.put(place, egui::Label::new(text).selectable(false));
    }
    response.on_hover_text(name).clicked()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_listed_once() {
        let mut listed: Vec<u8> = GROUPS
            .iter()
            .flat_map(|group| group.iter().copied())
            .collect();
        listed.sort_unstable();
        assert_eq!(listed, (0..19).collect::<Vec<u8>>());
    }

    #[test]
    fn classes_are_found_by_word_name_and_number() {
        assert!(matches(class::LEFT_BROW, "brow") && matches(class::RIGHT_BROW, "brow"));
        assert!(matches(class::GLASSES, "eye_g") && matches(class::HAIR, "13"));
        assert!(!matches(class::HAIR, "1") && !matches(77, ""));
    }
}
