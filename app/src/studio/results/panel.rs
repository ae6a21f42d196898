//! The filmstrip, and the windows that show its pictures.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use egui::{
    Align2, Color32, EventFilter, Id, Key, Modifiers, Pos2, Rect, Response, Role, ScrollArea,
    Sense, Stroke, StrokeKind, TextEdit, TextStyle, Ui, WidgetInfo, pos2, vec2,
};
use egui_material_icons::icons;
use mmface_engine::format;
use mmface_engine::job::Named as _;

use super::State;
use super::pictures::{Known, thumbnail};
use super::strip::{Cell, Strip};
use super::{ResultsCommand, about, compare, drops, export, scrub};
use crate::project::clock;
use crate::project::library::Entry;
use crate::studio::command::Workspace;
use crate::studio::context::Context;
use crate::studio::document::title;
use crate::studio::widgets::{action_button, empty_state, icon_button};

/// Space between two thumbnails.
const GAP: f32 = 4.0;
/// Height of the line that names a sweep.
const BRACKET: f32 = 15.0;

fn strip_id() -> Id {
    Id::unique("filmstrip")
}

/// Keys of the filmstrip while it has the focus, and of an open comparison; before the key map.
pub fn take_keys(state: &mut State, cx: &Context, ctx: &egui::Context) {
    compare::take_keys(state, cx, ctx);
    if !ctx.memory(|memory| memory.has_focus(strip_id())) {
        return;
    }
    let (none, shift) = (Modifiers::NONE, Modifiers::SHIFT);
    let far = isize::MAX / 2;
    let mut commands = Vec::new();
    ctx.input_mut(|input| {
        for (key, by) in [
            (Key::ArrowRight, 1),
            (Key::ArrowLeft, -1),
            (Key::PageDown, 10),
            (Key::PageUp, -10),
            (Key::End, far),
            (Key::Home, -far),
        ] {
            for (modifiers, extend) in [(shift, true), (none, false)] {
                for _ in 0..input.count_and_consume_key(modifiers, key) {
                    commands.push(ResultsCommand::Step(by, extend));
                }
            }
        }
        if input.consume_key(none, Key::Enter) {
            commands.push(ResultsCommand::Restore);
        }
        if input.consume_key(none, Key::Delete) || input.consume_key(none, Key::Backspace) {
            commands.push(ResultsCommand::Delete);
        }
        if state.deleting.count() > 0 && input.consume_key(Modifiers::COMMAND, Key::Z) {
            commands.push(ResultsCommand::UndoDelete);
        }
    });
    for command in commands {
        cx.emit(command);
    }
}

/// What floats over the window. Called in every frame.
pub fn show_windows(ui: &Ui, state: &mut State, cx: &Context) {
    let ctx = ui.ctx().clone();
    if cx.workspace == Workspace::Studio {
        compare::show_window(&ctx, state, cx);
        scrub::show_window(&ctx, state, cx);
        export::show_window(&ctx, state, cx);
        about::show_window(&ctx, state, cx);
    }
    show_drop_hint(&ctx, cx);
}

/// What will happen when a file is let go over the window.
fn show_drop_hint(ctx: &egui::Context, cx: &Context) {
    let hovering = ctx.input(|input| {
        let files = &input.raw.hovered_files;
        let known = |file: &egui::HoveredFile| file.path.as_deref().is_none_or(drops::is_picture);
        files.iter().any(known)
    });
    if !hovering {
        return;
    }
    let layer = egui::LayerId::new(egui::Order::Foreground, Id::unique("drop hint"));
    let painter = ctx.layer_painter(layer);
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0.0, Color32::from_black_alpha(160));
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        "A picture of ours brings back prompt, seed and drawing, a grid its sweep,\none of another program its prompt; masks are imported, photos traced",
        TextStyle::Heading.resolve(&ctx.global_style()),
        cx.theme.dark.text,
    );
}

/// Draws the filmstrip.
pub fn show(ui: &mut Ui, state: &mut State, cx: &Context) {
    state.thumbnails.begin_frame();
    ui.add_space(3.0);
    header(ui, state, cx);
    if let Some(problem) = state.problem.clone() {
        ui.horizontal_wrapped(|ui| {
            ui.colored_label(cx.theme.colours(ui).warning, problem);
            if ui.small_button("Look again").clicked() {
                cx.emit(ResultsCommand::Rescan);
            }
        });
    }
    if state.strip.cells().is_empty() {
        let text = match state.strip.listing.entries.is_empty() {
            true => {
                "Every finished picture appears here and is kept in a folder on your disk. Press Generate to draw the first one, or drop a picture of yours on the window"
            }
            false => {
                "No picture fits the search. Words are looked for in prompt, seed, model and file name; seed:42, class:hat and model:demo look in one place"
            }
        };
        empty_state(ui, icons::ICON_PHOTO_LIBRARY, text);
        return;
    }
    pictures(ui, state, cx);
}

fn header(ui: &mut Ui, state: &mut State, cx: &Context) {
    ui.horizontal(|ui| {
        let search = TextEdit::singleline(&mut state.strip.search)
            .hint_text("Search results")
            .desired_width(170.0);
        let response = ui.add(search);
        response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Search results"));
        if std::mem::take(&mut state.focus_search) {
            response.request_focus();
        }
        if response.changed() {
            state.strip.refresh();
        }
        if !state.strip.search.is_empty()
            && icon_button(ui, icons::ICON_CLOSE, "Clear the search").clicked()
        {
            state.strip.search.clear();
            state.strip.refresh();
        }
        let deleted = state.deleting.count();
        if deleted > 0 {
            let what = format::count(deleted as u64, "picture");
            ui.weak(format!("{what} deleted"));
            if ui
                .button("Undo deletion")
                .on_hover_text("Bring deleted results back")
                .clicked()
            {
                cx.emit(ResultsCommand::UndoDelete);
            }
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            action_button(ui, cx, icons::ICON_FOLDER_OPEN, "results.folder");
            ui.add_enabled_ui(state.strip.current.is_some(), |ui| {
                action_button(ui, cx, icons::ICON_DELETE, "results.delete");
                action_button(ui, cx, icons::ICON_SHARE, "results.export");
                action_button(ui, cx, icons::ICON_INFO, "results.about");
                action_button(ui, cx, icons::ICON_TIMELINE, "results.steps");
                action_button(ui, cx, icons::ICON_COMPARE, "results.compare");
                action_button(
                    ui,
                    cx,
                    icons::ICON_SETTINGS_BACKUP_RESTORE,
                    "results.restore",
                );
            });
            let strip = &state.strip;
            let all = strip
                .listing
                .entries
                .len()
                .saturating_sub(strip.hidden.len());
            let found = strip.found();
            let bytes = strip.listing.bytes();
            let count = match strip.search.is_empty() {
                true => format!("{all}"),
                false => format!("{found} of {all}"),
            };
            let folder = cx.services.folders.results.display();
            let tip = match strip.listing.trash_bytes {
                0 => format!("{folder}"),
                trash => format!("{folder}\n{} more in its .trash", format::bytes(trash)),
            };
            let text = format!("{count} · {}", format::bytes(bytes));
            ui.add(egui::Label::new(egui::RichText::new(text).weak()).truncate())
                .on_hover_text(tip);
        });
    });
}

fn pictures(ui: &mut Ui, state: &mut State, cx: &Context) {
    let grouped = !state.strip.groups().is_empty();
    let bracket = if grouped { BRACKET } else { 0.0 };
    let bar = ui.spacing().scroll.allocated_width().max(8.0);
    let side = (ui.available_height() - bracket - bar - 2.0).clamp(48.0, 192.0);
    let pitch = side + GAP;
    let count = state.strip.cells().len();
    // Below everything else, so that the keys have a place to go to.
    let area = ui.available_rect_before_wrap();
    let ground = ui.interact(area, strip_id(), Sense::click());
    ground.widget_info(|| WidgetInfo::labeled(Role::List, true, "Filmstrip"));
    if ground.clicked() || std::mem::take(&mut state.focus_strip) {
        ground.request_focus();
    }
    // Arrows walk through the pictures, not from widget to widget.
    let keys = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        escape: false,
        tab: false,
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(strip_id(), keys));
    let focused = ground.has_focus();
    let reveal = std::mem::take(&mut state.strip.reveal);
    ScrollArea::horizontal()
        .id_salt("filmstrip scroll")
        .auto_shrink(false)
        .show_viewport(ui, |ui, viewport| {
            ui.set_width(count as f32 * pitch);
            ui.set_height(side + bracket);
            let origin = ui.min_rect().min;
            let place = |at: usize| {
                let left = origin.x + at as f32 * pitch;
                Rect::from_min_size(pos2(left, origin.y + bracket), vec2(side, side))
            };
            if reveal && let Some(at) = current_cell(state) {
                ui.scroll_to_rect(place(at), None);
            }
            let first = (viewport.left() / pitch).floor().max(0.0) as usize;
            let last = ((viewport.right() / pitch).ceil().max(0.0) as usize).min(count);
            for at in first..last {
                let Some(&cell) = state.strip.cells().get(at) else {
                    break;
                };
                let Some(entry) = state.strip.entry(cell).cloned() else {
                    continue;
                };
                picture(ui, state, cx, place(at), cell, &entry, focused);
            }
            if grouped {
                brackets(ui, state, cx, first..last, place);
            }
        });
}

fn current_cell(state: &State) -> Option<usize> {
    let strip = &state.strip;
    let current = strip.current.as_ref()?;
    let is = |cell: &Cell| {
        strip
            .entry(*cell)
            .is_some_and(|entry| entry.file == *current)
    };
    strip.cells().iter().position(is)
}

/// Names the sweeps over their pictures; a click folds them.
fn brackets(
    ui: &mut Ui,
    state: &mut State,
    cx: &Context,
    shown: std::ops::Range<usize>,
    place: impl Fn(usize) -> Rect,
) {
    let groups = state.strip.groups().iter();
    let visible = groups
        .filter(|group| group.start < shown.end && group.start + group.cells > shown.start)
        .cloned();
    for group in visible.collect::<Vec<_>>() {
        let last = group.start + group.cells - 1;
        let (a, b) = (place(group.start), place(last));
        let rect = Rect::from_min_max(
            pos2(a.left(), a.top() - BRACKET),
            pos2(b.right(), a.top() - 1.0),
        );
        let folded = group.cells < group.pictures;
        let name = format!("Sweep of {}: {}", group.pictures, group.template);
        let response = ui
            .interact(
                rect,
                ui.scope_id().with(("sweep", group.start)),
                Sense::click(),
            )
            .on_hover_text(format!(
                "{name}\nClick to {}",
                if folded { "unfold" } else { "fold" }
            ));
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, folded, name.as_str()));
        if response.clicked() {
            cx.emit(ResultsCommand::Fold(group.template.clone()));
        }
        let colours = cx.theme.colours(ui);
        let colour = if response.hovered() {
            colours.text
        } else {
            colours.weak
        };
        let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
        painter.hline(
            rect.x_range(),
            rect.bottom(),
            Stroke::new(2.0, colours.line),
        );
        let sign = match folded {
            true => icons::ICON_CHEVRON_RIGHT.codepoint,
            false => icons::ICON_EXPAND_MORE.codepoint,
        };
        let text = format!("{sign} {} · {}", group.pictures, group.template);
        let left = rect.left().max(ui.clip_rect().left());
        let font = TextStyle::Small.resolve(ui.style());
        painter.text(
            pos2(left, rect.center().y - 1.0),
            Align2::LEFT_CENTER,
            text,
            font,
            colour,
        );
    }
}

fn picture(
    ui: &mut Ui,
    state: &mut State,
    cx: &Context,
    rect: Rect,
    cell: Cell,
    entry: &Entry,
    focused: bool,
) {
    let response = ui.interact(
        rect,
        ui.scope_id().with(&entry.file),
        Sense::click_and_drag(),
    );
    let strip = &state.strip;
    let selected = strip.selected.contains(&entry.file);
    let is_current = strip.current.as_deref() == Some(entry.file.as_str());
    let name = format!(
        "{}, seed {}",
        title(&entry.about.draw.prompt),
        entry.about.draw.seed
    );
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, name.as_str()));
    draw(ui, state, cx, rect, entry);
    let colours = cx.theme.colours(ui);
    let (line, inside) = match (is_current, selected) {
        (true, _) if focused => (Stroke::new(3.0, colours.accent), true),
        (true, _) => (Stroke::new(2.0, colours.accent), true),
        (_, true) => (Stroke::new(2.0, colours.text), true),
        _ if response.hovered() => (Stroke::new(1.0, colours.text), true),
        _ => (Stroke::NONE, false),
    };
    if inside {
        let rounding = cx.theme.rounding;
        ui.painter()
            .rect_stroke(rect, rounding, line, StrokeKind::Inside);
    }
    folded_mark(ui, &state.strip, rect, cell);
    clicks(ui, cx, &response, entry, selected);
    carry(ui, state, cx, &response, entry);
    response.on_hover_ui(|ui| card(ui, entry));
}

fn draw(ui: &Ui, state: &mut State, cx: &Context, rect: Rect, entry: &Entry) {
    let known = thumbnail(&mut state.thumbnails, entry, cx);
    let colours = cx.theme.colours(ui);
    let rounding = cx.theme.rounding;
    let text = |text: &str| {
        ui.painter().rect_filled(rect, rounding, colours.field);
        let font = TextStyle::Small.resolve(ui.style());
        ui.painter().text(
            rect.center(),
            Align2::CENTER_CENTER,
            text,
            font,
            colours.weak,
        );
    };
    match known {
        Known::Here(texture) => {
            let [width, height] = texture.size();
            let longest = width.max(height).max(1) as f32;
            let size = rect.size() * vec2(width as f32 / longest, height as f32 / longest);
            let image = egui::Image::new((texture.id(), size)).corner_radius(rounding);
            image.paint_at(ui, Rect::from_center_size(rect.center(), size));
        }
        Known::Coming => text("…"),
        Known::Damaged => text("damaged"),
    }
}

/// How many pictures lie under a folded one.
fn folded_mark(ui: &Ui, strip: &Strip, rect: Rect, cell: Cell) {
    let Some(group) = cell.group.and_then(|group| strip.groups().get(group)) else {
        return;
    };
    if group.cells == group.pictures {
        return;
    }
    let corner = Rect::from_min_size(
        Pos2::new(rect.right() - 30.0, rect.bottom() - 20.0),
        vec2(26.0, 16.0),
    );
    ui.painter()
        .rect_filled(corner, 4.0, Color32::from_black_alpha(190));
    let font = TextStyle::Small.resolve(ui.style());
    let text = group.pictures.to_string();
    ui.painter().text(
        corner.center(),
        Align2::CENTER_CENTER,
        text,
        font,
        Color32::WHITE,
    );
}

fn clicks(ui: &Ui, cx: &Context, response: &Response, entry: &Entry, selected: bool) {
    let file = || entry.file.clone();
    if response.double_clicked() {
        cx.emit(ResultsCommand::Select(file()));
        cx.emit(ResultsCommand::Restore);
    } else if response.clicked() {
        let modifiers = ui.input(|input| input.modifiers);
        cx.emit(match modifiers {
            held if held.shift => ResultsCommand::SelectTo(file()),
            held if held.command => ResultsCommand::Toggle(file()),
            _ => ResultsCommand::Select(file()),
        });
    } else if response.secondary_clicked() && !selected {
        cx.emit(ResultsCommand::Select(file()));
    }
    if response.clicked() || response.secondary_clicked() {
        ui.memory_mut(|memory| memory.request_focus(strip_id()));
    }
    response.context_menu(|ui| {
        for (title, command) in [
            ("Bring its recipe back", ResultsCommand::Restore),
            ("Draw again exactly", ResultsCommand::Again),
            ("Steps …", ResultsCommand::Steps),
            ("Compare", ResultsCommand::Compare),
            ("About …", ResultsCommand::About),
            ("Copy the picture", ResultsCommand::Copy),
            ("Copy the prompt", ResultsCommand::CopyPrompt),
            ("Copy a command line", ResultsCommand::CopyCommand),
            ("Export …", ResultsCommand::Export),
            ("Delete", ResultsCommand::Delete),
        ] {
            if ui.button(title).clicked() {
                cx.emit(command);
                ui.close();
            }
        }
    });
}

/// A picture that is dragged out of the filmstrip brings its recipe to the drawing.
fn carry(ui: &Ui, state: &mut State, cx: &Context, response: &Response, entry: &Entry) {
    let Some(at) = response.interact_pointer_pos() else {
        return;
    };
    let outside = at.y < ui.clip_rect().top();
    if response.dragged() && outside {
        ui.ctx().set_cursor_icon(egui::CursorIcon::Copy);
        if let Known::Here(texture) = thumbnail(&mut state.thumbnails, entry, cx) {
            let layer = egui::LayerId::new(egui::Order::Tooltip, Id::unique("carried result"));
            let rect = Rect::from_center_size(at, vec2(64.0, 64.0));
            let uv = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
            let tint = Color32::from_white_alpha(200);
            ui.ctx()
                .layer_painter(layer)
                .image(texture.id(), rect, uv, tint);
        }
    }
    if response.drag_stopped() && outside {
        cx.emit(ResultsCommand::Select(entry.file.clone()));
        cx.emit(ResultsCommand::Restore);
    }
}

/// What the pointer learns of a picture.
fn card(ui: &mut Ui, entry: &Entry) {
    ui.set_max_width(320.0);
    let about = &entry.about;
    ui.strong(title(&about.draw.prompt));
    if !about.draw.negative.is_empty() {
        ui.label(format!("Without: {}", about.draw.negative));
    }
    if let Some(template) = &about.template {
        ui.label(format!("Sweep: {template}"));
    }
    ui.label(format!(
        "Seed {} · {} × {} · {} steps, {} · guidance {}",
        about.draw.seed,
        entry.width,
        entry.height,
        about.draw.steps,
        about.draw.sampler.title(),
        about.draw.guidance
    ));
    let then = UNIX_EPOCH + Duration::from_millis(entry.modified);
    let ago = clock::ago(then, SystemTime::now());
    ui.weak(format!("{} · {ago}", about.model));
    ui.weak("Double-click, Enter or dragging it onto the canvas brings prompt, seed, drawing and settings back");
}
